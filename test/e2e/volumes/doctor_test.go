//go:build stack

package volumes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestDoctorRestores: the checklist restores an encrypted GiB with no more rights than deploy/iam
// gives, and leaves no volume.
func TestDoctorRestores(t *testing.T) {
	t.Parallel()
	l := shared.beside(t, "doctor")
	snapshot := l.encryptedSnapshot(t, "nightly")
	if err := l.store(t, "nightly", false, []string{snapshot}); err != nil {
		t.Fatal(err)
	}
	res, err := l.CLI(t.Context(), "doctor", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Checks []contract.Check }
	if err := json.Unmarshal([]byte(res.Out), &list); err != nil {
		t.Fatal(err, res.Out)
	}
	var found contract.Check
	for _, c := range list.Checks {
		if c.ID == "restore-rights" {
			found = c
		}
	}
	if found.Answer != contract.AnswerYes || !strings.Contains(found.Found, snapshot) || !strings.Contains(found.Found, l.ebs.VolumeKey) {
		t.Errorf("%+v", found)
	}
	left, err := l.ec2.VolumesTagged(t.Context(), map[string]string{ebs.TagCluster: l.Cluster})
	if err != nil || len(left) > 0 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// encryptedSnapshot is a snapshot of a backup of one GiB, under the account's key.
func (l *lab) encryptedSnapshot(t *testing.T, backup string) string {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := ec2.NewFromConfig(cfg)
	disk, err := client.CreateVolume(t.Context(), &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String(l.ebs.Zones[0]), Size: aws.Int32(1), Encrypted: aws.Bool(true), KmsKeyId: aws.String(l.ebs.VolumeKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l.completeSnapshot(t, client, *disk.VolumeId, l.tagsOf(backup))
}
