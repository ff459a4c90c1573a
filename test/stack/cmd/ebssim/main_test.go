package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "options.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServesUntilItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read, write := io.Pipe()
	done := make(chan error, 1)
	path := config(t, `{"adminToken": "t"}`)
	go func() { done <- run(ctx, []string{"--config", path, "--dir", t.TempDir()}, write) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(strings.TrimPrefix(line, "serving on "))
	resp, err := http.Get(url + "/_sim/state")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("status %d", resp.StatusCode)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestRefusesWhatItCannotServe(t *testing.T) {
	for want, args := range map[string][]string{
		"--config":     nil,
		"no such file": {"--config", "/nowhere/options.json"},
		"colour":       {"--config", config(t, `{"colour": "red"}`)},
		"options.dir":  {"--config", config(t, `{}`)},
		"listen":       {"--config", config(t, `{}`), "--dir", t.TempDir(), "--listen", "256.0.0.1:0"},
		"secretAccess": {"--config", config(t, `{"users": [{"name": "u", "accessKeyID": "k"}]}`), "--dir", t.TempDir()},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
