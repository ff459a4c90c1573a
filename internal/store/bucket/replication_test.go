package bucket

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// rule is a rule of replication as S3 writes it.
func rule(status, filter, to string) string {
	return fmt.Sprintf(`<Rule><Status>%s</Status>%s<Destination><Bucket>arn:aws:s3:::%s</Bucket></Destination></Rule>`, status, filter, to)
}

// TestCopies: a copy is one of everything below the prefix, in another Region.
func TestCopies(t *testing.T) {
	const whole, ours, other = `<Filter><Prefix></Prefix></Filter>`, `<Filter><Prefix>prod/</Prefix></Filter>`, `<Filter><Prefix>stage/</Prefix></Filter>`
	const tagged = `<Filter><And><Prefix></Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>`
	for name, tc := range map[string]struct {
		rules string // "!CODE" for a refusal
		want  Answer
	}{
		"far":            {rule("Enabled", whole, "far"), yes("it is replicated to far in us-west-2")},
		"by prefix":      {rule("Enabled", ours, "far"), yes("it is replicated to far in us-west-2")},
		"old form":       {rule("Enabled", "<Prefix>prod</Prefix>", "far"), yes("it is replicated to far in us-west-2")},
		"second rule":    {rule("Disabled", whole, "near") + rule("Enabled", whole, "far"), yes("it is replicated to far in us-west-2")},
		"same Region":    {rule("Enabled", whole, "near"), no("it is replicated to near, which is in the same Region, eu-central-1")},
		"disabled":       {rule("Disabled", whole, "far"), no("no rule of its replication takes all below the location's prefix")},
		"another prefix": {rule("Enabled", other, "far"), no("no rule of its replication takes all below the location's prefix")},
		"some objects":   {rule("Enabled", tagged, "far"), no("no rule of its replication takes all below the location's prefix")},
		"none":           {"!ReplicationConfigurationNotFoundError", no("the bucket is not replicated")},
		"refused":        {"!AccessDenied", Answer{Found: "s3:GetReplicationConfiguration: AccessDenied"}},
		"hidden":         {rule("Enabled", whole, "hidden"), Answer{Found: "it is replicated to hidden, and the Region of hidden is not told (s3:ListBucket)"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				regions := map[string]string{"/backups": "eu-central-1", "/near": "eu-central-1", "/far": "us-west-2"}
				code, refused := strings.CutPrefix(tc.rules, "!")
				switch {
				case r.Method == http.MethodHead && regions[r.URL.Path] != "":
					w.Header().Set("X-Amz-Bucket-Region", regions[r.URL.Path])
				case r.Method == http.MethodHead:
					w.WriteHeader(http.StatusForbidden)
				case refused:
					w.WriteHeader(http.StatusForbidden)
					_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
				default:
					_, _ = fmt.Fprintf(w, `<ReplicationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">%s</ReplicationConfiguration>`, tc.rules)
				}
			}))
			defer server.Close()
			client := s3.New(s3.Options{BaseEndpoint: aws.String(server.URL), Region: "eu-central-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""), RetryMaxAttempts: 1})
			if got := readCopies(t.Context(), client, "backups", "prod/"); got != tc.want {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}
