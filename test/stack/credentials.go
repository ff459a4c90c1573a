package stack

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// writeCredentials makes the administrator's token and the key that signs
// service-account tokens.
func (s *Stack) writeCredentials() error {
	if err := makeDirs(s.data("kube-apiserver")); err != nil {
		return err
	}
	s.AdminToken = rand.Text()
	line := s.AdminToken + ",admin,admin,system:masters\n"
	if err := writeSecret(s.tokenFile(), []byte(line)); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return writeSecret(s.accountKeyFile(), pem.EncodeToMemory(block))
}

// writeKubeconfig writes one that holds its certificate and token itself, so that
// it can be copied to wherever a worker runs.
func (s *Stack) writeKubeconfig() error {
	s.CAFile = filepath.Join(s.data("kube-apiserver"), "apiserver.crt")
	s.Kubeconfig = filepath.Join(s.Dir, "data", "kubeconfig")
	config, err := s.KubeconfigFor(s.APIServer, s.AdminToken)
	if err != nil {
		return err
	}
	return writeSecret(s.Kubeconfig, config)
}

// KubeconfigFor is a kubeconfig for another address of the API server (a Proxy's)
// or another identity (a service account's token).
func (s *Stack) KubeconfigFor(server, token string) ([]byte, error) {
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: stack
  cluster:
    server: %s
    certificate-authority-data: %s
contexts:
- name: stack
  context:
    cluster: stack
    user: stack
current-context: stack
users:
- name: stack
  user:
    token: %s
`, server, base64.StdEncoding.EncodeToString(ca), token), nil
}
