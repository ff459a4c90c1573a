package show_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

func at(minute int) *metav1.Time {
	return &metav1.Time{Time: time.Date(2026, 1, 2, 3, minute, 5, 0, time.UTC)}
}

func backup() velerov1.Backup {
	no, yes := false, true
	return velerov1.Backup{
		TypeMeta:   metav1.TypeMeta{APIVersion: "velero.io/v1", Kind: "Backup"},
		ObjectMeta: metav1.ObjectMeta{Name: "nightly", Labels: map[string]string{"b": "2", "a": "1"}},
		Spec: velerov1.BackupSpec{
			IncludedNamespaces: []string{"shop", "pay-*"}, ExcludedResources: []string{"events"}, IncludeClusterResources: &no,
			LabelSelector:   &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			StorageLocation: "default", TTL: metav1.Duration{Duration: 720 * time.Hour},
			CSISnapshotTimeout: metav1.Duration{Duration: 20 * time.Minute}, VolumeSnapshotLocations: []string{"east"}, SnapshotVolumes: &yes,
			ResourcePolicy: &corev1.TypedLocalObjectReference{Kind: "configmap", Name: "policies"},
			Hooks: velerov1.BackupHooks{Resources: []velerov1.BackupResourceHookSpec{{
				Name: "freeze", IncludedNamespaces: []string{"shop"}, PreHooks: make([]velerov1.BackupResourceHook, 1), PostHooks: make([]velerov1.BackupResourceHook, 2),
			}}},
			OrderedResources: map[string]string{"pods": "shop/a,shop/b"},
		},
		Status: velerov1.BackupStatus{
			Phase: "PartiallyFailed", Errors: 1, Warnings: 1, FormatVersion: "1.1.0",
			StartTimestamp: at(1), CompletionTimestamp: at(2), Expiration: at(3),
			Progress:                 &velerov1.BackupProgress{TotalItems: 10, ItemsBackedUp: 9},
			VolumeSnapshotsAttempted: 2, VolumeSnapshotsCompleted: 1, CSIVolumeSnapshotsAttempted: 1, CSIVolumeSnapshotsCompleted: 1,
			HookStatus: &velerov1.HookStatus{HooksAttempted: 3, HooksFailed: 1},
		},
	}
}

const results = `{"errors":{"velero":["the run"],"namespaces":{"shop":["[LIST_FAILED] pods: no. Next: look"]}},"warnings":{"cluster":["crd x"]}}`

func backupVolumes() show.Volumes {
	return show.Volumes{More: 1200, List: []contract.VolumeSummary{
		{Namespace: "shop", Claim: "bad", PV: "pvc-0", Method: "NativeSnapshot", Result: "failed", Type: "gp3", Zone: "us-east-1a"},
		{Namespace: "shop", Claim: "tmp", PV: "pvc-4", Skipped: true, SkippedReason: "a resource policy skips it"},
		{Namespace: "shop", Claim: "none", Result: "failed"},
		{PV: "pvc-5", Skipped: true, SkippedReason: "no\x1b[31m claim"},
		{Namespace: "shop", Claim: "data", PV: "pvc-1", Method: "NativeSnapshot", Result: "succeeded", Snapshot: "snap-1", Type: "io2", Zone: "us-east-1a", IOPS: "3000"},
		{
			Namespace: "shop", Claim: "logs", PV: "pvc-2", Method: "CSISnapshot", Result: "succeeded", Snapshot: "snap-2", Bytes: 1 << 30,
			Driver: "ebs.csi.aws.com", Content: "snapcontent-2", Operation: "shop/velero-logs/2026-01-02T03:04:05Z",
		},
		{Namespace: "shop", Claim: "cold", PV: "pvc-3", Method: "CSISnapshot", Result: "succeeded", Moved: true, Snapshot: "k1", Bytes: 4096, Operation: "du-1", Uploader: "kopia"},
		{Method: "PodVolumeBackup", Result: "succeeded", Snapshot: "k2", Pod: "shop/web-0", PodVolume: "scratch", Uploader: "kopia"},
	}}
}

func TestBackupView(t *testing.T) {
	view := show.BackupView{
		Backup: backup(),
		Facts: show.Facts{
			Volumes: backupVolumes(), Results: []byte(results), Resources: map[string][]string{"v1/Pod": {"shop/a"}, "apps/v1/Deployment": {"shop/b", "shop/c"}},
			Details: &contract.Details{UID: "u", Cluster: "prod", Bytes: 5 << 20, Members: 7, ManifestSHA: "ab", Conditional: true},
		},
	}
	var out bytes.Buffer
	if err := view.Print(&out); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/backup.txt", "the output", out.String())
	out.Reset()
	view.Blocks = true
	if err := view.Print(&out); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/backup-details.txt", "the output", out.String())
	out.Reset()
	if err := show.Document(&out, show.FormatYAML, view.Document()); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/backup.yaml", "the output", out.String())
}

