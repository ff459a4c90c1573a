package main

import (
	"strings"
	"testing"
)

func TestOptionsNameWhatIsMissing(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1")
	t.Setenv("EBSSIM_ADMIN_TOKEN_FILE", "/token")
	tests := []struct{ args, fails string }{
		{args: "--mode=controller --csi-address=/s --kubeconfig=/k"},
		{args: "--mode=node --csi-address=/s --node-id=i-1 --zone=z --plugins-registry=/r"},
		{args: "--mode=controller --kubeconfig=/k", fails: "--csi-address"},
		{args: "--mode=controller --csi-address=/s", fails: "--kubeconfig"},
		{args: "--mode=node --csi-address=/s --zone=z --plugins-registry=/r", fails: "--node-id"},
		{args: "--csi-address=/s --kubeconfig=/k", fails: "--zone"},
		{args: "--mode=both --csi-address=/s", fails: "--mode"},
	}
	for _, test := range tests {
		_, err := parse(strings.Fields(test.args))
		if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: got %v, want %q", test.args, err, test.fails)
		}
	}
}
