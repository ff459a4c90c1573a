package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func veleroPath(namespace, resource, name string) string {
	return "/apis/velero.io/v1/namespaces/" + namespace + "/" + resource + "/" + name
}

// install puts into the cluster what `velero install` would, without Pods: the
// server runs here, but reads its own Deployment when it restores.
func (v *Velero) install(ctx context.Context, o VeleroOptions) error {
	if err := v.installCRDs(ctx); err != nil {
		return err
	}
	if err := v.stack.NewBucket(ctx, o.Bucket); err != nil {
		return err
	}
	objects := []placed{
		{"/api/v1/namespaces/" + v.Namespace, namespaceObject(v.Namespace)},
		{"/apis/apps/v1/namespaces/" + v.Namespace + "/deployments/velero", veleroDeployment(v.Namespace)},
		{veleroPath(v.Namespace, "backupstoragelocations", "default"), v.location(o)},
	}
	if v.stack.EBS != nil {
		objects = append(objects, placed{veleroPath(v.Namespace, "volumesnapshotlocations", "default"), v.snapshotLocation()})
	}
	for _, x := range objects {
		if err := v.stack.applyObject(ctx, x.path, x.object); err != nil {
			return err
		}
	}
	return nil
}

// placed is an object and where it goes.
type placed struct {
	path   string
	object any
}

func (v *Velero) installCRDs(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, v.binary, "install", "--crds-only", "--dry-run", "-o", "json", "--kubeconfig="+v.stack.Kubeconfig)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list CRDs: %w", err)
	}
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(out, &list); err != nil {
		return fmt.Errorf("read CRDs: %w", err)
	}
	var names []string
	for _, item := range list.Items {
		var crd struct{ Metadata struct{ Name string } }
		if err := json.Unmarshal(item, &crd); err != nil {
			return fmt.Errorf("read CRD: %w", err)
		}
		names = append(names, crd.Metadata.Name)
		if err := v.stack.kube().apply(ctx, crdPath+crd.Metadata.Name, item); err != nil {
			return err
		}
	}
	return v.stack.waitEstablished(ctx, names)
}

func (v *Velero) location(o VeleroOptions) any {
	return map[string]any{
		"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
		"metadata": map[string]any{"name": "default", "namespace": v.Namespace},
		"spec": map[string]any{
			"provider": "aws", "default": true,
			"objectStorage": map[string]string{"bucket": o.Bucket, "prefix": o.Prefix},
			"config": map[string]string{
				"region": v.stack.S3.Region, "s3Url": o.S3Endpoint, "s3ForcePathStyle": "true", "checksumAlgorithm": "",
			},
		},
	}
}

func (v *Velero) snapshotLocation() any {
	return map[string]any{
		"apiVersion": "velero.io/v1", "kind": "VolumeSnapshotLocation",
		"metadata": map[string]any{"name": "default", "namespace": v.Namespace},
		"spec":     map[string]any{"provider": "aws", "config": map[string]string{"region": v.stack.EBS.Region}},
	}
}

func namespaceObject(name string) any {
	return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}
}

func veleroDeployment(namespace string) any {
	labels := map[string]string{"deploy": "velero"}
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "velero", "namespace": namespace},
		"spec": map[string]any{
			"replicas": 0,
			"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec": map[string]any{"containers": []any{
					map[string]any{"name": "velero", "image": "velero/velero:v1.18.3"},
				}},
			},
		},
	}
}

// prepareFiles makes the plugin folder, credentials and scratch space of a server.
func (v *Velero) prepareFiles() (plugins string, env []string, err error) {
	home := v.stack.data(v.service())
	plugins, scratch := filepath.Join(home, "plugins"), filepath.Join(home, "scratch")
	if err := makeDirs(plugins, scratch); err != nil {
		return "", nil, err
	}
	plugin, err := Binary("velero-plugin-for-aws")
	if err != nil {
		return "", nil, err
	}
	if err := link(plugin, filepath.Join(plugins, "velero-plugin-for-aws")); err != nil {
		return "", nil, err
	}
	// Plugins bind sockets in TMPDIR, and a socket's path has 107 bytes at most.
	temp, err := filepath.Rel(v.stack.Dir, scratch) // the server runs in the stack's folder
	if err != nil {
		return "", nil, err
	}
	credentials := filepath.Join(home, "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n", v.stack.S3.AccessKey, v.stack.S3.SecretKey)
	env = []string{
		"VELERO_NAMESPACE=" + v.Namespace, "VELERO_SCRATCH_DIR=" + scratch, "TMPDIR=" + temp, "HOME=" + home,
		"AWS_SHARED_CREDENTIALS_FILE=" + credentials, "AWS_EC2_METADATA_DISABLED=true",
	}
	return plugins, env, writeSecret(credentials, []byte(text))
}

// link makes a hard link, or a copy where the file system cannot: Velero takes
// no symbolic link for a plugin.
func link(from, to string) error {
	if exists(to) {
		return nil
	}
	if os.Link(from, to) == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}
