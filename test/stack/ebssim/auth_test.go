package ebssim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const describe = "Action=DescribeVolumes&Version=2016-11-15"

// ask sends a form, signed by the SDK's signer and changed after that.
func ask(t *testing.T, r rig, form string, at time.Time, change func(*http.Request)) (int, string) {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/", strings.NewReader(form)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	sum := sha256.Sum256([]byte(form))
	keys := aws.Credentials{AccessKeyID: adminKey, SecretAccessKey: adminSec}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, req, hex.EncodeToString(sum[:]), "ec2", region, at); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	return resp.StatusCode, string(must[[]byte](t)(io.ReadAll(resp.Body)))
}

func TestSignatures(t *testing.T) {
	r := start(t, nil)
	body := func(text string) func(*http.Request) {
		return func(req *http.Request) {
			req.Body, req.ContentLength = io.NopCloser(bytes.NewBufferString(text)), int64(len(text))
		}
	}
	for _, c := range []struct {
		name, form, code string
		status           int
		skew             time.Duration
		change           func(*http.Request)
	}{
		{name: "good", form: describe, status: 200},
		{name: "another body", form: describe, status: 401, code: "AuthFailure", change: body(describe + "&MaxResults=5")},
		{name: "another header", form: describe, status: 401, code: "AuthFailure", change: func(req *http.Request) {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}},
		{name: "another query", form: describe, status: 401, code: "AuthFailure", change: func(req *http.Request) { req.URL.RawQuery = "a=b" }},
		{name: "another host", form: describe, status: 401, code: "AuthFailure", change: func(req *http.Request) { req.Host = "elsewhere" }},
		{name: "no signature", form: describe, status: 401, code: "MissingAuthenticationToken", change: func(req *http.Request) {
			req.Header.Del("Authorization")
		}},
		{name: "nonsense", form: describe, status: 401, code: "AuthFailure", change: func(req *http.Request) {
			req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c")
		}},
		{name: "a stolen session token", form: describe, status: 401, code: "AuthFailure", change: func(req *http.Request) {
			req.Header.Set("X-Amz-Security-Token", "x")
		}},
		{name: "too old", form: describe, status: 400, code: "RequestExpired", skew: -6 * time.Minute},
		{name: "from the future", form: describe, status: 400, code: "RequestExpired", skew: 6 * time.Minute},
		{name: "another version", form: "Action=DescribeVolumes&Version=2014-01-01", status: 400, code: "NoSuchVersion"},
		{name: "no integer", form: describe + "&MaxResults=x", status: 400, code: "InvalidParameterValue"},
		{name: "no boolean", form: describe + "&DryRun=x", status: 400, code: "InvalidParameterValue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := ask(t, r, c.form, time.Now().Add(c.skew), c.change)
			if status != c.status || c.code != "" && !strings.Contains(text, "<Code>"+c.code+"</Code>") {
				t.Fatalf("got %d: %s", status, text)
			}
		})
	}
}

// A signed query with reserved characters and spaces is verified as it was signed.
func TestSignedQueries(t *testing.T) {
	r := start(t, nil)
	vol := r.newVolume(t, "key with space", "a+b/c=d&e~*é")
	out := must[*ec2.DescribeVolumesOutput](t)(r.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{
		Filters: filter("tag:key with space", "a+b/c=d&e~*é"),
	}))
	if len(out.Volumes) != 1 || *out.Volumes[0].VolumeId != vol {
		t.Fatalf("got %+v", out.Volumes)
	}
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet,
		r.url+"/?Action=DescribeVolumes&Version=2016-11-15&Filter.1.Name=tag-key&Filter.1.Value.1=key%20with%20space", nil))
	empty := sha256.Sum256(nil)
	keys := aws.Credentials{AccessKeyID: adminKey, SecretAccessKey: adminSec}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, req, hex.EncodeToString(empty[:]), "ec2", region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	if text := string(must[[]byte](t)(io.ReadAll(resp.Body))); resp.StatusCode != http.StatusOK || !strings.Contains(text, vol) {
		t.Fatalf("got %d: %s", resp.StatusCode, text)
	}
}

func TestUnknownIdentities(t *testing.T) {
	r := start(t, nil)
	for _, c := range []struct{ key, secret, ec2Code, stsCode string }{
		{"AKIANOBODY", "x", "AuthFailure", "InvalidClientTokenId"},
		{adminKey, "wrong", "AuthFailure", "SignatureDoesNotMatch"},
	} {
		_, err := client(r.url, c.key, c.secret, "").DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{})
		wantCode(t, err, c.ec2Code)
		_, err = stsClient(r.url, c.key, c.secret, "").GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		wantCode(t, err, c.stsCode)
	}
	who := must[*sts.GetCallerIdentityOutput](t)(stsClient(r.url, adminKey, adminSec, "").GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	if *who.Account != account || *who.Arn != "arn:aws:iam::111122223333:user/admin" {
		t.Fatalf("got %+v", who)
	}
}
