package sigv4_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/sigv4"
)

// FuzzParse: any header is read or refused, and none that was not signed verifies.
func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=k/20260101/r/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20260101T000000Z")
	f.Add("AWS4-HMAC-SHA256 Credential=////aws4_request,SignedHeaders=host,Signature=x", "20260101T000000Z")
	f.Fuzz(func(t *testing.T, header, date string) {
		req := httptest.NewRequest(http.MethodPost, "/", nil)
		req.Header.Set("Authorization", header)
		req.Header.Set("X-Amz-Date", date)
		if signed, err := sigv4.Parse(req); err == nil && signed.Verify(req, nil, "secret") == nil {
			t.Fatalf("verified: %+v", signed)
		}
	})
}
