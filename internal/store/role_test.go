package store_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// A location that names a role signs as that role, which its credentials assume with its external id
// and tags; a role that is not given is final.
func TestRoleOfALocation(t *testing.T) {
	const arn = "arn:aws:iam::444455556666:role/backups"
	for _, allowed := range []bool{true, false} {
		var mu sync.Mutex
		var asked []url.Values
		var signed string
		sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			mu.Lock()
			defer mu.Unlock()
			asked, signed = append(asked, r.Form), r.Header.Get("Authorization")
			if !allowed {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)
				return
			}
			fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}))
		t.Cleanup(sts.Close)
		t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
		file := filepath.Join(t.TempDir(), "credentials")
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		s, err := store.Open(t.Context(), location(map[string]string{
			"region": "eu-central-1", "s3Url": rec.URL, "s3ForcePathStyle": "true", "credentialsFile": file,
			"assumeRoleArn": arn, "assumeRoleExternalId": "backups-of-east", "assumeRoleSessionTags": "cluster=east",
		}), store.Options{Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Put(t.Context(), "k", nil, store.PutOptions{})
		if !allowed {
			if failure.TypeOf(err) == "" || !strings.Contains(err.Error(), "sts:AssumeRole") {
				t.Errorf("it is tried again, or does not say why: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		in := asked[0]
		if len(asked) != 1 || in.Get("RoleArn") != arn || in.Get("ExternalId") != "backups-of-east" || in.Get("Tags.member.1.Key") != "cluster" || in.Get("Tags.member.1.Value") != "east" || in.Get("RoleSessionName") != "lifeboat" {
			t.Errorf("asked %d times for %v", len(asked), in)
		}
		if by := rec.seen[0].header.Get("Authorization"); !strings.Contains(by, "ASIAROLE/") || !strings.Contains(signed, "AKIABASE/") {
			t.Errorf("signed by %q, STS was asked by %q", by, signed)
		}
	}
}
