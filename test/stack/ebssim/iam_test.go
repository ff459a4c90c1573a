package ebssim_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// backupPolicy is what a backup tool needs: tagged creations and nothing that it
// did not tag itself.
const backupPolicy = `{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
  {"Effect": "Allow", "Action": "ec2:CreateSnapshot", "Resource": "arn:aws:ec2:*:*:volume/*"},
  {"Effect": "Allow", "Action": "ec2:CreateSnapshot", "Resource": "arn:aws:ec2:*::snapshot/*",
   "Condition": {"StringLike": {"aws:RequestTag/owner": "team-*"}}},
  {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*::snapshot/*",
   "Condition": {"StringEquals": {"ec2:CreateAction": "CreateSnapshot"},
                 "ForAllValues:StringEquals": {"aws:TagKeys": ["owner", "app"]}}},
  {"Effect": "Allow", "Action": "ec2:DeleteSnapshot", "Resource": "*",
   "Condition": {"StringEquals": {"aws:ResourceTag/owner": "team-a"}}},
  {"Effect": "Allow", "Action": "ec2:CreateVolume", "Resource": "*",
   "Condition": {"Bool": {"ec2:Encrypted": "true"}}},
  {"Effect": "Allow", "Action": "ec2:CreateVolume", "Resource": "arn:aws:ec2:*::snapshot/*"},
  {"Effect": "Deny", "Action": "ec2:*", "Resource": "*",
   "Condition": {"StringEquals": {"ec2:ResourceTag/protected": "yes"}}}
]}`

// world is a rig with a second client whose user has the policy.
type limited struct {
	rig
	as *ec2.Client
}

func withPolicy(t *testing.T, policies ...string) limited {
	t.Helper()
	r := start(t, nil)
	user := ebssim.User{Name: "tool", AccessKeyID: "AKIASIMTOOL", SecretAccessKey: "not-a-real-secret-of-tool"}
	for _, p := range policies {
		user.Policies = append(user.Policies, json.RawMessage(p))
	}
	if err := r.AddUser(user); err != nil {
		t.Fatal(err)
	}
	return limited{rig: r, as: client(r.url, user.AccessKeyID, user.SecretAccessKey, "")}
}

func TestPolicyDecides(t *testing.T) {
	w := withPolicy(t, backupPolicy)
	vol, guarded := w.newVolume(t), w.newVolume(t, "protected", "yes")
	mine, other := w.newSnapshot(t, vol, "owner", "team-a"), w.newSnapshot(t, vol, "owner", "team-b")
	w.clock.Advance(time.Minute)
	snapshot := func(volume string, tags ...string) func(context.Context) error {
		in := &ec2.CreateSnapshotInput{VolumeId: aws.String(volume)}
		if len(tags) > 0 {
			in.TagSpecifications = tagSpec(types.ResourceTypeSnapshot, tags...)
		}
		return func(ctx context.Context) error { _, err := w.as.CreateSnapshot(ctx, in); return err }
	}
	remove := func(id string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := w.as.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: aws.String(id)})
			return err
		}
	}
	volume := func(encrypted bool) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := w.as.CreateVolume(ctx, &ec2.CreateVolumeInput{
				AvailabilityZone: aws.String(zone), SnapshotId: aws.String(mine), Encrypted: aws.Bool(encrypted),
			})
			return err
		}
	}
	for _, c := range []struct {
		name  string
		call  func(context.Context) error
		about string // part of the refusal, "" if it is allowed
	}{
		{"tagged snapshot", snapshot(vol, "owner", "team-a"), ""},
		{"untagged snapshot", snapshot(vol), "ec2:CreateSnapshot on resource: arn:aws:ec2:eu-central-1::snapshot/*"},
		{"wrong tag value", snapshot(vol, "owner", "me"), "ec2:CreateSnapshot on resource"},
		{"a key that is not in the list", snapshot(vol, "owner", "team-a", "x", "y"), "ec2:CreateTags on resource"},
		{"protected volume", snapshot(guarded, "owner", "team-a"), "volume/" + guarded + " with an explicit deny"},
		{"encrypted volume of a snapshot", volume(true), ""},
		{"plain volume", volume(false), "ec2:CreateVolume on resource: arn:aws:ec2:eu-central-1:111122223333:volume/*"},
		{"another's snapshot", remove(other), "ec2:DeleteSnapshot on resource: arn:aws:ec2:eu-central-1::snapshot/" + other},
		{"own snapshot", remove(mine), ""},
		{"tags later", func(ctx context.Context) error {
			_, err := w.as.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{other}, Tags: tagList("owner", "team-a")})
			return err
		}, "ec2:CreateTags"},
		{"what nobody allows", func(ctx context.Context) error {
			_, err := w.as.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: aws.String(vol)})
			return err
		}, "because no identity-based policy allows the ec2:DeleteVolume action"},
	} {
		t.Run(c.name, func(t *testing.T) { checkDecision(t, c.call(t.Context()), c.about) })
	}
}

func checkDecision(t *testing.T, err error, about string) {
	t.Helper()
	if about == "" {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	wantCode(t, err, "UnauthorizedOperation")
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusForbidden {
		t.Fatalf("want status 403: %v", err)
	}
	for _, part := range []string{about, "User: arn:aws:iam::111122223333:user/tool"} {
		if !strings.Contains(err.Error(), part) {
			t.Fatalf("want %q in %v", part, err)
		}
	}
}

// A dry run says what the real one would say, and does nothing.
func TestDryRunAsksForPermissionOnly(t *testing.T) {
	w := withPolicy(t, backupPolicy)
	in := &ec2.CreateSnapshotInput{VolumeId: aws.String(w.newVolume(t)), DryRun: aws.Bool(true)}
	_, err := w.as.CreateSnapshot(t.Context(), in)
	wantCode(t, err, "UnauthorizedOperation")
	in.TagSpecifications = tagSpec(types.ResourceTypeSnapshot, "owner", "team-a")
	_, err = w.as.CreateSnapshot(t.Context(), in)
	wantCode(t, err, "DryRunOperation")
	if n := len(w.State().Snapshots); n != 0 {
		t.Fatalf("%d snapshots", n)
	}
}

func TestBadPoliciesAreRefused(t *testing.T) {
	r := start(t, nil)
	err := r.AddUser(ebssim.User{
		Name: "u", AccessKeyID: "k", SecretAccessKey: "s",
		Policies: []json.RawMessage{[]byte(`{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "::1"}}}}`)},
	})
	if err == nil || !strings.Contains(err.Error(), "IpAddress") {
		t.Fatalf("got %v", err)
	}
}
