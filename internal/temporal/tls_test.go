package temporal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// authority signs certificates, which it writes into a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) sign(name string, want *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	want.SerialNumber, want.Subject = big.NewInt(1), pkix.Name{CommonName: name}
	want.NotBefore, want.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = want, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, want, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: raw}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// serveMutualTLS is a Temporal that wants certificates of the authority.
func (a *authority) serveMutualTLS() string {
	a.t.Helper()
	address, _ := a.serveFor(a, "127.0.0.1:0")
	return address
}

// serveFor is a Temporal with a certificate of the authority that wants some of another one, until stop.
func (a *authority) serveFor(clients *authority, address string) (_ string, stop func()) {
	a.t.Helper()
	a.sign("server", &x509.Certificate{DNSNames: []string{"temporal.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	pair, err := tls.LoadX509KeyPair(a.path("server.crt"), a.path("server.key"))
	if err != nil {
		a.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS13,
	})))
	workflowservice.RegisterWorkflowServiceServer(g, &server{})
	l, err := net.Listen("tcp", address)
	if err != nil {
		a.t.Fatal(err)
	}
	go func() { _ = g.Serve(l) }() // ends with Stop
	a.t.Cleanup(g.Stop)
	return l.Addr().String(), g.Stop
}

// TestRenewedCertificate: a certificate that was put in place of the old one, as cert-manager does, is
// shown at the next connection. The old one would be refused once it has expired, and the program with it.
func TestRenewedCertificate(t *testing.T) {
	before, after := newAuthority(t), newAuthority(t)
	for _, a := range []*authority{before, after} {
		a.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	address, stop := before.serveFor(before, "127.0.0.1:0")
	conn, err := Connect(t.Context(), Options{Address: address, Env: variables{
		"TEMPORAL_CONFIG_FILE": "/does/not/exist", "TEMPORAL_TLS": "true", "TEMPORAL_TLS_SERVER_NAME": "temporal.example",
		"TEMPORAL_TLS_SERVER_CA_CERT_PATH": before.path("ca.crt"),
		"TEMPORAL_TLS_CLIENT_CERT_PATH":    before.path("client.crt"), "TEMPORAL_TLS_CLIENT_KEY_PATH": before.path("client.key"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stop()
	for _, file := range []string{"client.crt", "client.key"} {
		if err := os.Rename(after.path(file), before.path(file)); err != nil {
			t.Fatal(err)
		}
	}
	before.serveFor(after, address)
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err = conn.SDK().WorkflowService().GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{})
		if _, reached := errors.AsType[*serviceerror.Unimplemented](err); reached { // it knows no such call
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestMutualTLS: with certificates of Temporal's standard variables a program reaches a server that wants
// them; whoever has none, one of another authority, or the wrong server does not, and is told so.
func TestMutualTLS(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	address := ours.serveMutualTLS()
	for _, a := range []*authority{ours, others} {
		a.sign("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	}
	for name, tc := range map[string]struct {
		client, server *authority
		serverName     string
		says           string // "" for a connection
	}{
		"both know each other": {ours, ours, "temporal.example", ""},
		"no certificate":       {nil, ours, "temporal.example", "temporal at "}, // the server hangs up after the client's part of the handshake
		"of another authority": {others, ours, "temporal.example", "temporal at "},
		"another server":       {ours, others, "temporal.example", "signed by unknown authority"},
		"of another name":      {ours, ours, "elsewhere.example", "not elsewhere.example"},
	} {
		t.Run(name, func(t *testing.T) {
			env := variables{
				"TEMPORAL_CONFIG_FILE": "/does/not/exist", "TEMPORAL_TLS": "true", "TEMPORAL_TLS_SERVER_NAME": tc.serverName,
				"TEMPORAL_TLS_SERVER_CA_CERT_PATH": tc.server.path("ca.crt"),
			}
			if tc.client != nil {
				env["TEMPORAL_TLS_CLIENT_CERT_PATH"], env["TEMPORAL_TLS_CLIENT_KEY_PATH"] = tc.client.path("client.crt"), tc.client.path("client.key")
			}
			conn, err := Connect(t.Context(), Options{Address: address, Env: env})
			if err == nil {
				conn.Close()
			}
			if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}
