package catalog

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// refusal is an answer of S3.
func refusal(status int, header, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		name, value, _ := strings.Cut(header, ": ")
		w.Header().Set(name, value)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	}
}

// TestLocationPhasesOfServers: what a server answers becomes the phase, the reason and the remedy.
func TestLocationPhasesOfServers(t *testing.T) {
	late := "Date: " + time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	for reason, c := range map[string]struct {
		answer http.HandlerFunc
		tls    bool
		text   string
	}{
		store.ReasonRegion:       {refusal(301, "X-Amz-Bucket-Region: eu-west-1", "PermanentRedirect", "use another endpoint"), false, "in Region eu-west-1; set config.region"},
		store.ReasonClock:        {refusal(403, late, "RequestTimeTooSkewed", "The difference is too large."), false, "the clock of the worker is 1h0m"},
		store.ReasonTLS:          {refusal(403, "X-A: b", "AccessDenied", "never read"), true, "caCert"},
		store.ReasonUnsupported:  {refusal(501, "X-A: b", "NotImplemented", "not implemented"), false, "location check"},
		store.ReasonAccessDenied: {refusal(403, "X-A: b", "AccessDenied", "Access Denied"), false, "may not s3:ListBucket"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(c.answer)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if c.tls {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			res, err := readerOfServer(t, server.URL).Read(t.Context(), contract.ReadInput{Verb: contract.ReadLocations})
			if err != nil || len(res.Locations) != 1 {
				t.Fatalf("%+v, %v", res, err)
			}
			if l := res.Locations[0]; l.Phase != "Unavailable" || l.Reason != reason || !strings.Contains(l.Message, c.text) || l.LastValidated == nil {
				t.Errorf("%+v", l)
			}
		})
	}
}

// readerOfServer has one location, at an endpoint.
func readerOfServer(t *testing.T, endpoint string) *Reader {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = a\naws_secret_access_key = b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bsl := velerov1.BackupStorageLocation{}
	bsl.Name, bsl.Spec.Provider = "default", "aws"
	bsl.Spec.Config = map[string]string{"s3Url": endpoint, "s3ForcePathStyle": "true", "region": "us-east-1", "credentialsFile": file}
	bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "b"}
	l := repository.NewLocations(&config.Config{BackupStorageLocations: []velerov1.BackupStorageLocation{bsl}}, func(ctx context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
		return store.Open(ctx, bsl, store.Options{Attempts: 1})
	})
	return &Reader{Config: l.Config(), Locations: l}
}
