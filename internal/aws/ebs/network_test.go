package ebs

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestOverTheNetwork goes the way of a worker: the SDK's own client, TLS with the
// authority of AWS_CA_BUNDLE, endpoints and credentials from the environment.
func TestOverTheNetwork(t *testing.T) {
	dir, limits := t.TempDir(), ebssim.Fast()
	sim, err := ebssim.New(ebssim.Options{
		Dir: dir, Region: region, Limits: &limits,
		Users: []ebssim.User{{Name: "lifeboat", AccessKeyID: "AKIALIFEBOAT", SecretAccessKey: "lifeboat-secret", Policies: []json.RawMessage{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	server := httptest.NewTLSServer(sim)
	defer server.Close()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL_EC2": server.URL, "AWS_ENDPOINT_URL_STS": server.URL, "AWS_CA_BUNDLE": bundle,
		"AWS_ACCESS_KEY_ID": "AKIALIFEBOAT", "AWS_SECRET_ACCESS_KEY": "lifeboat-secret", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(key, value)
	}
	l, err := Open(t.Context(), document(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if zones, err := l.Zones(t.Context()); err != nil || len(zones) != 4 {
		t.Errorf("%v, %v", zones, err)
	}
	server.CloseClientConnections()
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := Open(ctx, document(), Options{Attempts: 2}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("nobody is there: %v", err)
	}
}
