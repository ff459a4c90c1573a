package store_test

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func TestPathAndPrefix(t *testing.T) {
	rec := newRecorder(t)
	exercise(t, rec.open(t, nil))
	if p := rec.only(t, "PutObject")[0].path; p != "/bucket/clusters/one/k" {
		t.Errorf("path %q", p)
	}
	if src := rec.only(t, "UploadPartCopy")[0].header.Get("X-Amz-Copy-Source"); src != "bucket/clusters/one/k" {
		t.Errorf("copy source %q", src)
	}
	if auth := rec.only(t, "PutObject")[0].header.Get("Authorization"); !strings.Contains(auth, "AKIDTEST") || !strings.Contains(auth, "/eu-central-1/s3/") {
		t.Errorf("signed as %q", auth)
	}
}

func TestServerSideEncryption(t *testing.T) {
	for name, tt := range map[string]struct {
		config    map[string]string
		algorithm string
		key       string
	}{
		"none":     {nil, "", ""},
		"AES256":   {map[string]string{"serverSideEncryption": "AES256"}, "AES256", ""},
		"kms":      {map[string]string{"serverSideEncryption": "aws:kms"}, "aws:kms", ""},
		"key":      {map[string]string{"kmsKeyId": "alias/backups"}, "aws:kms", "alias/backups"},
		"key wins": {map[string]string{"kmsKeyId": "k-1", "serverSideEncryption": "AES256"}, "aws:kms", "k-1"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			exercise(t, rec.open(t, tt.config))
			for _, op := range []string{"PutObject", "CreateMultipartUpload"} {
				r := rec.only(t, op)[0]
				if got := r.header.Get("X-Amz-Server-Side-Encryption"); got != tt.algorithm {
					t.Errorf("%s: encryption %q, want %q", op, got, tt.algorithm)
				}
				if got := r.header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != tt.key {
					t.Errorf("%s: key %q, want %q", op, got, tt.key)
				}
			}
		})
	}
}

func TestCustomerKey(t *testing.T) {
	raw := []byte("0123456789abcdef0123456789abcdef")
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(t)
	s := rec.open(t, map[string]string{"customerKeyEncryptionFile": path, "serverSideEncryption": "AES256"})
	exercise(t, s)
	sum := md5.Sum(raw)
	wantKey, wantMD5 := base64.StdEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(sum[:])
	check := func(op, prefix string) {
		for _, r := range rec.only(t, op) {
			if r.header.Get(prefix+"-Algorithm") != "AES256" || r.header.Get(prefix+"-Key") != wantKey || r.header.Get(prefix+"-Key-Md5") != wantMD5 {
				t.Errorf("%s: customer key headers are wrong: %v", op, r.header)
			}
			if r.header.Get("X-Amz-Server-Side-Encryption") != "" {
				t.Errorf("%s: asks for the store's encryption too", op)
			}
		}
	}
	for _, op := range []string{"PutObject", "GetObject", "HeadObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"} {
		check(op, "X-Amz-Server-Side-Encryption-Customer")
	}
	check("UploadPartCopy", "X-Amz-Copy-Source-Server-Side-Encryption-Customer")
	_, err := s.Presign(t.Context(), "k", time.Minute)
	wantIs(t, err, store.ErrUnsupported)
	if s.Encryption() != "SSE-C" {
		t.Errorf("encryption %q", s.Encryption())
	}
}

func TestTagging(t *testing.T) {
	rec := newRecorder(t)
	exercise(t, rec.open(t, map[string]string{"tagging": "team=blue sky"}))
	for _, op := range []string{"PutObject", "CreateMultipartUpload"} {
		if got := rec.only(t, op)[0].header.Get("X-Amz-Tagging"); got != "team=blue+sky" {
			t.Errorf("%s: tags %q", op, got)
		}
	}
}

