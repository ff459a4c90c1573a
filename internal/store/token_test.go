package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// cloud is STS and S3 on a clock that the test moves: tokens of the service account and sessions live
// for a minute each, and a request takes its time.
type cloud struct {
	rec   *recorder
	token string // file of the service account's token

	mu       sync.Mutex
	sessions map[string]time.Time // when each ends, by access key
	refused  []string             // requests that came with a session that had ended, or none
	took     time.Duration        // of each part that is sent
	object   int                  // bytes of any object
	cut      int                  // bytes after which a read breaks off; 0 for never
}

var accessKey = regexp.MustCompile(`Credential=([^/]+)/`)

// Do implements the SDK's client without a network, so that nothing but time is waited for.
func (c *cloud) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch {
	case strings.HasPrefix(r.URL.Host, "sts."):
		c.giveSession(w, r)
	case !c.isSigned(r):
		c.refused = append(c.refused, r.Method+" "+r.URL.Path)
		refuse(w, http.StatusBadRequest, "ExpiredToken")
	case operation(r) == "GetObject":
		return c.read(r), nil
	default:
		if operation(r) == "UploadPart" {
			time.Sleep(c.took)
		}
		c.rec.ServeHTTP(w, withBody(r))
	}
	return w.Result(), nil
}

// withBody is a request as a server has it, where no body is an empty one.
func withBody(r *http.Request) *http.Request {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// giveSession takes a token that was issued less than a minute ago.
func (c *cloud) giveSession(w http.ResponseWriter, r *http.Request) {
	_ = withBody(r).ParseForm()
	var issued int64
	if _, err := fmt.Sscan(r.Form.Get("WebIdentityToken"), &issued); err != nil || time.Since(time.Unix(issued, 0)) > time.Minute {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></ErrorResponse>`)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, ends := fmt.Sprint("ASIA", len(c.sessions)), time.Now().Add(time.Minute)
	c.sessions[key] = ends
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		key, ends.UTC().Format(time.RFC3339))
}

func (c *cloud) isSigned(r *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := accessKey.FindStringSubmatch(r.Header.Get("Authorization"))
	return by != nil && time.Now().Before(c.sessions[by[1]])
}

// read answers with the rest of the object from the asked range on, 8 KiB a second.
func (c *cloud) read(r *http.Request) *http.Response {
	from := 0
	_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
	body := &slowBody{left: c.object - from, cut: c.cut}
	h := http.Header{"Etag": {`"one"`}, "Last-Modified": {"Wed, 01 Jul 2026 12:00:00 GMT"}, "Content-Length": {fmt.Sprint(body.left)}}
	code := http.StatusOK
	if r.Header.Get("Range") != "" {
		code = http.StatusPartialContent
	}
	return &http.Response{StatusCode: code, Header: h, ContentLength: int64(body.left), Body: body, Request: r}
}

// slowBody gives 8 KiB a second, and breaks off.
type slowBody struct{ left, cut, given int }

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.cut > 0 && b.given >= b.cut {
		return 0, io.ErrUnexpectedEOF
	}
	time.Sleep(time.Second)
	n := min(len(p), b.left, 8<<10)
	b.left, b.given = b.left-n, b.given+n
	return n, nil
}

func (*slowBody) Close() error { return nil }

// issue puts a token into the file, as the kubelet does.
func (c *cloud) issue(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(c.token, fmt.Append(nil, time.Now().Unix()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *cloud) open(t *testing.T) *store.S3 {
	t.Helper()
	c.token = filepath.Join(t.TempDir(), "token")
	for k, v := range map[string]string{
		"AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/worker", "AWS_WEB_IDENTITY_TOKEN_FILE": c.token, "AWS_REGION": "eu-central-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": "", "AWS_ENDPOINT_URL_STS": "http://sts.test",
	} {
		t.Setenv(k, v)
	}
	s, err := store.Open(t.Context(), location(map[string]string{"region": "eu-central-1", "s3Url": "http://s3.test", "s3ForcePathStyle": "true"}), store.Options{HTTP: c, Parallel: 1, Attempts: 3})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Where tokens and sessions live for a minute, an upload and a download of ten minutes are made, the
// latter over broken connections, and so is a request after 70 minutes without any. Nothing is ever
// sent with a session that has ended. Where no new token comes, that is said.
func TestTokensOfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{rec: &recorder{}, sessions: map[string]time.Time{}, took: 25 * time.Second, object: 600 * 8 << 10, cut: 100 * 8 << 10}
		s := c.open(t)
		kubelet, stop := context.WithCancel(t.Context())
		c.issue(t)
		go func() {
			for kubelet.Err() == nil {
				c.issue(t)
				select {
				case <-kubelet.Done():
				case <-time.After(45 * time.Second):
				}
			}
		}()
		took := func(what string, do func() error) {
			t.Helper()
			begin := time.Now()
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if d := time.Since(begin); d < 10*time.Minute || d > 12*time.Minute {
				t.Errorf("%s took %s", what, d)
			}
		}
		took("upload", func() error {
			parts := make([]store.Part, 25)
			for i := range parts {
				parts[i] = store.Part{Inline: bytes.Repeat([]byte{byte(i)}, 8<<20)}
			}
			return s.Compose(t.Context(), "big", parts, store.PutOptions{})
		})
		took("download", func() error {
			r, _, err := s.Get(t.Context(), "big")
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, r)
			if err == nil && int(n) != c.object {
				err = fmt.Errorf("%d bytes", n)
			}
			return errors.Join(err, r.Close())
		})
		time.Sleep(70 * time.Minute)
		if err := s.Put(t.Context(), "k", nil, store.PutOptions{}); err != nil {
			t.Errorf("after 70 minutes of idleness: %v", err)
		}
		if len(c.refused) > 0 || len(c.sessions) < 10 {
			t.Errorf("%d sessions, %q came with one that had ended", len(c.sessions), c.refused)
		}
		stop()
		time.Sleep(70 * time.Minute)
		if err := s.Put(t.Context(), "k", nil, store.PutOptions{}); !errors.Is(err, store.ErrCredentials) || !strings.Contains(err.Error(), "ExpiredToken") {
			t.Errorf("with an old token: %v", err)
		}
	})
}
