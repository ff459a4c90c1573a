package stack

import (
	"encoding/json"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// The keys of the CSI driver and of Lifeboat, which are no administrators.
const (
	driverAccessKey = "AKIAEBSCSIDRIVER"
	driverSecretKey = "ebs-csi-driver-secret"
	workerAccessKey = "AKIALIFEBOATWORKER"
	workerSecretKey = "lifeboat-worker-secret"
)

// workerUserName is the user that Lifeboat's workers are in the simulated account.
const workerUserName = "lifeboat-worker"

// workerUser has the policy that `lifeboat iam policy` prints for volumes: whatever a test has a
// worker do is judged by it.
func workerUser(o ebssim.Options) (ebssim.User, error) {
	document, err := iam.Policy(iam.Options{Role: iam.Volumes, SharedBy: []string{ebssim.OtherAccount}, VolumeKeys: volumeKeys(o)})
	if err != nil {
		return ebssim.User{}, err
	}
	text, err := document.Text()
	return ebssim.User{Name: workerUserName, AccessKeyID: workerAccessKey, SecretAccessKey: workerSecretKey, Policies: []json.RawMessage{text}}, err
}

// driverUser is the identity of ebs.csi.aws.com, with the rights that its add-on has in EKS and those
// to keys that its manual asks for.
func driverUser(keys []string) ebssim.User {
	return ebssim.User{Name: "ebs-csi-driver", AccessKeyID: driverAccessKey, SecretAccessKey: driverSecretKey, Policies: []json.RawMessage{driverPolicy(keys)}}
}

// driverStatement is a statement of a policy that allows something.
type driverStatement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// driverPolicy allows what AWS's managed policy AmazonEBSCSIDriverPolicyV2 does, so far as the
// driver here makes use of it: a tag decides which volumes it attaches and deletes, and which
// snapshots it deletes and makes volumes of.
func driverPolicy(keys []string) json.RawMessage {
	const volumes, snapshots, instances = "arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:snapshot/*", "arn:aws:ec2:*:*:instance/*"
	is := func(key string) map[string]map[string][]string {
		return map[string]map[string][]string{"StringEquals": {key + "/ebs.csi.aws.com/cluster": {"true"}}}
	}
	ofInTree := map[string]map[string][]string{"StringLike": {"ec2:ResourceTag/kubernetes.io/created-for/pvc/name": {"*"}}}
	whileMade := map[string]map[string][]string{"StringEquals": {"ec2:CreateAction": {"CreateVolume", "CreateSnapshot"}}}
	allow := func(condition map[string]map[string][]string, resource string, actions ...string) driverStatement {
		return driverStatement{"Allow", actions, []string{resource}, condition}
	}
	manage := []string{"ec2:ModifyVolume", "ec2:AttachVolume", "ec2:DetachVolume", "ec2:DeleteVolume"}
	policy := struct {
		Version   string
		Statement []driverStatement
	}{"2012-10-17", []driverStatement{
		allow(nil, "*", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeSnapshots",
			"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVolumeStatus"),
		allow(is("aws:RequestTag"), volumes, "ec2:CreateVolume"),
		allow(is("ec2:ResourceTag"), snapshots, "ec2:CreateVolume", "ec2:DeleteSnapshot"),
		allow(is("aws:RequestTag"), snapshots, "ec2:CreateSnapshot"),
		allow(is("ec2:ResourceTag"), volumes, append([]string{"ec2:CreateSnapshot"}, manage...)...),
		allow(ofInTree, volumes, manage...),
		allow(nil, instances, "ec2:AttachVolume", "ec2:DetachVolume"),
		allow(whileMade, volumes, "ec2:CreateTags"),
		allow(whileMade, snapshots, "ec2:CreateTags"),
		{"Allow", []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"}, keys, nil},
	}}
	text, err := json.Marshal(policy)
	if err != nil {
		panic(err) // strings only
	}
	return text
}

// volumeKeys are two keys of the account's own.
func volumeKeys(o ebssim.Options) []string {
	of := "arn:aws:kms:" + o.Region + ":" + o.AccountID + ":key/"
	return []string{of + "0b7ee5a3-4f4e-4a5c-8d70-6f4bb5c9d1f2", of + "5a1b6f0e-90c7-4c53-8c1e-2f6c7d1e9a44"}
}
