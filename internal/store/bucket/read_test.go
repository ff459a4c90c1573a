package bucket

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// TestReadLifecycle: S3 is asked for the rules of the location's bucket, and its answer is held against
// the location's prefix, which ends with a slash.
func TestReadLifecycle(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	rule := func(prefix string) string {
		return "<LifecycleConfiguration><Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>" + prefix + "</Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>"
	}
	fails := func(code string) string { return "<Error><Code>" + code + "</Code></Error>" }
	for name, tc := range map[string]struct {
		status     int
		answer     string
		known, yes bool
		found      string
	}{
		"of our prefix":                 {http.StatusOK, rule("prod/"), true, false, `rule "old" expires objects`},
		"of one that begins like ours":  {http.StatusOK, rule("prod-logs/"), true, true, "1 rules, none for current objects here"},
		"of a part of ours":             {http.StatusOK, rule("prod/backups/"), true, false, `rule "old" expires objects`},
		"none":                          {http.StatusNotFound, fails("NoSuchLifecycleConfiguration"), true, true, "no rules"},
		"not allowed":                   {http.StatusForbidden, fails("AccessDenied"), false, false, "s3:GetLifecycleConfiguration: AccessDenied"},
		"not known to the store at all": {http.StatusNotImplemented, fails("NotImplemented"), false, false, "s3:GetLifecycleConfiguration: NotImplemented"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || strings.Trim(r.URL.Path, "/") != "backups" || !r.URL.Query().Has("lifecycle") {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, fails("AccessDenied"))
				return
			}
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.answer)
		}))
		t.Cleanup(srv.Close)
		got := Read(t.Context(), openBucket(t, srv.URL)).Lifecycle
		if want := (Answer{tc.known, tc.yes, tc.found}); got != want {
			t.Errorf("a rule %s: %+v, want %+v", name, got, want)
		}
	}
}

// TestReadCopies: a rule for the location's prefix, slash included, is one for all of it.
func TestReadCopies(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for prefix, yes := range map[string]bool{"": true, "prod": true, "prod/": true, "prod/backups/": false, "prod-logs/": false} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch name := strings.Trim(r.URL.Path, "/"); {
			case r.Method == http.MethodHead:
				w.Header().Set("X-Amz-Bucket-Region", map[string]string{"backups": "us-east-1", "replica": "eu-west-1"}[name])
			case name == "backups" && r.URL.Query().Has("replication"):
				_, _ = io.WriteString(w, "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Filter><Prefix>"+prefix+"</Prefix></Filter>"+
					"<Destination><Bucket>arn:aws:s3:::replica</Bucket></Destination></Rule></ReplicationConfiguration>")
			default:
				w.WriteHeader(http.StatusForbidden)
			}
		}))
		t.Cleanup(srv.Close)
		if got := Read(t.Context(), openBucket(t, srv.URL)).Copies; !got.Known || got.Yes != yes {
			t.Errorf("a rule for %q: %+v", prefix, got)
		}
	}
}

// openBucket is the store of a location whose S3 is elsewhere.
func openBucket(t *testing.T, address string) store.Store {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(keys, []byte("[default]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var bsl velerov1.BackupStorageLocation
	bsl.Name = "default"
	bsl.Spec.Provider = "aws"
	bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "backups", Prefix: "prod"}
	bsl.Spec.Config = map[string]string{"region": "us-east-1", "s3Url": address, "s3ForcePathStyle": "true", "credentialsFile": keys}
	st, err := store.Open(t.Context(), bsl, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}
