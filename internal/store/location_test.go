package store_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func TestValidateLocation(t *testing.T) {
	config := func(kv ...string) func(*velerov1.BackupStorageLocation) {
		return func(l *velerov1.BackupStorageLocation) {
			l.Spec.Config = map[string]string{}
			for i := 0; i < len(kv); i += 2 {
				l.Spec.Config[kv[i]] = kv[i+1]
			}
		}
	}
	bucket := func(name string) func(*velerov1.BackupStorageLocation) {
		return func(l *velerov1.BackupStorageLocation) { l.Spec.ObjectStorage.Bucket = name }
	}
	for _, tt := range []struct {
		name   string
		change func(*velerov1.BackupStorageLocation)
		want   []string // one fragment for each error; none means valid
	}{
		{"minimal", config(), nil},
		{"all keys", config("region", "eu-west-1", "s3Url", "https://s3.example.com", "publicUrl", "http://files:9000", "s3ForcePathStyle", "true",
			"serverSideEncryption", "aws:kms", "kmsKeyId", "alias/x", "customerKeyEncryptionFile", "", "customerKeyEncryptionSecret", "", "signatureVersion", "4",
			"profile", "p", "credentialsFile", "/c", "enableSharedConfig", "true", "insecureSkipTLSVerify", "false", "tagging", "a=b&c=d", "checksumAlgorithm", ""), nil},
		{"one tag", config("tagging", "a=b"), nil},
		{"access point", bucket("arn:aws:s3:eu-west-1:123456789012:accesspoint/name"), nil},
		{"unknown keys", config("Region", "x", "s3url", "y"), []string{
			"at.spec.config.Region: unknown key; known keys: assumeRoleArn, assumeRoleExternalId", "at.spec.config.s3url: unknown key",
		}},
		{"provider", func(l *velerov1.BackupStorageLocation) { l.Spec.Provider = "azure" }, []string{`at.spec.provider: "azure" is not supported`}},
		{"long provider", func(l *velerov1.BackupStorageLocation) { l.Spec.Provider = "velero.io/aws" }, nil},
		{"no storage", func(l *velerov1.BackupStorageLocation) { l.Spec.ObjectStorage = nil }, []string{"at.spec.objectStorage: required"}},
		{"no bucket", bucket(""), []string{"at.spec.objectStorage.bucket: required"}},
		{"bucket with slash", bucket("b/p"), []string{"at.spec.objectStorage.bucket: \"b/p\" must not contain a slash"}},
		{"prefix", func(l *velerov1.BackupStorageLocation) { l.Spec.ObjectStorage.Prefix = "a/../b" }, []string{"at.spec.objectStorage.prefix:"}},
		{"access mode", func(l *velerov1.BackupStorageLocation) { l.Spec.AccessMode = "Readonly" }, []string{`at.spec.accessMode: "Readonly" is unknown`}},
		{"name", func(l *velerov1.BackupStorageLocation) { l.Name = "A_b" }, []string{`at.metadata.name: "A_b"`}},
		{"no name", func(l *velerov1.BackupStorageLocation) { l.Name = "" }, []string{"at.metadata.name: required"}},
		{"kind", func(l *velerov1.BackupStorageLocation) { l.Kind, l.APIVersion = "Backup", "v1" }, []string{"at.apiVersion:", "at.kind:"}},
		{"endpoint", config("s3Url", "s3.example.com", "publicUrl", "ftp://x"), []string{"at.spec.config.s3Url: must be a URL", "at.spec.config.publicUrl:"}},
		{"endpoint with password", config("s3Url", "https://me:hunter2@s3"), []string{"at.spec.config.s3Url: must not carry credentials"}},
		{"booleans", config("s3ForcePathStyle", "yes", "insecureSkipTLSVerify", "1", "enableSharedConfig", "x"), []string{"s3ForcePathStyle", "enableSharedConfig"}},
		{"two keys", config("kmsKeyId", "a", "customerKeyEncryptionFile", "/k"), []string{"at.spec.config.kmsKeyId: excludes customerKeyEncryptionFile"}},
		{"secret reference", config("customerKeyEncryptionSecret", "name"), []string{"must be <secret name>/<key>"}},
		{"encryption", config("serverSideEncryption", "aes"), []string{`at.spec.config.serverSideEncryption: "aes" is unknown`}},
		{"checksum", config("checksumAlgorithm", "CRC16"), []string{`at.spec.config.checksumAlgorithm: "CRC16" is unknown`}},
		{"checksum the SDK cannot compute", config("checksumAlgorithm", "XXHASH3"), []string{"checksumAlgorithm"}},
		{"tags", config("tagging", "a=1&a=2&aws:x=y&"+strings.Repeat("k", 129)+"=v&v="+strings.Repeat("v", 257)), []string{
			`tag "a" is given 2 times`, "prefix aws: is reserved", "key is longer", "value is longer",
		}},
		{"eleven tags", config("tagging", "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k="), []string{"11 tags; S3 allows 10"}},
		{"bad tags", config("tagging", "a=%zz"), []string{"not of the form"}},
		{"certificate", func(l *velerov1.BackupStorageLocation) { l.Spec.ObjectStorage.CACert = []byte("nonsense") }, []string{"at.spec.objectStorage.caCert:"}},
		{"two certificates", func(l *velerov1.BackupStorageLocation) {
			l.Spec.ObjectStorage.CACert, l.Spec.ObjectStorage.CACertRef = []byte("x"), &corev1.SecretKeySelector{}
		}, []string{"caCert:", "caCertRef: excludes caCert", "caCertRef: needs both"}},
		{"credential", func(l *velerov1.BackupStorageLocation) { l.Spec.Credential = &corev1.SecretKeySelector{Key: "k"} }, []string{"at.spec.credential: needs both"}},
		{"two credentials", func(l *velerov1.BackupStorageLocation) {
			l.Spec.Config = map[string]string{"credentialsFile": "/c"}
			l.Spec.Credential = &corev1.SecretKeySelector{Key: "k", LocalObjectReference: corev1.LocalObjectReference{Name: "n"}}
		}, []string{"at.spec.credential: excludes"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bsl := location(nil)
			tt.change(&bsl)
			errs := store.ValidateLocation(&bsl, "at")
			if len(errs) != len(tt.want) {
				t.Fatalf("got %d errors %q, want %d", len(errs), errs, len(tt.want))
			}
			for i, want := range tt.want {
				if text := errs[i].Error(); !strings.Contains(text, want) || !strings.HasPrefix(text, "at.") {
					t.Errorf("error %d is %q, want %q in it", i, text, want)
				}
				if strings.Contains(errs[i].Error(), "hunter2") {
					t.Error("the error shows a password")
				}
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	short, newline := write("short", "0123"), write("newline", strings.Repeat("k", 32)+"\n")
	for name, tt := range map[string]struct {
		config map[string]string
		want   string
	}{
		"document":          {map[string]string{"bogus": "1", "checksumAlgorithm": "x"}, "spec.config.bogus"},
		"short key":         {map[string]string{"customerKeyEncryptionFile": short}, "the key has 4 bytes, exactly 32 are needed"},
		"newline":           {map[string]string{"customerKeyEncryptionFile": newline}, "last byte is a newline"},
		"no key file":       {map[string]string{"customerKeyEncryptionFile": "/nonexistent/key"}, "spec.config.customerKeyEncryptionFile: open"},
		"secret":            {map[string]string{"customerKeyEncryptionSecret": "a/b"}, `reading Secret "a" needs a connection to its cluster`},
		"profile not there": {map[string]string{"credentialsFile": credentialsFile(t, "a", "b"), "profile": "absent"}, "absent"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.config["s3Url"] = "http://127.0.0.1:1"
			_, err := store.Open(t.Context(), location(tt.config), store.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `open location "default"`) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSecretsOfTheCluster(t *testing.T) {
	rec := newRecorder(t)
	values := map[string]string{
		"cloud/creds": "[default]\naws_access_key_id=FROMSECRET\naws_secret_access_key=s\n", "key/raw": strings.Repeat("k", 32),
	}
	read := func(_ context.Context, name, key string) ([]byte, error) {
		if v, ok := values[name+"/"+key]; ok {
			return []byte(v), nil
		}
		return nil, errors.New("no such secret")
	}
	bsl := location(map[string]string{"s3Url": rec.URL, "s3ForcePathStyle": "true", "customerKeyEncryptionSecret": "key/raw"})
	bsl.Spec.Credential = &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "cloud"}, Key: "creds"}
	t.Setenv("TMPDIR", t.TempDir())
	s, err := store.Open(t.Context(), bsl, store.Options{Secret: read})
	if err != nil {
		t.Fatal(err)
	}
	exercise(t, s)
	if auth := rec.only(t, "PutObject")[0].header.Get("Authorization"); !strings.Contains(auth, "FROMSECRET") {
		t.Errorf("signed as %q", auth)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) != 0 {
		t.Errorf("credentials left on disk: %v", left)
	}
	bsl.Spec.Credential.Name = "absent"
	if _, err := store.Open(t.Context(), bsl, store.Options{Secret: read}); err == nil || !strings.Contains(err.Error(), `Secret "absent": no such secret`) {
		t.Errorf("got %v", err)
	}
}

// The location's own credentials win over the environment's.
func TestCredentialsFileWins(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "FROMENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	rec := newRecorder(t)
	exercise(t, rec.open(t, nil))
	if auth := rec.only(t, "PutObject")[0].header.Get("Authorization"); !strings.Contains(auth, "AKIDTEST") {
		t.Errorf("signed as %q", auth)
	}
}

func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	rec := newRecorder(t)
	s := open(t, location(map[string]string{"s3Url": rec.URL, "s3ForcePathStyle": "true"}))
	_, err := s.Head(t.Context(), "k")
	wantIs(t, err, store.ErrCredentials)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	rec.Server = httptest.NewTLSServer(rec)
	t.Cleanup(rec.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rec.Certificate().Raw})
	config := map[string]string{"s3Url": rec.URL, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, "a", "b")}
	head := func(bsl velerov1.BackupStorageLocation) error {
		_, err := open(t, bsl).Head(t.Context(), "k")
		return err
	}
	wantIs(t, head(location(config)), store.ErrUnavailable)
	known := location(config)
	known.Spec.ObjectStorage.CACert = authority
	if err := head(known); err != nil {
		t.Errorf("with caCert: %v", err)
	}
	config["insecureSkipTLSVerify"] = "true"
	if err := head(location(config)); err != nil {
		t.Errorf("without verification: %v", err)
	}
}

// TestOldTLS: a server that knows no newer version than TLS 1.1 is not spoken to, whatever the
// location trusts.
func TestOldTLS(t *testing.T) {
	t.Parallel()
	for newest, want := range map[uint16]error{tls.VersionTLS11: store.ErrUnavailable, tls.VersionTLS12: nil} {
		rec := &recorder{}
		rec.Server = httptest.NewUnstartedServer(rec)
		rec.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: newest}
		rec.StartTLS()
		t.Cleanup(rec.Close)
		s := open(t, location(map[string]string{"s3Url": rec.URL, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, "a", "b"), "insecureSkipTLSVerify": "true"}))
		if _, err := s.Head(t.Context(), "k"); !errors.Is(err, want) || (err == nil) != (rec.count() > 0) {
			t.Errorf("%s at most: %v after %d requests", tls.VersionName(newest), err, rec.count())
		}
	}
}

// The ARN of an access point is a bucket in every partition of AWS; a path is none.
func TestAccessPoints(t *testing.T) {
	for bucket, valid := range map[string]bool{
		"arn:aws:s3:eu-central-1:123456789012:accesspoint/velero":    true,
		"arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/a": true,
		"arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/a":        true,
		"arn:aws:s3-outposts:eu-west-1:1:outpost/op-1/accesspoint/a": true,
		"bucket/prefix": false, "arn:azure:s3:x/y": false, "arn:aws:ec2:x/y": false,
	} {
		bsl := location(nil)
		bsl.Spec.ObjectStorage.Bucket = bucket
		if errs := store.ValidateLocation(&bsl, "l"); (len(errs) == 0) != valid {
			t.Errorf("%s: %v", bucket, errs)
		}
	}
}
