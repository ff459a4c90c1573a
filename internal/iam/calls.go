package iam

import (
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

// Call is a request of the kind that a role makes, or that it must not be able to make.
type Call struct {
	What string // for people
	evaluation.Request
}

// keys are condition keys of a request.
type keys map[string]string

func call(what, action, resource string, with keys) Call {
	c := Call{What: what, Request: evaluation.Request{Action: action, Resource: resource}}
	for key, value := range with {
		c.Set(key, value)
	}
	return c
}

const (
	someSnapshot = "arn:aws:ec2:eu-central-1::snapshot/snap-0123456789abcdef0"
	someVolume   = "arn:aws:ec2:eu-central-1:111122223333:volume/vol-0123456789abcdef0"
	someInstance = "arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0"
	someCluster  = "arn:aws:eks:eu-central-1:111122223333:cluster/production"
	foreignKey   = "arn:aws:kms:eu-central-1:111122223333:key/ffffffff-0000-0000-0000-000000000000"
)

// Needed are the calls that the role makes. A policy that denies one of them breaks something.
func Needed(o Options) ([]Call, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return slices.Concat(o.ownCalls(), o.roleCalls()), nil
}

// roleCalls take the roles that locations name.
func (o Options) roleCalls() []Call {
	var calls []Call
	for _, arn := range o.Assume {
		calls = append(calls, call("take the role of a location", "sts:AssumeRole", arn, nil), call("tag the session of that role", "sts:TagSession", arn, nil))
	}
	return calls
}

func (o Options) ownCalls() []Call {
	b := o.bucket()
	switch o.Role {
	case Volumes:
		return o.volumeCalls(true, true, true)
	case Backup:
		return slices.Concat(o.bucketCalls(b, layout.Backup{Name: "b"}.Tarball()), o.volumeCalls(true, false, false))
	case Restore:
		return slices.Concat(o.bucketCalls(b, layout.Restore{Name: "r"}.Logs()), o.volumeCalls(false, true, false))
	case Collect:
		return slices.Concat(o.bucketCalls(b, layout.Backup{Name: "b"}.Tarball()), o.volumeCalls(false, false, true))
	}
	return slices.Concat(o.bucketCalls(b, layout.Backup{Name: "b"}.Tarball()), o.volumeCalls(true, true, true))
}

// bucketCalls are those on the bucket; written is a file that the role writes and deletes.
func (o Options) bucketCalls(b bucket, written string) []Call {
	file, note := strings.TrimSuffix(b.below(written), "*"), strings.TrimSuffix(b.below(layout.Staging("x")), "*")
	calls := []Call{
		call("list backups", "s3:ListBucket", b.arn, keys{"s3:prefix": b.prefix + "/" + layout.BackupsDir}),
		call("list unfinished uploads", "s3:ListBucketMultipartUploads", b.arn, nil),
		call("read a backup", "s3:GetObject", file, nil),
		call("read a file's retention", "s3:GetObjectRetention", file, nil),
		call("read a file's legal hold", "s3:GetObjectLegalHold", file, nil),
	}
	for _, key := range []string{file, note} {
		calls = append(calls,
			call("write "+key, "s3:PutObject", key, nil),
			call("delete "+key, "s3:DeleteObject", key, nil),
			call("break off an upload of "+key, "s3:AbortMultipartUpload", key, nil),
			call("list the parts of "+key, "s3:ListMultipartUploadParts", key, nil))
	}
	if o.BucketKey != "" {
		calls = append(calls, call("encrypt files", "kms:GenerateDataKey", o.BucketKey, nil), call("decrypt files", "kms:Decrypt", o.BucketKey, nil))
	}
	if o.Inspect {
		for _, action := range b.inspect().Action {
			calls = append(calls, call("read the bucket's settings", action, b.arn, nil))
		}
		calls = append(calls, call("read the cluster's settings", "eks:DescribeCluster", someCluster, nil))
		for _, action := range quotaReads() {
			calls = append(calls, call("read the quota of snapshots", action, "*", nil))
		}
	}
	return calls
}

func (o Options) volumeCalls(take, restore, remove bool) []Call {
	var calls []Call
	for _, action := range look().Action {
		calls = append(calls, call("look at volumes and snapshots", action, "*", nil))
	}
	if take {
		calls = append(calls, snapshotCalls()...)
		for _, key := range o.VolumeKeys {
			calls = append(calls, call("read blocks under a key", "kms:Decrypt", key, nil))
		}
	}
	if take || remove {
		calls = append(calls, call("delete a snapshot of a backup", "ec2:DeleteSnapshot", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}))
	}
	if remove {
		calls = append(calls, call("delete an orphaned snapshot", "ec2:DeleteSnapshot", someSnapshot, keys{"aws:ResourceTag/" + tagPlace: "0123456789ab"}))
	}
	if restore {
		calls = append(calls, o.restoreCalls()...)
	}
	return calls
}

