package account

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// open is an account whose services answer as do says, by the operation or the path.
func open(t *testing.T, do map[string]string) *Account {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if operation == "" {
			operation = r.URL.Path
		}
		body := do[operation]
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if code, refused := strings.CutPrefix(body, "!"); refused || body == "" {
			w.Header().Set("X-Amzn-Errortype", code)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"secret-account-id"}`, code)
			return
		}
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	for _, service := range []string{"SERVICE_QUOTAS", "EKS", "STS"} {
		t.Setenv("AWS_ENDPOINT_URL_"+service, server.URL)
	}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	a, err := Open(t.Context(), "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestSnapshotQuota: what was granted counts before the default, and a refusal names the right.
func TestSnapshotQuota(t *testing.T) {
	const granted, usual = `{"Quota":{"Value":150000}}`, `{"Quota":{"Value":100000}}`
	for name, tc := range map[string]struct {
		do    map[string]string
		quota int64
		err   string
	}{
		"granted":    {map[string]string{"GetServiceQuota": granted, "GetAWSDefaultServiceQuota": usual}, 150000, ""},
		"default":    {map[string]string{"GetServiceQuota": "!NoSuchResourceException", "GetAWSDefaultServiceQuota": usual}, 100000, ""},
		"no value":   {map[string]string{"GetServiceQuota": `{}`}, 0, "no value"},
		"no right":   {map[string]string{"GetServiceQuota": "!AccessDeniedException"}, 0, "servicequotas:GetServiceQuota: AccessDeniedException"},
		"no default": {map[string]string{"GetServiceQuota": "!NoSuchResourceException", "GetAWSDefaultServiceQuota": "!AccessDeniedException"}, 0, "servicequotas:GetAWSDefaultServiceQuota: AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := open(t, tc.do).SnapshotQuota(t.Context())
			if got != tc.quota || (err != nil) != (tc.err != "") || err != nil && (!strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
}

// TestDeletionProtection: yes, no, and what the right is called.
func TestDeletionProtection(t *testing.T) {
	for body, want := range map[string]string{
		`{"cluster":{"name":"prod","deletionProtection":true}}`:  "true <nil>",
		`{"cluster":{"name":"prod","deletionProtection":false}}`: "false <nil>",
		`{"cluster":{"name":"prod"}}`:                            "false <nil>",
		"!AccessDeniedException":                                 "false eks:DescribeCluster of prod: AccessDeniedException",
	} {
		got, err := open(t, map[string]string{"/clusters/prod": body}).DeletionProtection(t.Context(), "prod")
		if fmt.Sprint(got, " ", err) != want {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}
