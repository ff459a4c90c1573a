//go:build stack

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane/controlplanetest"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/images"
)

const planeImage = "lifeboat.test/control-plane"

// TestRehearsalInPods: the suite of providers with control planes that are pods of the node, and a
// backup that comes back in one as it was.
func TestRehearsalInPods(t *testing.T) {
	c, image := plain(t), importPlane(t)
	namespace := "rehearsals-" + id
	c.kubectl(t, "create", "namespace", namespace)
	t.Cleanup(func() { _, _ = c.Kubectl(t.Context(), "", "delete", "namespace", namespace, "--wait=false") })
	config, err := kube.Config(c.Stack.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(config, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	provider := &controlplane.Pods{Kube: client, Namespace: namespace, APIServer: image, Etcd: image}
	controlplanetest.Run(t, func(t *testing.T) (controlplane.Provider, func() []string) {
		return provider, func() []string { return c.planes(t, namespace) }
	})
	t.Run("a rehearsal", func(t *testing.T) { rehearseIn(t, provider) })
	t.Run("goes with its worker", func(t *testing.T) {
		c.goesWithItsWorker(t, &controlplane.Pods{Kube: client, Namespace: namespace, Worker: "worker", APIServer: image, Etcd: image})
	})
	if left := c.planes(t, namespace); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// goesWithItsWorker deletes the pod that owns a control plane, as a worker's does that is gone.
func (c cluster) goesWithItsWorker(t *testing.T, p *controlplane.Pods) {
	c.applyIn(t, p.Namespace, `{apiVersion: v1, kind: Pod, metadata: {name: `+p.Worker+`}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "docker.io/library/busybox:1.35", command: [sleep, "100000"]}]}}`)
	plane, err := p.Start(t.Context(), controlplane.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Stop()
	if len(c.planes(t, p.Namespace)) != 3 {
		t.Errorf("there are %v", c.planes(t, p.Namespace))
	}
	c.kubectl(t, "delete", "pod", "-n", p.Namespace, p.Worker, "--wait=false")
	within(t, patience, "the control plane goes", func() error {
		if left := c.planes(t, p.Namespace); len(left) > 0 {
			return fmt.Errorf("left are %v", left)
		}
		return nil
	})
	select {
	case err := <-plane.Ended:
		t.Log(err)
	case <-time.After(patience):
		t.Error("nobody tells that it has ended")
	}
}

// planes are the objects of control planes that there are and that nobody deletes.
func (c cluster) planes(t *testing.T, namespace string) []string {
	t.Helper()
	out := c.kubectl(t, "get", "pods,secrets,networkpolicies", "-n", namespace, "-l", "app.kubernetes.io/name=lifeboat-rehearsal",
		"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.deletionTimestamp}{"\n"}{end}`)
	return slices.DeleteFunc(strings.Fields(out), func(line string) bool { return !strings.HasSuffix(line, "=") })
}

// importPlane gives the node an image with the two programs of the stack, and returns its name by
// digest.
func importPlane(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		path, err := stack.Binary(name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "bin", name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := planeImage + ":" + id
	if err := images.WriteArchive(f, name, root, images.Config{Env: []string{"PATH=/bin"}, User: "65532:65532"}); err != nil {
		t.Fatal(err)
	}
	byDigest, err := shared.ImportImageByDigest(t.Context(), archive, name)
	if err != nil {
		t.Fatal(err)
	}
	return byDigest
}

// rehearseIn restores a backup of 200 objects in a control plane of the provider.
func rehearseIn(t *testing.T, planes controlplane.Provider) {
	objects := []rehearsaltest.Object{rehearsaltest.Parse(t, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`)}
	for i := range 200 {
		objects = append(objects, rehearsaltest.Parse(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%d","namespace":"shop"},"data":{"a":"b"}}`, i)))
	}
	st := memstore.New()
	rehearsaltest.Put(t, st, "b", objects...)
	res, err := rehearsaltest.Service(st, planes, nil).Rehearse(t.Context(), &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b"})
	if err != nil || res.Level != contract.LevelEqual {
		t.Errorf("%+v, %v", res, err)
	}
}
