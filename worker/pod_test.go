package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
)

// TestOwnPod: a worker in a pod knows its namespace by its ServiceAccount, and not by where the
// objects of Velero are; one that reaches another cluster has no pod there.
func TestOwnPod(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namespace")
	if err := os.WriteFile(file, []byte("lifeboat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POD_NAME", "lifeboat-0")
	cfg := &config.Config{Namespace: "velero"}
	if self, err := ownPod(cfg, file); err != nil || self != (pod{name: "lifeboat-0", namespace: "lifeboat"}) {
		t.Errorf("in a pod: %+v %v", self, err)
	}
	_, err := ownPod(cfg, file+"x")
	if err == nil || !strings.Contains(err.Error(), "namespace of the worker's pod") || !strings.Contains(err.Error(), "ServiceAccount") {
		t.Errorf("a pod without the file: %v", err)
	}
	cfg.Kubernetes.Kubeconfig = "/etc/kubeconfig"
	if self, err := ownPod(cfg, file); err != nil || self != (pod{namespace: "velero"}) {
		t.Errorf("with a kubeconfig: %+v %v", self, err)
	}
}

// TestOwnNamespace: what is the worker's own is in the namespace of its pod, also where the objects
// of Velero are in another.
func TestOwnNamespace(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	api := kubetest.Start(t)
	api.PutNamespaces("velero", "lifeboat")
	api.Put(&corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "lifeboat", Name: "drill-key"},
		Data: map[string][]byte{"drills.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})},
	})
	cfg := &config.Config{Namespace: "velero", Rehearsal: config.Rehearsal{Pod: &config.RehearsalPod{}}}
	cfg.Drills.SigningKey = &config.SigningKey{Secret: &config.SecretEntry{Name: "drill-key", Key: "drills.key"}}
	self := pod{name: "lifeboat-0", namespace: "lifeboat"}
	s := newDrills(cfg, api.Client(), self, nil, nil, nil)
	if read, err := s.Key(t.Context()); err != nil || !read.Equal(key) {
		t.Errorf("signing key: %v", err)
	}
	if s.Namespace != "lifeboat" {
		t.Errorf("drills: namespace %q", s.Namespace)
	}
	planes, ok := rehearsal.ProviderOf(cfg, api.Client(), self.namespace, self.name).(*controlplane.Pods)
	if !ok || planes.Namespace != "lifeboat" || planes.Worker != "lifeboat-0" {
		t.Errorf("control planes: %+v", planes)
	}
}

// TestOutsideOfDrills: pods of a copy try to reach the API server by the address that pods know, which a
// worker that drills another cluster than its own does not have.
func TestOutsideOfDrills(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "172.20.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	for kubeconfig, want := range map[string]string{"": "172.20.0.1:443", "/etc/standby": ""} {
		cfg := &config.Config{Kubernetes: config.Kubernetes{Kubeconfig: kubeconfig}}
		if got := newDrills(cfg, nil, pod{}, nil, nil, nil).APIServer; got != want {
			t.Errorf("with kubeconfig %q: %q", kubeconfig, got)
		}
	}
}