func TestScopedFilters(t *testing.T) {
	b := velerov1.Backup{Spec: velerov1.BackupSpec{IncludedClusterScopedResources: []string{"*"}, ExcludedNamespaceScopedResources: []string{"events"}}}
	var out bytes.Buffer
	if err := (show.BackupView{Backup: b, Facts: show.Facts{Results: []byte("{")}}).Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Included cluster-scoped:    *", "Excluded namespace-scoped:  events", "not readable"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestRestoreView(t *testing.T) {
	view := show.RestoreView{Facts: show.Facts{Results: []byte(results), Volumes: show.Volumes{More: 1, List: []contract.VolumeSummary{
		{Namespace: "copy", Claim: "data", PV: "pvc-1", Method: "NativeSnapshot", Snapshot: "snap-1", Zone: "us-east-1a"},
		{Namespace: "copy", Claim: "logs", Method: "CSISnapshot", Snapshot: "snap-2"},
		{Method: "PodVolumeRestore", Pod: "copy/web-0"},
	}}}, Restore: velerov1.Restore{
		ObjectMeta: metav1.ObjectMeta{Name: "back"},
		Spec: velerov1.RestoreSpec{
			BackupName: "nightly", NamespaceMapping: map[string]string{"shop": "copy", "a": "b"}, ExistingResourcePolicy: "update",
			RestoreStatus: &velerov1.RestoreStatusSpec{IncludedResources: []string{"workflows"}},
		},
		Status: velerov1.RestoreStatus{Phase: "Completed", StartTimestamp: at(1), CompletionTimestamp: at(2), Progress: &velerov1.RestoreProgress{TotalItems: 4, ItemsRestored: 4}, HookStatus: &velerov1.HookStatus{HooksAttempted: 3, HooksFailed: 1}},
	}}
	var out bytes.Buffer
	if err := view.Print(&out); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/restore.txt", "the output", out.String())
}

func TestRunView(t *testing.T) {
	view := show.RunView{
		Kind: "Backup", Name: "busy", Phase: "InProgress", Progress: "[00:01]  InProgress", Trouble: "ExportShard, attempt 3: api down",
		Workflow: "backup:prod:busy", Run: "r", Started: at(1).Time, Closed: at(2).Time, Failure: "f", Location: "l", Selector: "a=b",
	}
	var out bytes.Buffer
	if err := view.Print(&out); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/run.txt", "the output", out.String())
}

func TestDocumentKeepsWhatUsersSay(t *testing.T) {
	b := velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: "x", Labels: map[string]string{"k": "0s"}}}
	var out bytes.Buffer
	if err := show.Document(&out, show.FormatJSON, b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"k": "0s"`) || strings.Contains(out.String(), "ttl") {
		t.Error(out.String())
	}
	if err := show.Document(&out, "xml", b); err == nil {
		t.Error("xml was printed")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("pipe closed") }

// A closed pipe is an error, not a success.
func TestWriteErrors(t *testing.T) {
	for name, print := range map[string]func() error{
		"table":    func() error { return show.Table(broken{}, []string{"A"}, nil) },
		"document": func() error { return show.Document(broken{}, show.FormatYAML, 1) },
		"backup":   func() error { return show.BackupView{}.Print(broken{}) },
		"restore":  func() error { return show.RestoreView{}.Print(broken{}) },
		"run":      func() error { return show.RunView{}.Print(broken{}) },
		"plan":     func() error { return show.Plan(broken{}, strings.NewReader(`{"action":"create"}`)) },
	} {
		if err := print(); err == nil || !strings.Contains(err.Error(), "pipe closed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestText(t *testing.T) {
	now := at(0).Time
	for got, want := range map[string]string{
		show.Bytes(0):                            "0 B",
		show.Bytes(1023):                         "1023 B",
		show.Bytes(1536):                         "1.5 KiB",
		show.Bytes(5 << 30):                      "5.0 GiB",
		show.Bytes(1 << 60):                      "1024.0 PiB",
		show.Count(0):                            "0",
		show.Count(999):                          "999",
		show.Count(1000):                         "1,000",
		show.Count(-1234567):                     "-1,234,567",
		show.Plural(1, "object"):                 "1 object",
		show.Plural(2, "object"):                 "2 objects",
		show.Clock(7 * time.Second):              "00:07",
		show.Clock(754 * time.Second):            "12:34",
		show.Clock(3723 * time.Second):           "1:02:03",
		show.FromNow(time.Time{}, now):           "n/a",
		show.FromNow(now.Add(49*time.Hour), now): "2d",
		show.FromNow(now.Add(-time.Hour), now):   "1h ago",
		show.Time(time.Time{}):                   "<nil>",
		show.Clean("a\nb\x1b[31mc\u009bd\té"):    "a b[31mcd é",
		show.Time(now):                           "2026-01-02 03:00:05 +0000 UTC",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
