//go:build stack

// Package volumes restores volumes end to end on simulated EBS: real API server, real
// CSI driver protocol, real bytes in the volumes' directories. Its backups are written
// by hand in Velero's form, so that what is tested is the restore alone.
package volumes

import (
	"context"
	"flag"
	"fmt"
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
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const (
	location = "aws-east"      // the VolumeSnapshotLocation of the worker's configuration
	patience = 5 * time.Minute // is spent only by what fails
	// awsCluster is the name that the workers' cluster has in AWS.
	awsCluster = "eks-of-the-tests"
	// atOnce is how many tests run at a time: they wait far more than they work.
	atOnce = "8"
	// visibility is how long EC2 hides what was just made.
	visibility = 300 * time.Millisecond
)

// lab is what the tests of this package share. Tests that change what belongs to all,
// the account's limits, the nodes, the types that are served, are not parallel: they run
// before those that are.
type lab struct {
	*harness.Lab
	ebs   *stack.EBS
	ec2   *ebs.Location
	audit *harness.AuditLog // has no contents
}

// shared is set by TestMain, before any test.
var shared *lab

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

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
	audit, err := harness.NewAuditLog(dir, "Metadata")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	limits := ebssim.Fast()
	limits.Visibility, limits.Steady = ebssim.Duration(visibility), true
	o := stack.Options{ // fast, and EC2 shows what was made soon: TestStrictAccount has an account as AWS's
		Kwok: true, EBS: true, EBSFast: true, EBSAuto: true, TemporalOnDisk: true,
		EBSOptions: ebssim.Options{Limits: &limits}, APIServerArgs: audit.Args(),
	}
	return harness.Main(m, harness.LabOptions{Name: "volumes", Stack: o, Prepare: prepare}, func(l *harness.Lab) (err error) {
		shared = &lab{Lab: l, ebs: l.Stack.EBS, audit: audit}
		shared.ec2, err = openEC2(l.Stack.EBS)
		return err
	})
}

// prepare configures a Lifeboat for the simulated account.
func prepare(s *stack.Stack) (harness.Options, []string, error) {
	return harness.Options{Edit: withVolumes(s.EBS)}, append(s.EBS.Environment(), "AWS_CLUSTER_NAME="+awsCluster), nil
}

func withVolumes(account *stack.EBS) func(*config.Config) {
	return func(c *config.Config) {
		c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{snapshotLocation(account, account.WorkerFile)}
	}
}

// openEC2 is the tests' own way to the account.
func openEC2(account *stack.EBS) (*ebs.Location, error) {
	for _, kv := range account.Environment() {
		key, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(key, value); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	limits := quota.DefaultLimits()
	limits.Apart = 0 // the simulator of these tests asks for no time between snapshots
	vsl := snapshotLocation(account, account.CredentialsFile)
	return ebs.Open(ctx, &vsl, ebs.Options{Limits: quota.NewPool(limits)})
}

func snapshotLocation(account *stack.EBS, credentials string) velerov1.VolumeSnapshotLocation {
	return velerov1.VolumeSnapshotLocation{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "VolumeSnapshotLocation"},
		ObjectMeta: metav1.ObjectMeta{Name: location},
		Spec:       velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{"region": account.Region, "credentialsFile": credentials}},
	}
}

// beside is a Lifeboat of a test's own, whose worker the test may kill and whose
// namespace it may fill. It shares the cluster and the account.
func (l *lab) beside(t *testing.T, name string) *lab {
	t.Helper()
	o := harness.Options{Cluster: name, Edit: func(c *config.Config) {
		withVolumes(l.ebs)(c)
		c.Namespace = "velero-" + name + "-" + l.ID
	}}
	return &lab{Lab: l.Beside(t, o), ebs: l.ebs, ec2: l.ec2}
}

// namespace makes one that is deleted, with its volumes, when the test is over.
func (l *lab) namespace(t *testing.T, short string) string {
	t.Helper()
	name := short + "-" + l.ID
	l.create(t, "namespaces", "", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name))
	l.cleanUp(t, name)
	return name
}

// cleanUp deletes a namespace that the test or a restore makes.
func (l *lab) cleanUp(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = l.Delete(ctx, "namespaces", "", name) // it may be on its way out
	})
}

// create makes an object from JSON.
func (l *lab) create(t *testing.T, resource, namespace, manifest string) {
	t.Helper()
	if err := l.Create(t.Context(), resource, namespace, manifest); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := l.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func textAt(obj any, path ...string) string {
	s, _ := harness.At(obj, path...).(string)
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
	l.create(t, "pvc", ns, fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":%q,"namespace":%q,"labels":{"app":"shop"}},
"spec":{"storageClassName":%q,"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":%q}}}}`, name, ns, class, size))
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
		claim := l.Object(t, "pvc", ns, name)
		if phase := textAt(claim, "status", "phase"); phase != "Bound" {
			return fmt.Errorf("phase %q", phase)
		}
		pv = l.Object(t, "pv", "", textAt(claim, "spec", "volumeName"))
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
