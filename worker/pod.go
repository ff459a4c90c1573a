package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

// namespaceFile is where the kubelet tells a pod its namespace, beside the token that the worker
// reaches the API server with.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// pod is the one that this process runs in. The worker's own Secrets are in its namespace, and so
// are the pods that it makes for itself.
type pod struct {
	name      string // "" outside of the cluster that the worker serves
	namespace string
}

// ownPod finds the worker's pod. With a kubeconfig it may be a pod of another cluster, or none:
// then the namespace of the configuration is the worker's too.
func ownPod(cfg *config.Config, file string) (pod, error) {
	if cfg.Kubernetes.Kubeconfig != "" {
		return pod{namespace: cfg.Namespace}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return pod{}, fmt.Errorf("namespace of the worker's pod: %w; mount the token of its ServiceAccount as Kubernetes does by itself", err)
	}
	return pod{name: os.Getenv("POD_NAME"), namespace: string(bytes.TrimSpace(text))}, nil
}