func snapshotCalls() []Call {
	tags := keys{"aws:RequestTag/" + tagBackup: "b", "aws:RequestTag/" + tagBackupUID: "u"}
	var calls []Call
	for _, action := range []string{"CreateSnapshot", "CreateSnapshots"} {
		calls = append(calls,
			call("take a snapshot of a volume", "ec2:"+action, someVolume, nil),
			call("make a tagged snapshot", "ec2:"+action, someSnapshot, tags),
			call("tag a snapshot that is being made", "ec2:CreateTags", someSnapshot, keys{"ec2:CreateAction": action}))
	}
	for _, action := range listBlocks().Action {
		calls = append(calls, call("count a snapshot's blocks", action, someSnapshot, nil))
	}
	return append(calls,
		call("take snapshots of an instance's volumes", "ec2:CreateSnapshots", someInstance, nil),
		call("read a sample of a snapshot's blocks", "ebs:GetSnapshotBlock", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}),
		call("tag a snapshot of the CSI driver's", "ec2:CreateTags", someSnapshot, keys{"aws:ResourceTag/" + tagOfDriver: "s"}),
		call("tag a snapshot of ours", "ec2:CreateTags", someSnapshot, keys{"aws:ResourceTag/" + tagBackupUID: "u"}))
}

func (o Options) restoreCalls() []Call {
	made := keys{"aws:RequestTag/" + tagRestoreUID: "u"}
	calls := []Call{
		call("make a volume of a backup's snapshot", "ec2:CreateVolume", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}),
		call("make a tagged volume", "ec2:CreateVolume", someVolume, made),
		call("tag a volume that is being made", "ec2:CreateTags", someVolume, keys{"ec2:CreateAction": "CreateVolume"}),
		call("delete a volume that a restore made", "ec2:DeleteVolume", someVolume, keys{"aws:ResourceTag/" + tagRestoreUID: "u"}),
	}
	for _, account := range o.SharedBy {
		calls = append(calls, call("make a volume of a snapshot that "+account+" shares", "ec2:CreateVolume", someSnapshot, keys{"ec2:Owner": account}))
	}
	for _, key := range o.VolumeKeys {
		calls = append(calls, call("let EBS use a key", "kms:CreateGrant", key, keys{"kms:GrantIsForAWSResource": "true"}))
		for _, action := range useKeys(o.VolumeKeys)[0].Action {
			calls = append(calls, call("use a key for volumes", action, key, nil))
		}
	}
	return calls
}

// Forbidden are calls that no role may make, or not the options' own: what a stolen token must not
// be good for.
func Forbidden(o Options) ([]Call, error) {
	own, err := o.ownPolicy()
	if err != nil {
		return nil, err
	}
	return slices.Concat(o.forbiddenInBucket(), forbiddenVolumes(), o.forbiddenTags(), o.forbiddenBeside(), o.otherRoles(own)), nil
}

// otherRoles are the calls of the role that is for all which the policy of this one denies. Without a
// bucket, as the role for volumes may be, there are none to try.
func (o Options) otherRoles(own evaluation.Policy) (calls []Call) {
	if o.Bucket == "" {
		return nil
	}
	o.Role = All
	for _, c := range o.ownCalls() {
		if evaluation.Evaluate([]evaluation.Policy{own}, c.Request) != evaluation.Allowed {
			c.What += ", which is another role's"
			calls = append(calls, c)
		}
	}
	return calls
}

// forbiddenInBucket are calls on buckets and what is in them.
func (o Options) forbiddenInBucket() []Call {
	b := o.bucket()
	elsewhere := b.arn + "/elsewhere/file"
	if b.prefix == "" { // nothing of the bucket is elsewhere
		elsewhere = b.arn + "-other/elsewhere/file"
	}
	other, inside := b.arn+"-other", strings.TrimSuffix(b.below(layout.Backup{Name: "b"}.Tarball()), "*")
	calls := []Call{
		call("read below another prefix", "s3:GetObject", elsewhere, nil),
		call("write below another prefix", "s3:PutObject", elsewhere, nil),
		call("delete below another prefix", "s3:DeleteObject", elsewhere, nil),
		call("list another bucket", "s3:ListBucket", other, keys{"s3:prefix": b.prefix + "/"}),
		call("read another bucket", "s3:GetObject", other+"/"+b.prefix+"/x", nil),
		call("write another bucket", "s3:PutObject", other+"/"+b.prefix+"/x", nil),
		call("delete from another bucket", "s3:DeleteObject", other+"/"+b.prefix+"/x", nil),
		call("list all buckets", "s3:ListAllMyBuckets", "*", nil),
		call("delete an older version", "s3:DeleteObjectVersion", inside, nil),
		call("go around a retention", "s3:BypassGovernanceRetention", inside, nil),
		call("shorten a retention", "s3:PutObjectRetention", inside, nil),
		call("lift a legal hold", "s3:PutObjectLegalHold", inside, nil),
		call("publish a file", "s3:PutObjectAcl", inside, nil),
		call("delete the bucket", "s3:DeleteBucket", b.arn, nil),
		call("change the bucket's policy", "s3:PutBucketPolicy", b.arn, nil),
		call("delete the bucket's policy", "s3:DeleteBucketPolicy", b.arn, nil),
		call("stop versioning", "s3:PutBucketVersioning", b.arn, nil),
		call("change the lifecycle", "s3:PutLifecycleConfiguration", b.arn, nil),
		call("replicate elsewhere", "s3:PutReplicationConfiguration", b.arn, nil),
		call("change the encryption", "s3:PutEncryptionConfiguration", b.arn, nil),
	}
	if b.prefix != "" {
		sibling := b.arn + "/" + b.prefix + "-other/file"
		calls = append(calls,
			call("list the whole bucket", "s3:ListBucket", b.arn, nil),
			call("read below a prefix that begins like it", "s3:GetObject", sibling, nil),
			call("write below a prefix that begins like it", "s3:PutObject", sibling, nil),
			call("delete below a prefix that begins like it", "s3:DeleteObject", sibling, nil))
	}
	return calls
}

