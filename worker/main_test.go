package main

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// A location whose Secret, or its key, is not there cannot be used, however often it is tried.
func TestSecretsOf(t *testing.T) {
	s := kubetest.Start(t)
	s.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "lifeboat", Name: "cloud"}, Data: map[string][]byte{"key": []byte("x")}})
	read := secretsOf("lifeboat", s.Client())
	for key, want := range map[[2]string]string{{"cloud", "key"}: "", {"cloud", "other"}: contract.ErrTypeLocation, {"other", "key"}: contract.ErrTypeLocation} {
		value, err := read(t.Context(), key[0], key[1])
		if kind := failure.TypeOf(fmt.Errorf("spec.credential: %w", err)); kind != want || want == "" && string(value) != "x" {
			t.Errorf("%s: %q, %v", key, value, err)
		}
	}
}
