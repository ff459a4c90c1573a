package store_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// request is what a client sent.
type request struct {
	op     string // such as PutObject
	path   string
	query  string
	host   string
	header http.Header
	body   string
}

// recorder answers every S3 request as a store would that has nothing to
// object, and keeps what it was sent.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
	// answer may take over a request; it returns false to leave it.
	answer func(w http.ResponseWriter, r request) bool
}

func newRecorder(t *testing.T) *recorder {
	rec := &recorder{}
	rec.Server = httptest.NewServer(rec)
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	req := request{op: operation(r), path: r.URL.Path, query: r.URL.RawQuery, host: r.Host, header: r.Header.Clone(), body: string(body)}
	rec.mu.Lock()
	rec.seen = append(rec.seen, req)
	rec.mu.Unlock()
	if rec.answer != nil && rec.answer(w, req) {
		return
	}
	w.Header().Set("ETag", `"0123456789abcdef"`)
	switch req.op {
	case "CreateMultipartUpload":
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>upload-1</UploadId></InitiateMultipartUploadResult>`)
	case "UploadPartCopy":
		fmt.Fprint(w, `<CopyPartResult><ETag>"copied"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyPartResult>`)
	case "CompleteMultipartUpload":
		fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"whole-1"</ETag></CompleteMultipartUploadResult>`)
	case "DeleteObjects":
		fmt.Fprint(w, `<DeleteResult></DeleteResult>`)
	case "ListParts":
		refuse(w, http.StatusNotFound, "NoSuchUpload")
	case "GetObject", "HeadObject":
		w.Header().Set("Last-Modified", "Wed, 01 Jul 2026 12:00:00 GMT")
		w.Header().Set("Content-Length", "5")
		fmt.Fprint(w, "hello")
	}
}

func operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost && q.Has("delete"):
		return "DeleteObjects"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return "AbortMultipartUpload"
	case r.Method == http.MethodGet && q.Has("uploadId"):
		return "ListParts"
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "UploadPartCopy"
	case r.Method == http.MethodPut && q.Has("uploadId"):
		return "UploadPart"
	case q.Has("list-type"):
		return "ListObjectsV2"
	}
	return map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[r.Method]
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<Error><Code>%s</Code><Message>refused by the test</Message><RequestId>req-7</RequestId></Error>`, code)
}

// only returns the requests of one operation and fails when there are none.
func (rec *recorder) only(t *testing.T, op string) []request {
	t.Helper()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(rec.seen), func(r request) bool { return r.op != op })
	if len(found) == 0 {
		t.Fatalf("no %s among %d requests", op, len(rec.seen))
	}
	return found
}

func (rec *recorder) count() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return len(rec.seen)
}

func (rec *recorder) open(t *testing.T, config map[string]string) *store.S3 {
	t.Helper()
	all := map[string]string{
		"region": "eu-central-1", "s3Url": rec.URL, "s3ForcePathStyle": "true", "credentialsFile": credentialsFile(t, "AKIDTEST", "secret"),
	}
	for k, v := range config {
		all[k] = v
	}
	return open(t, location(all))
}

// exercise makes one request of every kind that carries an object's settings.
func exercise(t *testing.T, s *store.S3) {
	t.Helper()
	ctx := t.Context()
	steps := map[string]error{}
	steps["put"] = s.Put(ctx, "k", []byte("hello"), store.PutOptions{})
	r, _, err := s.Get(ctx, "k")
	if steps["get"] = err; err == nil {
		steps["read"] = r.Close()
	}
	_, steps["head"] = s.Head(ctx, "k")
	steps["delete"] = s.Delete(ctx, "k", "l")
	steps["compose"] = s.Compose(ctx, "big", []store.Part{{Key: "k", Size: 6 << 20}, {Inline: []byte("tail")}}, store.PutOptions{})
	for name, err := range steps {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func has(r request, header, want string) bool {
	return strings.Contains(strings.Join(r.header.Values(header), ","), want)
}
