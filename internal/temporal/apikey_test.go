package temporal

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestKeyOfAFile: a key that a Secret or a file ends with a newline arrives as the key.
func TestKeyOfAFile(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		mu.Lock()
		defer mu.Unlock()
		header, _ := metadata.FromIncomingContext(s.Context())
		heard = append(heard, header.Get("authorization")...)
		return status.Error(codes.PermissionDenied, "that is all that was asked")
	}))
	defer server.Stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	file := filepath.Join(t.TempDir(), "temporal.toml")
	if err := os.WriteFile(file, []byte("[profile.default]\napi_key = \"s3cr3t\\n\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string]variables{
		"variable": {"TEMPORAL_API_KEY": "s3cr3t\r\n", "TEMPORAL_CONFIG_FILE": "/does/not/exist"},
		"profile":  {"TEMPORAL_CONFIG_FILE": file},
	} {
		mu.Lock()
		heard = nil
		mu.Unlock()
		env["TEMPORAL_ADDRESS"], env["TEMPORAL_TLS"] = l.Addr().String(), "false"
		if _, err := Connect(t.Context(), Options{Env: env}); err == nil {
			t.Errorf("%s: the server refuses, and nobody says so", name)
		}
		mu.Lock()
		if len(heard) == 0 || slices.ContainsFunc(heard, func(s string) bool { return s != "Bearer s3cr3t" }) {
			t.Errorf("%s: the server heard %q", name, heard)
		}
		mu.Unlock()
	}
}
