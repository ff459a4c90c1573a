package ebs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const (
	workerUser  = "arn:aws:iam::111122223333:user/lifeboat"
	foreignRole = "arn:aws:iam::444455556666:role/backups"
)

// A location that names a role works as that role, in the role's account, for as long as the worker
// runs; without the external id or the tags that the role wants, nobody gets it.
func TestRoleOfALocation(t *testing.T) {
	trust, err := iam.TrustRole(iam.Taker{Role: "arn:aws:iam::111122223333:role/x", ExternalID: "backups-of-east", Tags: map[string]string{"cluster": "east"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := trust.Text()
	if err != nil {
		t.Fatal(err)
	}
	document := []byte(strings.ReplaceAll(string(text), "arn:aws:iam::111122223333:role/x", workerUser)) // the test's worker is a user
	mayTake := json.RawMessage(`{"Statement": {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "` + foreignRole + `"}}`)
	mayLook := json.RawMessage(`{"Statement": {"Effect": "Allow", "Action": "ec2:DescribeSnapshots", "Resource": "*"}}`)
	inWorld(t, ebssim.Published(), []json.RawMessage{mayTake}, func(t *testing.T, w *world) {
		if err := w.AddRole(ebssim.Role{Name: "backups", Account: "444455556666", Trust: document, Policies: []json.RawMessage{mayLook}}); err != nil {
			t.Fatal(err)
		}
		role := []string{"assumeRoleArn", foreignRole, "assumeRoleExternalId", "backups-of-east", "assumeRoleSessionTags", "cluster=east"}
		l := w.open("AKIALIFEBOAT", "lifeboat-secret", Options{}, role...)
		if l.Account() != "444455556666" || l.arn != "arn:aws:sts::444455556666:assumed-role/backups/lifeboat" {
			t.Errorf("account %s, %s", l.Account(), l.arn)
		}
		for range 3 { // sessions end and are begun anew
			time.Sleep(70 * time.Minute)
			if _, err := l.countSnapshots(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for name, config := range map[string][]string{
			"no external id":      {"assumeRoleArn", foreignRole, "assumeRoleSessionTags", "cluster=east"},
			"another external id": {"assumeRoleArn", foreignRole, "assumeRoleExternalId", "other", "assumeRoleSessionTags", "cluster=east"},
			"no tags":             {"assumeRoleArn", foreignRole, "assumeRoleExternalId", "backups-of-east"},
			"another role":        {"assumeRoleArn", foreignRole + "-admin", "assumeRoleExternalId", "backups-of-east", "assumeRoleSessionTags", "cluster=east"},
		} {
			doc := w.documentOf("AKIALIFEBOAT", "lifeboat-secret", config...)
			if _, err := Open(t.Context(), doc, Options{HTTP: wire{w.Sim}}); err == nil || !strings.Contains(err.Error(), "AccessDenied") || !strings.Contains(err.Error(), "sts:AssumeRole") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
