package ebs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// credentials is what a Secret of Velero's holds.
func credentials(key, secret string) []byte {
	return fmt.Appendf(nil, "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n[other]\naws_access_key_id=AKIAADMIN\naws_secret_access_key=admin-secret\n", key, secret)
}

func withSecret(doc *velerov1.VolumeSnapshotLocation) *velerov1.VolumeSnapshotLocation {
	doc.Spec.Credential = &corev1.SecretKeySelector{Key: "cloud", LocalObjectReference: corev1.LocalObjectReference{Name: "creds"}}
	return doc
}

func TestOpenWithASecret(t *testing.T) {
	inWorld(t, ebssim.Published(), nil, func(t *testing.T, w *world) {
		read := func(_ context.Context, name, key string) ([]byte, error) {
			if name != "creds" || key != "cloud" {
				return nil, fmt.Errorf("asked for %s/%s", name, key)
			}
			return credentials("AKIALIFEBOAT", "lifeboat-secret"), nil
		}
		for profile, user := range map[string]string{"": "user/lifeboat", "other": "user/admin"} {
			doc := withSecret(document())
			if profile != "" {
				doc.Spec.Config["profile"] = profile
			}
			l, err := Open(t.Context(), doc, Options{HTTP: wire{w.Sim}, Secret: read})
			if err != nil {
				t.Fatal(err)
			}
			account, arn, err := l.Identity(t.Context())
			if err != nil || account != "111122223333" || l.Account() != account || !strings.HasSuffix(arn, user) || l.Region() != region || l.Name() != "default" {
				t.Errorf("profile %q: %s, %s, %v", profile, account, arn, err)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	inWorld(t, ebssim.Published(), nil, func(t *testing.T, w *world) {
		secret := func(text []byte, err error) Options {
			return Options{HTTP: wire{w.Sim}, Secret: func(context.Context, string, string) ([]byte, error) { return text, err }}
		}
		gone := errors.New("secret velero/creds not found")
		provider, both := document(), withSecret(document("credentialsFile", "/c"))
		provider.Spec.Provider = "azure"
		for name, tt := range map[string]struct {
			doc  *velerov1.VolumeSnapshotLocation
			o    Options
			want error
			text string
		}{
			"provider":         {provider, Options{}, ErrInvalid, `spec.provider: "azure" is not supported`},
			"no region":        {document("region", ""), Options{}, ErrInvalid, "spec.config.region: required"},
			"two credentials":  {both, Options{}, ErrInvalid, "spec.credential: excludes"},
			"no cluster":       {withSecret(document()), Options{}, nil, `spec.credential: reading Secret "creds" needs a connection`},
			"no such secret":   {withSecret(document()), secret(nil, gone), gone, `read key "cloud" of Secret "creds"`},
			"wrong secret":     {withSecret(document()), secret(credentials("AKIALIFEBOAT", "topsecret"), nil), ErrCredentials, "GetCallerIdentity"},
			"unknown key":      {withSecret(document()), secret(credentials("AKIANOBODY", "topsecret"), nil), ErrCredentials, "InvalidClientTokenId"},
			"unknown profile":  {withSecret(document("profile", "third")), secret(credentials("a", "topsecret"), nil), ErrCredentials, "third"},
			"not a credential": {withSecret(document()), secret([]byte("topsecret"), nil), ErrCredentials, ""},
		} {
			_, err := Open(t.Context(), tt.doc, tt.o)
			switch {
			case err == nil:
				t.Errorf("%s: opened", name)
			case !strings.HasPrefix(err.Error(), `open snapshot location "default": `), tt.want != nil && !errors.Is(err, tt.want), !strings.Contains(err.Error(), tt.text):
				t.Errorf("%s: %v", name, err)
			case strings.Contains(err.Error(), "topsecret"):
				t.Errorf("%s: the error tells the secret", name)
			}
		}
	})
}

func TestLocationsOfAnAccountShareAQuota(t *testing.T) {
	inWorld(t, ebssim.Published(), nil, func(t *testing.T, w *world) {
		pool := quota.NewPool(quota.DefaultLimits())
		a := w.open("AKIALIFEBOAT", "lifeboat-secret", Options{Limits: pool})
		b := w.open("AKIAADMIN", "admin-secret", Options{Limits: pool})
		shared := func(l *Location) bool { // whether l waits for what a holds
			held, err := a.Reserve(t.Context(), []Volume{{ID: "vol-1"}})
			if err != nil {
				t.Fatal(err)
			}
			defer held.Release()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			mine, err := l.Reserve(ctx, []Volume{{ID: "vol-1"}})
			if err == nil {
				mine.Release()
			}
			return err != nil
		}
		if !shared(b) {
			t.Error("a quota is the account's, whatever the credentials")
		}
		if alone := w.location(); shared(alone) {
			t.Error("another pool's account is the same one")
		}
	})
}
