package ebs

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const keyOfVolumes = "arn:aws:kms:eu-central-1:111122223333:key/1234"

// restorerPolicy is what a role for restores may do, with the key or without.
func restorerPolicy(t *testing.T, keys ...string) iam.Document {
	t.Helper()
	d, err := iam.Policy(iam.Options{Role: iam.Restore, Bucket: "example-backups", Prefix: "production", VolumeKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func policies(t *testing.T, d iam.Document) []json.RawMessage {
	t.Helper()
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	return []json.RawMessage{text}
}

// encryptedSnapshot is a snapshot of a backup, under the key.
func (w *world) encryptedSnapshot() Snapshot {
	w.SetKeys([]string{keyOfVolumes})
	v := w.volume(func(in *ec2.CreateVolumeInput) { in.Encrypted, in.KmsKeyId = aws.Bool(true), aws.String(keyOfVolumes) })
	w.volumes(0) // passes time
	return w.completedSnapshot(v)
}

// TestTryRestore: the shipped policy is enough to try, and nothing is left.
func TestTryRestore(t *testing.T) {
	inWorld(t, slow(), policies(t, restorerPolicy(t, keyOfVolumes)), func(t *testing.T, w *world) {
		s := w.encryptedSnapshot()
		for range 2 {
			v, err := w.location().TryRestore(t.Context(), "production", s.ID)
			if err != nil || v.KMSKeyID != keyOfVolumes || !v.Encrypted {
				t.Fatalf("%+v, %v", v, err)
			}
		}
		if n := w.restoredVolumes(); n != 0 {
			t.Errorf("%d volumes are left", n)
		}
		if n := w.denied(); n != 0 {
			t.Errorf("%d calls were denied", n)
		}
	})
}

func (w *world) restoredVolumes() int {
	found, err := w.admin.VolumesTagged(w.t.Context(), map[string]string{TagRestoreUID: ""})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(found)
}

// TestTryRestoreNeedsTheKey: without any one right to the key EC2 drops the volume, and the right is
// named.
func TestTryRestoreNeedsTheKey(t *testing.T) {
	whole := restorerPolicy(t, keyOfVolumes)
	for i, statement := range whole.Statement {
		for j, action := range statement.Action {
			if !strings.HasPrefix(action, "kms:") {
				continue
			}
			t.Run(action, func(t *testing.T) {
				less := whole
				less.Statement = slices.Clone(whole.Statement)
				if less.Statement[i].Action = slices.Delete(slices.Clone(statement.Action), j, j+1); len(statement.Action) == 1 {
					less.Statement = slices.Delete(less.Statement, i, i+1)
				}
				inWorld(t, slow(), policies(t, less), func(t *testing.T, w *world) {
					s := w.encryptedSnapshot()
					_, err := w.location().TryRestore(t.Context(), "production", s.ID)
					named := strings.TrimSuffix(strings.TrimSuffix(action, "From"), "To")
					if !errors.Is(err, ErrDropped) || !strings.Contains(err.Error(), "missing is "+named) || !strings.Contains(err.Error(), keyOfVolumes) || w.restoredVolumes() != 0 {
						t.Error(err)
					}
				})
			})
		}
	}
}

// TestTryRestoreOfAKeyThatIsAway: where KMS does not tell, all rights are named; a key that is not
// enabled is.
func TestTryRestoreOfAKeyThatIsAway(t *testing.T) {
	for answer, want := range map[string]string{
		`{"KeyMetadata":{"KeyId":"k","KeyState":"PendingDeletion"}}`: "the key " + keyOfVolumes + " is PendingDeletion",
		"": "missing may be kms:CreateGrant, kms:Decrypt,",
	} {
		inWorld(t, slow(), policies(t, restorerPolicy(t)), func(t *testing.T, w *world) {
			s := w.encryptedSnapshot()
			l := w.open("AKIALIFEBOAT", "lifeboat-secret", Options{HTTP: otherKMS{wire{w.Sim}, answer}})
			if _, err := l.TryRestore(t.Context(), "production", s.ID); !errors.Is(err, ErrDropped) || !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
		})
	}
}

// otherKMS answers for KMS; "" is an error.
type otherKMS struct {
	wire
	answer string
}

func (o otherKMS) Do(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "kms.test" {
		return o.wire.Do(r)
	}
	w := httptest.NewRecorder()
	if o.answer == "" {
		w.Header().Set("X-Amzn-Errortype", "NotFoundException")
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = w.WriteString(o.answer)
	return w.Result(), nil
}

// TestTryRestoreDenied: a role that may not make volumes makes none; one that may not delete them
// leaves one and no more.
func TestTryRestoreDenied(t *testing.T) {
	for action, left := range map[string]int{"ec2:CreateVolume": 0, "ec2:DeleteVolume": 1} {
		deny := json.RawMessage(`{"Statement": {"Effect": "Deny", "Action": "` + action + `", "Resource": "*"}}`)
		inWorld(t, slow(), append(policies(t, restorerPolicy(t, keyOfVolumes)), deny), func(t *testing.T, w *world) {
			s := w.encryptedSnapshot()
			for range 3 {
				if _, err := w.location().TryRestore(t.Context(), "production", s.ID); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), action) {
					t.Errorf("%s: %v", action, err)
				}
				time.Sleep(settles)
			}
			if n := w.restoredVolumes(); n != left {
				t.Errorf("%s: %d volumes are left", action, n)
			}
		})
	}
}

// TestTryRestoreTidies: what a try has left that was broken off goes with the next one, and what
// another cluster tries stays.
func TestTryRestoreTidies(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		s, l := w.encryptedSnapshot(), w.location()
		for _, cluster := range []string{"production", "staging"} {
			r, err := l.requestToTry(t.Context(), s.ID)
			if err != nil {
				t.Fatal(err)
			}
			r.Tags = map[string]string{TagCluster: cluster}
			if _, err := l.CreateVolume(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		w.volumes(0) // they are available
		if _, err := l.TryRestore(t.Context(), "production", s.ID); err != nil {
			t.Fatal(err)
		}
		if n := w.restoredVolumes(); n != 1 {
			t.Errorf("%d volumes are left", n)
		}
	})
}

// TestTryRestoreOfNothing: a snapshot that is gone is no missing right.
func TestTryRestoreOfNothing(t *testing.T) {
	inWorld(t, ebssim.Published(), nil, func(t *testing.T, w *world) {
		if _, err := w.location().TryRestore(t.Context(), "production", "snap-00000000000000000"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}