func TestChecksums(t *testing.T) {
	for _, alg := range []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "sha512"} {
		t.Run(alg, func(t *testing.T) {
			rec := newRecorder(t)
			exercise(t, rec.open(t, map[string]string{"checksumAlgorithm": alg}))
			header := "X-Amz-Checksum-" + alg
			for _, op := range []string{"PutObject", "UploadPart", "DeleteObjects"} {
				r := rec.only(t, op)[0]
				if r.header.Get(header) == "" && !strings.EqualFold(r.header.Get("X-Amz-Trailer"), header) {
					t.Errorf("%s carries no %s: %v", op, header, r.header)
				}
			}
			if got := rec.only(t, "CreateMultipartUpload")[0].header.Get("X-Amz-Checksum-Algorithm"); !strings.EqualFold(got, alg) {
				t.Errorf("upload announces %q", got)
			}
		})
	}
}

// Copied parts must be completed with the checksum the store answered.
func TestChecksumOfCopiedPart(t *testing.T) {
	rec := newRecorder(t)
	exercise(t, rec.open(t, nil))
	if body := rec.only(t, "CompleteMultipartUpload")[0].body; !strings.Contains(body, "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>") {
		t.Errorf("completed with %s", body)
	}
}

func TestNoChecksums(t *testing.T) {
	rec := newRecorder(t)
	exercise(t, rec.open(t, map[string]string{"checksumAlgorithm": ""}))
	for _, r := range rec.seen {
		for name := range r.header {
			if strings.HasPrefix(name, "X-Amz-Checksum") || strings.HasPrefix(name, "X-Amz-Sdk-Checksum") || name == "X-Amz-Trailer" || has(r, "Content-Encoding", "aws-chunked") {
				t.Errorf("%s carries %s: %v", r.op, name, r.header.Values(name))
			}
		}
	}
	del := rec.only(t, "DeleteObjects")[0]
	sum := md5.Sum([]byte(del.body))
	if got := del.header.Get("Content-Md5"); got != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("deletion of many carries Content-MD5 %q", got)
	}
}

// Over plain HTTP the payload must be covered by the signature.
func TestPayloadIsSigned(t *testing.T) {
	rec := newRecorder(t)
	exercise(t, rec.open(t, nil))
	for _, op := range []string{"PutObject", "UploadPart"} {
		if got := rec.only(t, op)[0].header.Get("X-Amz-Content-Sha256"); len(got) != 64 {
			t.Errorf("%s: payload hash %q", op, got)
		}
	}
}

func TestPresign(t *testing.T) {
	rec := newRecorder(t)
	s := rec.open(t, map[string]string{"publicUrl": "https://files.example.com/"})
	text, err := s.Presign(t.Context(), "backups/b/b.tar.gz", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "https" || u.Host != "files.example.com" || u.Path != "/bucket/clusters/one/backups/b/b.tar.gz" || q.Get("X-Amz-Expires") != "600" {
		t.Errorf("URL %s", text)
	}
	if q.Get("X-Amz-SignedHeaders") != "host" {
		t.Errorf("a plain client cannot send the signed headers %q", q.Get("X-Amz-SignedHeaders"))
	}
	for _, ttl := range []time.Duration{0, -time.Second, 8 * 24 * time.Hour} {
		_, err := s.Presign(t.Context(), "k", ttl)
		wantIs(t, err, store.ErrInvalid)
	}
	if rec.count() != 0 {
		t.Errorf("%d requests were made to sign a URL", rec.count())
	}
}

func TestPresignWithoutPublicURL(t *testing.T) {
	rec := newRecorder(t)
	s := rec.open(t, nil)
	text, err := s.Presign(t.Context(), "k", time.Minute)
	if err != nil || !strings.HasPrefix(text, rec.URL+"/bucket/clusters/one/k?") {
		t.Errorf("URL %s, %v", text, err)
	}
	body, err := s.FetchURL(t.Context(), text)
	if err != nil || string(body) != "hello" {
		t.Errorf("fetched %q, %v", body, err)
	}
	rec.answer = func(w http.ResponseWriter, _ request) bool {
		refuse(w, http.StatusForbidden, "AccessDenied")
		return true
	}
	_, err = s.FetchURL(t.Context(), text)
	wantIs(t, err, store.ErrAccessDenied)
	if strings.Contains(err.Error(), "X-Amz-Signature") {
		t.Error("the error shows a signed URL")
	}
}
