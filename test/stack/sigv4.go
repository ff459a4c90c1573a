package stack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// sign adds an AWS Signature Version 4. By hand, because the stack makes a
// handful of calls and the SDK would be linked into every test that starts one.
func (s3 S3) sign(req *http.Request, body string, now time.Time) {
	stamp := now.Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", hexSum(body))
	names, headers := canonicalHeaders(req)
	canonical := strings.Join([]string{
		req.Method, req.URL.EscapedPath(), req.URL.RawQuery, headers, names, hexSum(body),
	}, "\n")
	scope := strings.Join([]string{stamp[:8], s3.Region, "s3", "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hexSum(canonical)}, "\n")
	key := []byte("AWS4" + s3.SecretKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s3.AccessKey+"/"+scope+
		",SignedHeaders="+names+",Signature="+hex.EncodeToString(mac(key, text)))
}

func canonicalHeaders(req *http.Request) (names, block string) {
	values := map[string]string{"host": req.URL.Host}
	for name := range req.Header {
		values[strings.ToLower(name)] = strings.TrimSpace(req.Header.Get(name))
	}
	var sorted []string
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		block += name + ":" + values[name] + "\n"
	}
	return strings.Join(sorted, ";"), block
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
