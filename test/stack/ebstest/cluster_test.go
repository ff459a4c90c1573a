//go:build stack

package ebstest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

var (
	claims    = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	volumes   = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
	pods      = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	snapshots = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
	contents  = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshotcontents"}
)

// cluster is a stack and a client of it, within one namespace: default.
type cluster struct {
	*stack.Stack
	t   *testing.T
	api dynamic.Interface
}

func connect(t *testing.T, s *stack.Stack) *cluster {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 1000, 2000
	api, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{Stack: s, t: t, api: api}
}

func (c *cluster) in(kind schema.GroupVersionResource) dynamic.ResourceInterface {
	if kind == volumes || kind == contents {
		return c.api.Resource(kind)
	}
	return c.api.Resource(kind).Namespace("default")
}

func (c *cluster) create(kind schema.GroupVersionResource, text string) {
	c.t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in(kind).Create(c.t.Context(), object, metav1.CreateOptions{}); err != nil {
		c.t.Error(err) // not Fatal: it is called side by side
	}
}

func (c *cluster) delete(kind schema.GroupVersionResource, name string) {
	c.t.Helper()
	if err := c.in(kind).Delete(c.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) get(kind schema.GroupVersionResource, name string) *unstructured.Unstructured {
	c.t.Helper()
	object, err := c.in(kind).Get(c.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return object
}

// await waits until a field of an object has a value, and gives the object.
func (c *cluster) await(kind schema.GroupVersionResource, name string, want any, path ...string) *unstructured.Unstructured {
	c.t.Helper()
	var last *unstructured.Unstructured
	c.until(kind.Resource+" "+name, func(ctx context.Context) bool {
		object, err := c.in(kind).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		last = object
		got, _, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
		return got == want
	})
	return last
}

func (c *cluster) until(what string, done func(context.Context) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			c.t.Fatalf("%s: not as it should be after a minute", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// claim makes one of a class, from a snapshot if one is named.
func (c *cluster) claim(name, class, from string) {
	c.t.Helper()
	text := `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ` + name + `}
spec:
  storageClassName: ` + class + `
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}`
	if from != "" {
		text += "\n  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: " + from + "}"
	}
	c.create(claims, text)
}

// pod makes one that uses a claim, in a zone.
func (c *cluster) pod(name, zone, claim string) {
	c.t.Helper()
	c.create(pods, `
apiVersion: v1
kind: Pod
metadata: {name: `+name+`}
spec:
  nodeSelector: {topology.kubernetes.io/zone: `+zone+`}
  containers: [{name: main, image: "example.com/main:1", volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: `+claim+`}}]`)
}

// bound waits for a claim and gives the id of its volume in EC2.
func (c *cluster) bound(name string) (volumeID string) {
	c.t.Helper()
	claim := c.await(claims, name, "Bound", "status", "phase")
	pv, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
	id, _, _ := unstructured.NestedString(c.get(volumes, pv).Object, "spec", "csi", "volumeHandle")
	return id
}

// gone waits until EC2 has a volume no more.
func (c *cluster) gone(volumeID string) {
	c.t.Helper()
	c.until("volume deleted", func(context.Context) bool { _, ok := c.volume(volumeID); return !ok })
}

func (c *cluster) snapshot(name, claim string) {
	c.t.Helper()
	c.create(snapshots, `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: `+name+`}
spec: {volumeSnapshotClassName: `+stack.EBSSnapshotClass+`, source: {persistentVolumeClaimName: `+claim+`}}`)
}

// ready waits for a snapshot and gives its id in EC2.
func (c *cluster) ready(name string) (snapshotID string) {
	c.t.Helper()
	snapshot := c.await(snapshots, name, true, "status", "readyToUse")
	content, _, _ := unstructured.NestedString(snapshot.Object, "status", "boundVolumeSnapshotContentName")
	id, _, _ := unstructured.NestedString(c.get(contents, content).Object, "status", "snapshotHandle")
	return id
}

func (c *cluster) file(volumeID, name string) string {
	c.t.Helper()
	dir, err := c.EBS.VolumeDir(c.t.Context(), volumeID)
	if err != nil {
		c.t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func (c *cluster) write(volumeID, name, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.file(volumeID, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) read(volumeID, name string) string {
	c.t.Helper()
	text, err := os.ReadFile(c.file(volumeID, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}
