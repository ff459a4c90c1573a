package ebssim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const subject = "system:serviceaccount:lifeboat:worker"

// provider is an OpenID Connect issuer over TLS with an RSA and an EC key.
type provider struct {
	*httptest.Server
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{
		rsa: must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048)),
		ec:  must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, p.URL, p.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"keys": p.keys()})
	})
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) keys() []map[string]string {
	point, _ := p.ec.PublicKey.Bytes()
	return []map[string]string{
		{"kid": "r", "kty": "RSA", "alg": "RS256", "n": b64(p.rsa.N.Bytes()), "e": b64(big.NewInt(int64(p.rsa.E)).Bytes())},
		{"kid": "e", "kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kid": "o", "kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
	}
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func (p *provider) ca() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
}

// token signs claims; kid says with which key, alg what the header claims.
func (p *provider) token(t *testing.T, kid, alg string, change func(map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": p.URL, "sub": subject, "aud": []string{"sts.amazonaws.com"},
		"exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Unix(),
	}
	if change != nil {
		change(claims)
	}
	head := must[[]byte](t)(json.Marshal(map[string]string{"alg": alg, "kid": kid}))
	text := must[[]byte](t)(json.Marshal(claims))
	signed := b64(head) + "." + b64(text)
	digest := sha256.Sum256([]byte(signed))
	if kid == "e" {
		r, s, err := ecdsa.Sign(rand.Reader, p.ec, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return signed + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	}
	return signed + "." + b64(must[[]byte](t)(rsa.SignPKCS1v15(rand.Reader, p.rsa, crypto.SHA256, digest[:])))
}

func (p *provider) options(o *ebssim.Options) {
	host := p.URL[len("https://"):]
	trust := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
	  "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/%s"}, "Action": "sts:AssumeRoleWithWebIdentity",
	  "Condition": {"StringEquals": {"%s:aud": "sts.amazonaws.com"}, "StringLike": {"%s:sub": "system:serviceaccount:lifeboat:*"}}}]}`, host, host, host)
	allow := `{"Statement": {"Effect": "Allow", "Action": "ec2:DescribeVolumes", "Resource": "*"}}`
	o.Issuers = []ebssim.Issuer{{URL: p.URL, CA: p.ca()}}
	o.Roles = []ebssim.Role{{Name: "worker", Trust: []byte(trust), Policies: []json.RawMessage{[]byte(allow)}}}
}

const workerRole = "arn:aws:iam::111122223333:role/worker"

func TestWebIdentityCodes(t *testing.T) {
	p := newProvider(t)
	r := start(t, p.options)
	none := stsClient(r.url, "unused", "unused", "")
	set := func(key string, value any) func(map[string]any) { return func(c map[string]any) { c[key] = value } }
	for _, c := range []struct{ name, token, role, code string }{
		{"RS256", p.token(t, "r", "RS256", nil), workerRole, ""},
		{"ES256", p.token(t, "e", "ES256", nil), workerRole, ""},
		{"one audience", p.token(t, "r", "RS256", set("aud", "sts.amazonaws.com")), workerRole, ""},
		{"another algorithm", p.token(t, "r", "ES256", nil), workerRole, "InvalidIdentityToken"},
		{"no algorithm", p.token(t, "r", "none", nil), workerRole, "InvalidIdentityToken"},
		{"unknown key", p.token(t, "x", "RS256", nil), workerRole, "InvalidIdentityToken"},
		{"another subject", p.token(t, "r", "RS256", set("sub", "system:serviceaccount:other:worker")), workerRole, "AccessDenied"},
		{"another audience", p.token(t, "r", "RS256", set("aud", "kubernetes")), workerRole, "InvalidIdentityToken"},
		{"another issuer", p.token(t, "r", "RS256", set("iss", "https://elsewhere.example")), workerRole, "InvalidIdentityToken"},
		{"expired", p.token(t, "r", "RS256", set("exp", time.Now().Add(-time.Minute).Unix())), workerRole, "ExpiredTokenException"},
		{"not yet", p.token(t, "r", "RS256", set("nbf", time.Now().Add(time.Minute).Unix())), workerRole, "InvalidIdentityToken"},
		{"no such role", p.token(t, "r", "RS256", nil), workerRole + "x", "AccessDenied"},
		{"nonsense", "a.b.c", workerRole, "InvalidIdentityToken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := none.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
				RoleArn: aws.String(c.role), RoleSessionName: aws.String("s"), WebIdentityToken: aws.String(c.token),
			})
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantCode(t, err, c.code)
		})
	}
	for _, call := range r.Audit() {
		if call.Params["WebIdentityToken"] != "(not shown)" {
			t.Fatalf("the audit log has a token: %v", call.Params)
		}
	}
}

type staticToken string

func (s staticToken) GetIdentityToken() ([]byte, error) { return []byte(s), nil }

// A role's session has the role's permissions and no others, and ends.
func TestWebIdentitySession(t *testing.T) {
	p := newProvider(t)
	r := start(t, p.options)
	assume := stscreds.NewWebIdentityRoleProvider(stsClient(r.url, "", "", ""), workerRole, staticToken(p.token(t, "e", "ES256", nil)),
		func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = "w1" })
	keys := must[aws.Credentials](t)(assume.Retrieve(t.Context()))
	as := client(r.url, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
	must[*ec2.DescribeVolumesOutput](t)(as.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{}))
	_, err := as.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{})
	wantCode(t, err, "UnauthorizedOperation")
	who := stsClient(r.url, keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken)
	out := must[*sts.GetCallerIdentityOutput](t)(who.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	if *out.Arn != "arn:aws:sts::111122223333:assumed-role/worker/w1" {
		t.Fatalf("got %s", *out.Arn)
	}
	_, err = client(r.url, keys.AccessKeyID, keys.SecretAccessKey, "").DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{})
	wantCode(t, err, "AuthFailure")
	r.clock.Advance(time.Hour)
	_, err = as.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{})
	wantCode(t, err, "RequestExpired")
	_, err = who.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "ExpiredToken")
}

func TestIssuerThatIsAway(t *testing.T) {
	p := newProvider(t)
	r := start(t, p.options)
	token := p.token(t, "r", "RS256", nil)
	p.Close()
	_, err := stsClient(r.url, "u", "u", "").AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(workerRole), RoleSessionName: aws.String("s"), WebIdentityToken: aws.String(token),
	})
	wantCode(t, err, "IDPCommunicationError")
}
