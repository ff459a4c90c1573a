package ebs

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const issuerURL = "https://oidc.test/id/EXAMPLE"

// issuer signs tokens of the worker's service account, as an API server does.
type issuer struct {
	key  *rsa.PrivateKey
	url  string // of its keys
	file string // where the kubelet puts the token
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, file: filepath.Join(t.TempDir(), "token")}
	encode := base64.RawURLEncoding.EncodeToString
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys": [{"kid": "r", "kty": "RSA", "alg": "RS256", "n": %q, "e": %q}]}`, encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes()))
	}))
	t.Cleanup(s.Close)
	i.url = s.URL
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/worker")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", i.file)
	return i
}

// issue puts a token that lives for a minute into the place of the one before, at once, as the kubelet
// does.
func (i *issuer) issue(t *testing.T) {
	t.Helper()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": issuerURL, "sub": "system:serviceaccount:lifeboat:lifeboat-worker", "aud": []string{"sts.amazonaws.com"},
		"nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg": "RS256", "kid": "r"}`)) + "." + encode(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err == nil {
		err = os.WriteFile(i.file+".new", []byte(signed+"."+encode(signature)), 0o600)
	}
	if err == nil {
		err = os.Rename(i.file+".new", i.file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// trust makes the issuer's service account take a role that may look at snapshots.
func (i *issuer) trust(t *testing.T, w *world) {
	t.Helper()
	host := strings.TrimPrefix(issuerURL, "https://")
	trust := fmt.Sprintf(`{"Statement": {"Effect": "Allow", "Principal": {"Federated": "x"}, "Action": "sts:AssumeRoleWithWebIdentity",
	  "Condition": {"StringEquals": {"%s:aud": "sts.amazonaws.com", "%s:sub": "system:serviceaccount:lifeboat:lifeboat-worker"}}}}`, host, host)
	look := `{"Statement": {"Effect": "Allow", "Action": "ec2:DescribeSnapshots", "Resource": "*"}}`
	err := errors.Join(
		w.AddRole(ebssim.Role{Name: "worker", Trust: []byte(trust), Policies: []json.RawMessage{[]byte(look)}}),
		w.AddIssuer(ebssim.Issuer{URL: issuerURL, JWKSURL: i.url}))
	if err != nil {
		t.Fatal(err)
	}
}

// Tokens live for a minute, as those of no cluster do, and a session for an hour: work that goes on
// for hours, and a worker that was idle for longer than a session, never see an end of either. Where
// no new token comes, requests say so, and go on once there is one.
func TestTokensOfAMinute(t *testing.T) {
	i := newIssuer(t)
	inWorld(t, ebssim.Published(), nil, func(t *testing.T, w *world) {
		i.trust(t, w)
		kubelet, stopped := context.WithCancel(t.Context())
		renew := func(ctx context.Context) {
			for ctx.Err() == nil {
				i.issue(t)
				select {
				case <-ctx.Done():
				case <-time.After(45 * time.Second):
				}
			}
		}
		i.issue(t)
		go renew(kubelet)
		l, err := Open(t.Context(), document(), Options{HTTP: wire{w.Sim}})
		if err != nil {
			t.Fatal(err)
		}
		look := func() error { _, err := l.countSnapshots(t.Context(), nil); return err }
		for range 3 { // idle
			time.Sleep(70 * time.Minute)
			if err := look(); err != nil {
				t.Fatalf("after 70 minutes of idleness: %v", err)
			}
		}
		for begin := time.Now(); time.Since(begin) < 150*time.Minute; time.Sleep(30 * time.Second) { // at work
			if err := look(); err != nil {
				t.Fatalf("after %s of work: %v", time.Since(begin), err)
			}
		}
		stopped()
		time.Sleep(70 * time.Minute)
		if err := look(); !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "ExpiredToken") {
			t.Errorf("with an old token: %v", err)
		}
		i.issue(t)
		if err := look(); err != nil {
			t.Errorf("with a new token: %v", err)
		}
	})
}

// Keys that were rotated in the Secret are used without a restart, from the first refusal of the old
// ones on, by every client of the location: also by requests that are never repeated for another reason.
func TestRotatedSecret(t *testing.T) {
	inWorld(t, ebssim.Published(), nil, func(t *testing.T, w *world) {
		v := w.volumes(1)[0]
		key, secret := "AKIALIFEBOAT", "lifeboat-secret"
		read := func(context.Context, string, string) ([]byte, error) { return credentials(key, secret), nil }
		l, err := Open(t.Context(), withSecret(document()), Options{HTTP: wire{w.Sim}, Secret: read})
		if err != nil {
			t.Fatal(err)
		}
		take := func() (string, error) {
			out, err := l.ec2.CreateSnapshot(t.Context(), &ec2.CreateSnapshotInput{VolumeId: aws.String(v.ID)}, withoutRetries)
			if err != nil {
				return "", err
			}
			return aws.ToString(out.SnapshotId), nil
		}
		made, err := take()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // completed
		for n, use := range []func() error{
			func() error { _, err := l.countSnapshots(t.Context(), nil); return err },
			func() error { _, _, err := l.Identity(t.Context()); return err },
			func() error { _, err := l.BlockBytes(t.Context(), made); return err },
			func() error { _, err := take(); return err },
		} {
			if _, _, err := l.Identity(t.Context()); err != nil { // the old keys are those in use
				t.Fatal(err)
			}
			old := ebssim.User{Name: "lifeboat", AccessKeyID: key, SecretAccessKey: "revoked"}
			key, secret = fmt.Sprint("AKIAROTATED", n), fmt.Sprint("secret-", n)
			if err := errors.Join(w.AddUser(old), w.AddUser(ebssim.User{Name: "lifeboat", AccessKeyID: key, SecretAccessKey: secret})); err != nil {
				t.Fatal(err)
			}
			if err := use(); err != nil {
				t.Errorf("after rotation %d: %v", n, err)
			}
			time.Sleep(10 * time.Minute)
		}
	})
}
