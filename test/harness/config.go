package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

// configure writes lifeboat.yaml, credentials and, for a proxied API server, a
// kubeconfig of its own.
func (h *Harness) configure(o Options) error {
	kubeconfig, err := h.kubeconfig(o.API, o.Token)
	if err != nil {
		return err
	}
	credentials := filepath.Join(h.Dir, "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", h.Stack.S3.AccessKey, h.Stack.S3.SecretKey)
	if err := os.WriteFile(credentials, []byte(text), 0o600); err != nil {
		return err
	}
	h.Config = &config.Config{
		Cluster:    o.Cluster,
		Kubernetes: config.Kubernetes{Kubeconfig: kubeconfig},
		Temporal:   config.Temporal{Address: o.Temporal, Namespace: h.Stack.Temporal.Namespace},
		Metrics:    config.Listener{Listen: config.Off}, Health: config.Listener{Listen: config.Off},
		Log:                    config.Log{Format: "text"},
		Retention:              config.Retention{Manual: true}, // tests look at what a run asks for, and at nothing beside it
		Verification:           config.Verification{Manual: true},
		BackupStorageLocations: []velerov1.BackupStorageLocation{h.location(o, credentials)},
	}
	if o.Edit == nil {
		o.Edit = func(*config.Config) {}
	}
	return h.Reconfigure(o.Edit)
}

// Reconfigure changes the configuration of workers that are started from now on.
func (h *Harness) Reconfigure(edit func(*config.Config)) error {
	edit(h.Config)
	for _, l := range h.Config.BackupStorageLocations {
		if o := l.Spec.ObjectStorage; o != nil {
			_ = h.Stack.AllowLocation(o.Bucket, o.Prefix) // what cannot be a location's is for the worker to refuse
		}
	}
	data, err := marshal(h.Config)
	if err != nil {
		return err
	}
	return os.WriteFile(h.path, data, 0o600)
}

func (h *Harness) location(o Options, credentials string) velerov1.BackupStorageLocation {
	endpoint, bucket, prefix := h.Stack.S3.Endpoint, o.Bucket, o.Prefix
	if o.S3 != "" {
		endpoint = "http://" + o.S3
	}
	if bucket == "" {
		bucket = h.Stack.S3.Bucket
	}
	if prefix == "" {
		prefix = o.Cluster
	}
	return velerov1.BackupStorageLocation{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "BackupStorageLocation"},
		ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "velero"},
		Spec: velerov1.BackupStorageLocationSpec{
			Provider: "aws", Default: true,
			StorageType: velerov1.StorageType{ObjectStorage: &velerov1.ObjectStorageLocation{Bucket: bucket, Prefix: prefix}},
			Config: map[string]string{
				"region": h.Stack.S3.Region, "s3Url": endpoint, "s3ForcePathStyle": "true",
				"credentialsFile": credentials, "checksumAlgorithm": "",
			},
		},
	}
}

// kubeconfig is the stack's, or a copy that goes through a proxy, with a token of its own if it is given
// one. The API server's
// certificate is for 127.0.0.1, whatever the port.
func (h *Harness) kubeconfig(proxy, token string) (string, error) {
	if proxy == "" {
		return h.Stack.Kubeconfig, nil
	}
	data, err := os.ReadFile(h.Stack.Kubeconfig)
	if err != nil {
		return "", err
	}
	path := filepath.Join(h.Dir, "kubeconfig")
	text := strings.ReplaceAll(string(data), h.Stack.APIServer, "https://"+proxy)
	if token != "" {
		text = strings.ReplaceAll(text, h.Stack.AdminToken, token)
	}
	return path, os.WriteFile(path, []byte(text), 0o600)
}
