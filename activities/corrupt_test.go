package activities_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// damagedWorld is a cluster of 600 ConfigMaps and a Secret, its backup "b", and what is in it.
type damagedWorld struct {
	*queue
	api     *kubetest.Server
	st      *memstore.Store
	archive *archive.Archive
	members [][]string // of each member: the names of its ConfigMaps
}

func newDamagedWorld(t *testing.T) *damagedWorld {
	t.Helper()
	all, api := buckets{}, kubetest.Start(t, kubetest.WithIdentity("ours"))
	for i := range 600 {
		api.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("c%03d", i)}})
	}
	api.Put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}})
	w := &damagedWorld{queue: newQueue(1, newSite(t, api, all, "p", "")), api: api, st: all["p"]}
	if err := w.backup(t, "b"); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.archive, err = archive.Open(t.Context(), repository.NewSource(w.st), layout.Backup{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	for m := range w.archive.Members() {
		entries, err := w.archive.Entries(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			if e.Resource == "configmaps" {
				names = append(names, e.Name)
			}
		}
		w.members = append(w.members, names)
	}
	return w
}

// memberOfConfigMaps is the last member that has nothing but ConfigMaps.
func (w *damagedWorld) memberOfConfigMaps(t *testing.T) int {
	t.Helper()
	for m, member := range slices.Backward(w.archive.Members()) {
		if n := len(w.members[m]); n > 0 && n == member.Objects {
			return m
		}
	}
	t.Fatal("no member has ConfigMaps only")
	return 0
}

// flip changes a byte of a file.
func (w *damagedWorld) flip(key string, at int64) {
	data, _ := w.st.Object(key)
	data = slices.Clone(data)
	data[at] ^= 1
	w.st.Set(key, data)
}

func (w *damagedWorld) restore(t *testing.T, name string, in contract.RestoreInput) (contract.RestoreResult, error) {
	t.Helper()
	in.Name, in.Spec.BackupName, in.Spec.NamespaceMapping = name, "b", map[string]string{"shop": name}
	var res contract.RestoreResult
	w.result = &res
	err := w.run(t, "uid-"+name, contract.RestoreWorkflow, in)
	return res, err
}

// checkLost fails unless a restore has brought all ConfigMaps but the lost ones, and named each.
func (w *damagedWorld) checkLost(t *testing.T, res contract.RestoreResult, lost []string) {
	t.Helper()
	got := restored(w.api, res.Name)
	for m := range w.members {
		for _, name := range w.members[m] {
			if isLost := slices.Contains(lost, name); isLost == slices.Contains(got, name) {
				t.Errorf("%s: restored %t, lost %t", name, !isLost, isLost)
			}
		}
	}
	if _, there := kubetest.Get[corev1.Secret](w.api, kube.Secrets(), res.Name, "db"); !there {
		t.Error("the Secret has not come back")
	}
	if res.Phase != string(velerov1.RestorePhasePartiallyFailed) || res.Errors == 0 || !strings.Contains(strings.Join(res.Reasons, "\n"), string(report.ObjectDamaged)) {
		t.Errorf("%+v", res)
	}
	log := w.logOf(t, res.Name)
	for _, name := range lost {
		if !strings.Contains(log, name) {
			t.Errorf("%s is lost and not named", name)
		}
	}
}

func (w *damagedWorld) logOf(t *testing.T, name string) string {
	t.Helper()
	data, there := w.st.Object(layout.Restore{Name: name}.Logs())
	if !there {
		t.Fatal("no log")
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// One damaged byte costs the objects of its member, and nothing else; and nothing is restored
// unless somebody allows that.
func TestRestoreOfADamagedMember(t *testing.T) {
	w := newDamagedWorld(t)
	m := w.memberOfConfigMaps(t)
	member := w.archive.Members()[m]
	w.flip(layout.Backup{Name: "b"}.Tarball(), member.Offset+member.Size/2)
	if _, err := w.restore(t, "refused", contract.RestoreInput{}); errorType(err) != contract.ErrTypeCorrupt || len(restored(w.api, "refused")) > 0 {
		t.Errorf("not refused: %v", err)
	}
	res, err := w.restore(t, "allowed", contract.RestoreInput{AllowCorrupt: true})
	if err != nil {
		t.Fatal(err)
	}
	w.checkLost(t, res, w.members[m])
	res, err = w.restore(t, "secrets", contract.RestoreInput{AllowCorrupt: true, Spec: velerov1.RestoreSpec{IncludedResources: []string{"secrets"}}})
	if err != nil || res.Phase != string(velerov1.RestorePhaseCompleted) || res.Counts.Created == 0 {
		t.Errorf("a restore that asks for nothing of the damaged member: %+v, %v", res, err)
	}
	lost := w.members[m][0]
	res, err = w.restore(t, "one", contract.RestoreInput{AllowCorrupt: true, Names: []string{"shop/" + lost}, Spec: velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}}})
	if err != nil || res.Errors != 1 || !strings.Contains(strings.Join(res.Reasons, "\n"), "shop/"+lost) {
		t.Errorf("a restore of a lost object alone: %+v, %v", res, err)
	}
}

// Of a tarball that was cut off comes back what lies before the cut.
func TestRestoreOfATruncatedTarball(t *testing.T) {
	w := newDamagedWorld(t)
	m := w.memberOfConfigMaps(t)
	key := layout.Backup{Name: "b"}.Tarball()
	data, _ := w.st.Object(key)
	w.st.Set(key, data[:w.archive.Members()[m].Offset+10])
	res, err := w.restore(t, "cut", contract.RestoreInput{AllowCorrupt: true})
	if err != nil {
		t.Fatal(err)
	}
	got, want := restored(w.api, "cut"), slices.Concat(w.members[:m]...)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || res.Phase != string(velerov1.RestorePhasePartiallyFailed) {
		t.Errorf("%d came back, want %d: %+v", len(got), len(want), res)
	}
}

// A damaged index block costs its member too, whose objects have no names then; a damaged
// directory everything, which is said.
func TestRestoreWithADamagedIndex(t *testing.T) {
	w := newDamagedWorld(t)
	m := w.memberOfConfigMaps(t)
	block := w.archive.Members()[m].Index
	w.flip(layout.Backup{Name: "b"}.Index(), block.Offset+block.Size/2)
	res, err := w.restore(t, "block", contract.RestoreInput{AllowCorrupt: true})
	if err != nil {
		t.Fatal(err)
	}
	got := restored(w.api, "block")
	if len(got) != len(slices.Concat(w.members...))-len(w.members[m]) || !strings.Contains(strings.Join(res.Reasons, "\n"), fmt.Sprintf("%d objects", len(w.members[m]))) {
		t.Errorf("%d came back: %+v", len(got), res)
	}
	dir := w.archive.Manifest().Directory
	w.flip(layout.Backup{Name: "b"}.Index(), dir.Offset+dir.Size/2)
	_, err = w.restore(t, "directory", contract.RestoreInput{AllowCorrupt: true})
	if errorType(err) != contract.ErrTypeCorrupt || !strings.Contains(err.Error(), layout.Backup{Name: "b"}.Index()) {
		t.Errorf("%v", err)
	}
}

// What a restore does not need may be damaged.
func TestRestoreBesideDamagedVolumes(t *testing.T) {
	w := newDamagedWorld(t)
	w.st.Set(layout.Backup{Name: "b"}.VolumeInfo(), []byte("damaged"))
	if _, err := w.restore(t, "refused", contract.RestoreInput{}); errorType(err) != contract.ErrTypeCorrupt {
		t.Errorf("not refused: %v", err)
	}
	res, err := w.restore(t, "allowed", contract.RestoreInput{AllowCorrupt: true})
	if err != nil || len(restored(w.api, "allowed")) != len(slices.Concat(w.members...)) || !strings.Contains(strings.Join(res.Reasons, "\n"), string(report.BackupCorrupt)) {
		t.Errorf("%+v, %v", res, err)
	}
}