// forbiddenBeside are calls to keys, roles and services that are not the worker's.
func (o Options) forbiddenBeside() []Call {
	calls := []Call{
		call("use another key", "kms:Decrypt", foreignKey, nil),
		call("grant another key", "kms:CreateGrant", foreignKey, keys{"kms:GrantIsForAWSResource": "true"}),
		call("delete a key", "kms:ScheduleKeyDeletion", foreignKey, nil),
		call("take another role", "sts:AssumeRole", "arn:aws:iam::111122223333:role/admin", nil),
		call("pass a role", "iam:PassRole", "arn:aws:iam::111122223333:role/admin", nil),
		call("change its own policy", "iam:PutRolePolicy", "arn:aws:iam::111122223333:role/lifeboat", nil),
		call("delete the cluster", "eks:DeleteCluster", someCluster, nil),
		call("read a secret", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db", nil),
	}
	for _, role := range o.Assume {
		calls = append(calls, call("take a role that begins like a location's", "sts:AssumeRole", role+"-other", nil))
	}
	return calls
}

// forbiddenTags are tags of a snapshot of ours that are not among those of the options.
func (o Options) forbiddenTags() []Call {
	if len(o.TagKeys) == 0 {
		return nil
	}
	return []Call{
		call("write another tag on a snapshot of ours", "ec2:CreateTags", someSnapshot, keys{"aws:ResourceTag/" + tagBackupUID: "u", "aws:TagKeys": "not-" + o.TagKeys[0]}),
		call("write another tag on a snapshot that is being made", "ec2:CreateTags", someSnapshot, keys{"ec2:CreateAction": "CreateSnapshot", "aws:TagKeys": "not-" + o.TagKeys[0]}),
	}
}

func forbiddenVolumes() []Call {
	foreign := keys{"aws:ResourceTag/team": "shop", "aws:ResourceTag/Name": "db"}
	return []Call{
		call("delete a snapshot without our tags", "ec2:DeleteSnapshot", someSnapshot, nil),
		call("delete somebody's snapshot", "ec2:DeleteSnapshot", someSnapshot, foreign),
		call("delete a volume that no restore made", "ec2:DeleteVolume", someVolume, foreign),
		call("make a snapshot without tags", "ec2:CreateSnapshot", someSnapshot, nil),
		call("make a snapshot that only says it is a backup's", "ec2:CreateSnapshot", someSnapshot, keys{"aws:RequestTag/" + tagBackup: "b"}),
		call("make a volume without tags", "ec2:CreateVolume", someVolume, nil),
		call("make a volume of somebody's snapshot", "ec2:CreateVolume", someSnapshot, foreign),
		call("give somebody's snapshot our tag", "ec2:CreateTags", someSnapshot, keys{"aws:ResourceTag/team": "shop", "aws:RequestTag/" + tagBackup: "b"}),
		call("give somebody's volume our tag", "ec2:CreateTags", someVolume, keys{"aws:ResourceTag/team": "shop", "aws:RequestTag/" + tagRestoreUID: "u"}),
		call("take tags away", "ec2:DeleteTags", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}),
		call("attach a volume", "ec2:AttachVolume", someVolume, nil),
		call("detach a volume", "ec2:DetachVolume", someVolume, nil),
		call("share a snapshot", "ec2:ModifySnapshotAttribute", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}),
		call("unlock a snapshot", "ec2:UnlockSnapshot", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}),
		call("copy a snapshot", "ec2:CopySnapshot", someSnapshot, keys{"aws:ResourceTag/" + tagBackup: "b"}),
		call("read the blocks of somebody's snapshot", "ebs:GetSnapshotBlock", someSnapshot, foreign),
		call("start an instance", "ec2:RunInstances", someInstance, nil),
		call("stop an instance", "ec2:TerminateInstances", someInstance, nil),
	}
}
