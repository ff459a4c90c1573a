package drill

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/drivers"
)

// TestSample: the object that is taken out of the copy is one that no controller makes again.
func TestSample(t *testing.T) {
	a := newAccount()
	for _, gr := range []string{"deployments.apps", "namespaces"} {
		a.addRestored(entry(gr, "x"), nil)
	}
	a.addRestored(entry("serviceaccounts", "default"), nil)
	if a.Sample != nil {
		t.Errorf("%+v", a.Sample)
	}
	a.addRestored(entry("services", "web"), nil)
	a.addRestored(entry("configmaps", "c"), nil)
	a.addRestored(entry("secrets", "s"), nil)
	if a.Sample == nil || a.Sample.Resource != "configmaps" {
		t.Errorf("%+v", a.Sample)
	}
}

// TestNothingRuns: where the backup has pods or controllers of pods, a copy in which nothing runs does not prove
// L4; Jobs, and what has ended, run in no copy.
func TestNothingRuns(t *testing.T) {
	for name, tc := range map[string]struct {
		gr, body string
		counts   bool
	}{
		"deployment":        {"deployments.apps", "{}", true},
		"controller":        {"replicationcontrollers", "{}", true},
		"pod":               {"pods", "{}", true},
		"of a custom kind":  {"pods", `{"metadata":{"ownerReferences":[{"apiVersion":"postgresql.cnpg.io/v1","kind":"Cluster","name":"db","controller":true}]}}`, true},
		"pod of a Job":      {"pods", `{"metadata":{"ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"j","controller":true}]}}`, false},
		"pod that has done": {"pods", `{"status":{"phase":"Succeeded"}}`, false},
		"config":            {"configmaps", "{}", false},
	} {
		inBackup := 0
		if isWorkload(tc.gr, []byte(tc.body)) {
			inBackup++
		}
		f := passed()
		// A quota is looked at with the workloads, and runs nothing.
		ready := withMissing(contract.DrillReady{Workloads: contract.DrillCheck{Checked: 1, Good: 1}}, inBackup)
		f.in.Ready = &ready
		_, l4 := f.readyLevels()
		if got := l4.Outcome != evidence.LevelProven; got != tc.counts || ready.Done() == tc.counts || tc.counts && !strings.Contains(l4.Detail, "nothing runs in the copy") {
			t.Errorf("%s: %+v", name, l4)
		}
	}
	running := contract.DrillReady{Workloads: contract.DrillCheck{Checked: 1, Good: 1}, Running: 1}
	if got := withMissing(running, 3); got != running {
		t.Errorf("%+v", got)
	}
}

// TestEmptied: a claim of which both its plan and its object tell is one volume.
func TestEmptied(t *testing.T) {
	a := newAccount()
	for range 2 {
		a.addEmptied("persistentvolumeclaims", "shop/a")
		a.addEmptied("pods", "shop/web")
	}
	if !slices.Equal(a.Emptied, []string{"claim shop/a", "pod shop/web"}) {
		t.Errorf("%q", a.Emptied)
	}
}

// TestEmptyVolumes: the account finds what got an empty volume in the place of data that is not the drill's: a
// claim of a shared disk, one of a disk that is kept, and a pod with a share of its own. No more than L4 is proven then.
func TestEmptyVolumes(t *testing.T) {
	claim := func(name, spec string) restoretest.Stored {
		return restoretest.Stored{Key: "persistentvolumeclaims n/" + name, Rest: `,"apiVersion":"v1","kind":"PersistentVolumeClaim","spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"1Gi"}}` + spec + `}`}
	}
	const share = `,"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"c","image":"i"}],"volumes":[{"name":"v","%s":{}}]}`
	run, _ := restoretest.StoredSession(t, []restoretest.Stored{
		claim("shared", `,"storageClassName":"","volumeName":"nfs"`), claim("kept", `,"storageClassName":"gp3","volumeName":"retained"`), claim("fresh", `,"storageClassName":"gp3"`),
		{Key: "pods n/mounts", Rest: fmt.Sprintf(share, "nfs")},
		{Key: "pods n/plain", Rest: fmt.Sprintf(share, "emptyDir")},
	}, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"n": "copy"}})
	run.St = memstore.New()
	run.Stage = repository.NewStaging(run.St, "uid")
	run.Restore.Isolation = &contract.Isolation{Drill: "d", Cluster: "prod"}
	run.Plan.Volumes = &restore.Volumes{Volumes: []volume.Restore{
		{PV: "nfs", Namespace: "n", Claim: "shared", Target: "copy", Selected: true},
		{PV: "retained", Namespace: "n", Claim: "kept", Target: "copy", Selected: true},
		{PV: "elsewhere", Namespace: "n", Claim: "elsewhere", Target: "copy"}, // is not of the drill
	}}
	run.Index = run.Plan.Volumes.Index()
	var records []restore.Record
	api := kubetest.Start(t)
	api.PutNamespaces("copy")
	for kind, names := range map[string][]string{"PersistentVolumeClaim": {"shared", "kept", "fresh"}, "Pod": {"mounts", "plain"}} {
		for _, name := range names {
			api.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":%q,"metadata":{"name":%q,"namespace":"copy"}}`, kind, name))
			records = append(records, restore.Record{Resource: strings.ToLower(kind) + "s", Kind: kind, From: "n/" + name, Namespace: "copy", Name: name, Action: "created"})
		}
	}
	if err := run.PutRecords(t.Context(), contract.ApplyTaskInput{}, 0, records); err != nil {
		t.Fatal(err)
	}
	s := &Service{Kube: api.Client(), Restore: &restore.Service{Kube: api.Client(), Config: &config.Config{}, Rules: resource.NewRegistry(), Technologies: drivers.All(drivers.Dependencies{})}}
	j, err := s.judge(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.addObjects(t.Context(), &heartbeat.Recorder{}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(j.account.Emptied)
	if want := []string{"claim n/kept", "claim n/shared", "pod n/mounts"}; !slices.Equal(j.account.Emptied, want) {
		t.Fatalf("%q, want %q; %+v", j.account.Emptied, want, j.account.Counts)
	}
	f := passed()
	f.account.Emptied = j.account.Emptied
	if c := f.statement().Predicate.Claim; c.Level != evidence.L4 || !strings.Contains(c.Levels[5].Detail, "the data of 3 volumes is not in the copy, which got empty ones: claim n/kept") {
		t.Errorf("%+v", c)
	}
}
