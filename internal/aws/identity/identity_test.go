package identity

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const role = "arn:aws:iam::111122223333:role/backup/lifeboat"

// answering is an STS that says the ARN, or refuses.
func answering(t *testing.T, arn string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if arn == "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
			return
		}
		fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>", arn)
	}))
	t.Cleanup(server.Close)
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL_STS": server.URL, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(key, value)
	}
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct{ arn, words string }{
		"the role":            {"arn:aws:sts::111122223333:assumed-role/lifeboat/1699", ""},
		"the node's":          {"arn:aws:sts::111122223333:assumed-role/node/i-0123456789abcdef0", "the node's role"},
		"a user's keys":       {"arn:aws:iam::111122223333:user/ci", "AWS_ACCESS_KEY_ID"},
		"the root's keys":     {"arn:aws:iam::111122223333:root", "AWS_ACCESS_KEY_ID"},
		"another role":        {"arn:aws:sts::111122223333:assumed-role/lifeboat-old/1699", "aws.expectedRoleArn"},
		"another account's":   {"arn:aws:sts::444455556666:assumed-role/lifeboat/1699", "444455556666"},
		"another partition's": {"arn:aws-cn:sts::111122223333:assumed-role/lifeboat/1699", "aws-cn"},
	} {
		t.Run(name, func(t *testing.T) {
			answering(t, tc.arn)
			arn, err := Check(t.Context(), role)
			if arn != tc.arn || errors.Is(err, ErrAnother) != (tc.words != "") || err != nil && !strings.Contains(err.Error(), tc.words) {
				t.Errorf("%s, %v", arn, err)
			}
		})
	}
}

// Who cannot be asked is not somebody else.
func TestCheckRefused(t *testing.T) {
	answering(t, "")
	if _, err := Check(t.Context(), role); err == nil || errors.Is(err, ErrAnother) || !strings.Contains(err.Error(), "ask AWS who the worker is") {
		t.Error(err)
	}
}

func TestExpected(t *testing.T) {
	if got := Expected("", "annotated"); got != "annotated" {
		t.Error(got)
	}
	if got := Expected("configured", "annotated"); got != "configured" {
		t.Error(got)
	}
	for text, want := range map[string]bool{role: true, "arn:aws-us-gov:iam::111122223333:role/x": true, "lifeboat": false, "arn:aws:sts::111122223333:assumed-role/x/y": false} {
		if IsRole(text) != want {
			t.Errorf("%s is a role: %t", text, !want)
		}
	}
}

// TestPodIdentity: what the agent of EKS Pod Identity gives for the pod's token is what the worker
// comes by, with nothing configured but the two variables that EKS puts into the pod.
func TestPodIdentity(t *testing.T) {
	token := filepath.Join(t.TempDir(), "eks-pod-identity-token")
	if err := os.WriteFile(token, []byte("token-of-the-pod"), 0o600); err != nil {
		t.Fatal(err)
	}
	const assumed = "arn:aws:sts::111122223333:assumed-role/lifeboat/eks-production-worker"
	aws := http.NewServeMux()
	aws.HandleFunc("GET /v1/credentials", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token-of-the-pod" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"AccessKeyId":"ASIAPOD","SecretAccessKey":"s","Token":"session","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	aws.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=ASIAPOD/") || r.Header.Get("X-Amz-Security-Token") != "session" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>", assumed)
	})
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	for key, value := range map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.URL + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": server.URL,
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "eu-central-1", "AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(key, value)
	}
	if arn, err := Check(t.Context(), role); err != nil || arn != assumed {
		t.Errorf("%s, %v", arn, err)
	}
}
