//go:build stack

package stack

import (
	"net/http"
	"strings"
	"testing"
)

// TestDeniedRequests: what the shipped policy denies to a worker of the object store fails a suite,
// whoever else asks for the same.
func TestDeniedRequests(t *testing.T) {
	s := shared(t)
	ask := func(who, method, path, query string, more ...string) {
		t.Helper()
		headers := map[string]string{"User-Agent": "aws-sdk-go-v2/1 " + who}
		for _, source := range more {
			headers["X-Amz-Copy-Source"] = source
		}
		status, answer, err := s.S3.do(t.Context(), method, path, query, "", headers)
		if err != nil || status >= 500 {
			t.Fatalf("%d %s %v", status, answer, err)
		}
	}
	const bucket = "judged-requests" // of its own: what is written here is no location's
	const here, file = "/" + bucket + "/", "/" + bucket + "/judged/backups/b/a file"
	if err := s.NewBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	asWorker := func(method, path, query string, source ...string) func() {
		return func() { ask(workerMark, method, path, query, source...) }
	}
	for name, tc := range map[string]struct {
		do     func()
		denied string
	}{
		"writes a backup":              {asWorker(http.MethodPut, file, ""), ""},
		"copies a part":                {asWorker(http.MethodPut, file, "partNumber=1&uploadId=none", bucket+"/judged/staging/x"), ""},
		"copies a part elsewhere":      {asWorker(http.MethodPut, here+"elsewhere/x", "partNumber=1&uploadId=none", bucket+"/judged/staging/x"), "s3:PutObject on"},
		"reads an odd name":            {asWorker(http.MethodGet, "/"+bucket+"/judged/backups/b%20/a", ""), ""},
		"reads it":                     {asWorker(http.MethodGet, file, ""), ""},
		"lists backups":                {asWorker(http.MethodGet, here, "list-type=2&prefix=judged%2Fbackups%2F"), ""},
		"looks for the Region":         {asWorker(http.MethodHead, here, ""), ""},
		"somebody else writes":         {func() { ask("app/other", http.MethodPut, here+"elsewhere/x", "") }, ""},
		"writes beside":                {asWorker(http.MethodPut, here+"elsewhere/x", ""), "s3:PutObject on arn:aws:s3:::" + bucket + "/elsewhere/x"},
		"lists the bucket":             {asWorker(http.MethodGet, here, "list-type=2"), "s3:ListBucket on"},
		"begins an upload beside":      {asWorker(http.MethodPost, here+"elsewhere/y", "uploads="), "s3:PutObject on"},
		"deletes an older version":     {asWorker(http.MethodDelete, file, "versionId=01J"), "s3:DeleteObjectVersion on"},
		"shortens a retention":         {asWorker(http.MethodPut, file, "retention="), "s3:PutObjectRetention on"},
		"lists all buckets":            {asWorker(http.MethodGet, "/", ""), "s3:ListAllMyBuckets on"},
		"stops versioning":             {asWorker(http.MethodPut, here, "versioning="), "s3:PutBucketVersioning on"},
		"looks whether it may restore": {asWorker(http.MethodGet, here, "versioning="), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s = shared(t)
			began, err := s.requestsLogged()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.AllowLocation(bucket, "judged"); err != nil {
				t.Fatal(err)
			}
			tc.do()
			denied, err := s.deniedRequests(began)
			if err != nil || !strings.HasPrefix(strings.Join(denied, "\n"), tc.denied) || len(denied) > 0 != (tc.denied != "") {
				t.Errorf("%q, %v; want %q", denied, err, tc.denied)
			}
		})
	}
}
