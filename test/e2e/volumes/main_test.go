//go:build stack

// Package volumes restores volumes end to end on simulated EBS: real API server, real
// CSI driver protocol, real bytes in the volumes' directories. Its backups are written
// by hand in Velero's form, so that what is tested is the restore alone.
package volumes

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	location = "aws-east" // the VolumeSnapshotLocation of the worker's configuration
	patience = 60 * time.Second
	// awsCluster is the name that the workers' cluster has in AWS.
	awsCluster = "eks-of-the-tests"
)

// lab is what the tests of this package share.
type lab struct {
	*harness.Harness
	ebs    *stack.EBS
	ec2    *ebs.Location
	worker *harness.Worker
	bin    harness.Binaries
	id     string // tells this run's names from those of an earlier one on the same stack
}

// shared is set by TestMain, before any test.
var shared *lab

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// atOnce is how many of the tests that bear company run at a time: they wait more than
// they work.
const atOnce = "6"

func testMain(m *testing.M) int {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "lifeboat-volumes-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	code := stack.Main(m, stack.Options{Kwok: true, EBS: true, TemporalOnDisk: true}, func(s *stack.Stack) {
		if shared, err = newLab(s, dir); err != nil {
			fmt.Fprintln(os.Stderr, "start the worker:", err)
			os.Exit(1)
		}
	})
	if shared != nil {
		shared.worker.Kill()
		shared.Close()
	}
	return code
}

func newLab(s *stack.Stack, dir string) (*lab, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	bin, err := harness.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	l := &lab{ebs: s.EBS, bin: bin, id: fmt.Sprintf("%05x", rand.IntN(1<<20))}
	for _, kv := range s.EBS.Environment() { // for this process's own client
		key, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(key, value); err != nil {
			return nil, err
		}
	}
	if err := os.Setenv("AWS_CLUSTER_NAME", awsCluster); err != nil { // for the workers
		return nil, err
	}
	vsl := l.snapshotLocation()
	limits := quota.DefaultLimits()
	limits.Apart = 0 // the simulator of these tests asks for no time between snapshots
	if l.ec2, err = ebs.Open(ctx, &vsl, ebs.Options{Limits: quota.NewPool(limits)}); err != nil {
		return nil, err
	}
	o := harness.Options{Cluster: "volumes-" + l.id, Edit: func(c *config.Config) {
		c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{vsl}
	}}
	if l.Harness, err = harness.New(ctx, s, bin, dir, o); err != nil {
		return nil, err
	}
	l.worker, err = l.StartWorker(ctx, s.EBS.Environment()...)
	return l, err
}

func (l *lab) snapshotLocation() velerov1.VolumeSnapshotLocation {
	return velerov1.VolumeSnapshotLocation{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "VolumeSnapshotLocation"},
		ObjectMeta: metav1.ObjectMeta{Name: location},
		Spec:       velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{"region": l.ebs.Region, "credentialsFile": l.ebs.CredentialsFile}},
	}
}

// namespace makes one that is deleted, with its volumes, when the test is over.
func (l *lab) namespace(t *testing.T, short string) string {
	t.Helper()
	name := short + "-" + l.id
	l.kubectl(t, "", "create", "namespace", name)
	l.cleanUp(t, name)
	return name
}

// cleanUp deletes a namespace that the test or a restore makes.
func (l *lab) cleanUp(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _ = l.Kubectl(ctx, "", "delete", "namespace", name, "--ignore-not-found", "--wait=false")
	})
}

func (l *lab) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := l.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// object reads one object, nil if there is none.
func (l *lab) object(t *testing.T, resource, namespace, name string) map[string]any {
	t.Helper()
	args := []string{"get", resource, name, "-o", "json", "--ignore-not-found"}
	if namespace != "" {
		args = append(args, "-n", namespace)
	}
	out := l.kubectl(t, "", args...)
	if strings.TrimSpace(out) == "" {
		return nil
	}
	var obj map[string]any
	if err := json.Unmarshal([]byte(out), &obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

// at follows a path into an object.
func at(obj any, path ...string) any {
	for _, p := range path {
		m, ok := obj.(map[string]any)
		if !ok {
			return nil
		}
		obj = m[p]
	}
	return obj
}

func textAt(obj any, path ...string) string {
	s, _ := at(obj, path...).(string)
	return s
}

// eventually tries until done returns nil.
func eventually(t *testing.T, what string, done func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// claim makes a claim that is bound at once and writes text into its volume.
func (l *lab) claim(t *testing.T, ns, name, text string) {
	t.Helper()
	l.claimOf(t, ns, name, stack.EBSClassNow, "2Gi", text)
}

// claimOf is claim for a storage class that makes volumes at once.
func (l *lab) claimOf(t *testing.T, ns, name, class, size, text string) {
	t.Helper()
	l.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":%q,"namespace":%q,"labels":{"app":"shop"}},
"spec":{"storageClassName":%q,"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":%q}}}}`, name, ns, class, size), "apply", "-f", "-")
	l.bound(t, ns, name)
	if err := writeFile(l.file(t, ns, name), text); err != nil {
		t.Fatal(err)
	}
}

// bound waits until a claim is, and returns its volume.
func (l *lab) bound(t *testing.T, ns, name string) map[string]any {
	t.Helper()
	var pv map[string]any
	eventually(t, "claim "+ns+"/"+name, func() error {
		claim := l.object(t, "pvc", ns, name)
		if phase := textAt(claim, "status", "phase"); phase != "Bound" {
			return fmt.Errorf("phase %q", phase)
		}
		pv = l.object(t, "pv", "", textAt(claim, "spec", "volumeName"))
		if pv == nil {
			return fmt.Errorf("no volume")
		}
		return nil
	})
	return pv
}

// disk is the EBS volume of a claim.
func (l *lab) disk(t *testing.T, ns, name string) string {
	return textAt(l.bound(t, ns, name), "spec", "csi", "volumeHandle")
}

// file is where a claim's volume keeps what the tests write.
func (l *lab) file(t *testing.T, ns, name string) string {
	t.Helper()
	dir, err := l.ebs.VolumeDir(t.Context(), l.disk(t, ns, name))
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data.txt")
}

// content is what a claim's volume holds.
func (l *lab) content(t *testing.T, ns, name string) string {
	t.Helper()
	data, err := os.ReadFile(l.file(t, ns, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// later runs kubectl when the test is over.
func (l *lab) later(t *testing.T, args ...string) {
	t.Cleanup(func() {
		if _, err := l.Kubectl(context.Background(), "", args...); err != nil {
			t.Error(err)
		}
	})
}

// deleteNamespace waits until the namespace and the volumes of its claims are gone.
func (l *lab) deleteNamespace(t *testing.T, name string) {
	t.Helper()
	l.kubectl(t, "", "delete", "namespace", name, "--timeout="+patience.String())
}

// cleanup is a context that also lives after the test.
func cleanup(t *testing.T) context.Context {
	if t.Context().Err() == nil {
		return t.Context()
	}
	return context.Background()
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }
