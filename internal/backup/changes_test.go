package backup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// nights are backups of one schedule, each judged against the one before.
type nights struct {
	t       *testing.T
	st      *memstore.Store
	service *Service
	n       int
}

func newNights(t *testing.T) *nights {
	return &nights{t: t, st: memstore.New(), service: &Service{Config: &config.Config{Cluster: "prod", Changes: config.Changes{Window: change.DefaultWindow}}}}
}

func secretsOf(n int, value string) (out []repositorytest.Object) {
	for i := range n {
		out = append(out, repositorytest.Object{
			Key:  archive.Key{Resource: "secrets", Version: "v1", Namespace: "shop", Name: fmt.Sprintf("s-%02d", i)},
			Body: fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"data":{"k":%q}}`, time.Now(), value),
		})
	}
	return out
}

// take judges and commits the objects as the next backup.
func (n *nights) take(objects []repositorytest.Object, found ...report.Reason) (*contract.BackupChanges, []report.Reason) {
	n.t.Helper()
	n.n++
	ctx, name := n.t.Context(), fmt.Sprintf("night-%d", n.n)
	started := time.Date(2026, 1, n.n, 2, 0, 0, 0, time.UTC)
	uid := "uid-" + name
	refs, err := repositorytest.Stage(ctx, n.st, uid, started, objects)
	if err != nil {
		n.t.Fatal(err)
	}
	staged, err := archive.OpenStaged(repository.NewSource(n.st), refs)
	if err != nil {
		n.t.Fatal(err)
	}
	in := contract.BackupInput{Name: name, Labels: map[string]string{"velero.io/schedule-name": "nightly"}}
	run := &Run{Store: n.st, Plan: Plan{UID: uid, Started: started, Backup: in}, Layout: layout.Backup{Name: name}}
	changes, reasons, err := n.service.JudgeChanges(ctx, run, staged, found)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := repositorytest.Commit(ctx, n.st, repositorytest.Backup{Name: name, UID: uid, Started: started, Objects: objects}); err != nil {
		n.t.Fatal(err)
	}
	for range 2 { // it may repeat
		if text, err := n.service.rememberChanges(ctx, n.st, contract.BackupRef{Name: name, UID: uid}, started, changes); err != nil || text != "" {
			n.t.Fatal(text, err)
		}
	}
	return changes, reasons
}

func (n *nights) holdOf(night int) string {
	n.t.Helper()
	name := fmt.Sprint("night-", night)
	said, err := beside.ReadRetention(n.t.Context(), n.st, name, "uid-"+name)
	if err != nil {
		n.t.Fatal(err)
	}
	return said.Hold
}

// TestUnusualBackupHoldsTheOneBefore: three nights, of which the second only moves revisions
// and the third rewrites every Secret.
func TestUnusualBackupHoldsTheOneBefore(t *testing.T) {
	n := newNights(t)
	for range 2 {
		if changes, reasons := n.take(secretsOf(20, "a")); len(reasons) > 0 || changes == nil || len(changes.Unusual) > 0 {
			t.Fatalf("%+v, %v", changes, reasons)
		}
	}
	changes, reasons := n.take(secretsOf(20, "b"))
	if len(reasons) != 1 || reasons[0].Code != report.UnusualChange || reasons[0].IsError() ||
		!strings.Contains(reasons[0].String(), "lifeboat backup diff night-2 night-3") || !strings.Contains(reasons[0].String(), "secrets: 100 %") {
		t.Errorf("told %v", reasons)
	}
	if changes.Previous != "night-2" || !slices.Equal(changes.Unusual, []string{change.RuleSecrets}) {
		t.Errorf("remembered %+v", changes)
	}
	if n.holdOf(1) != "" || n.holdOf(3) != "" || n.holdOf(2) != "UNUSUAL_CHANGE: backup night-3 after it: secrets" {
		t.Errorf("held %q, %q, %q", n.holdOf(1), n.holdOf(2), n.holdOf(3))
	}
	if changes, _ := n.take(secretsOf(20, "b")); len(changes.Unusual) > 0 || n.holdOf(2) == "" {
		t.Errorf("an ordinary night after it: %+v, the hold is %q", changes, n.holdOf(2))
	}
}

// TestWhatIsNotCompared: objects that could not be listed are not gone, the first backup of
// other filters has none before it, a backup that was deleted is passed over, and nothing is
// read if nobody wants it.
func TestWhatIsNotCompared(t *testing.T) {
	n := newNights(t)
	n.take(secretsOf(20, "a"))
	if changes, reasons := n.take(secretsOf(1, "a"), report.New(report.ListFailed, "secrets")); changes != nil || reasons != nil {
		t.Errorf("an incomplete one: %+v, %v", changes, reasons)
	}
	n.take(secretsOf(20, "a"))
	for _, key := range n.st.Keys() {
		if strings.HasPrefix(key, layout.BackupDir("night-3")) {
			n.st.Remove(key)
		}
	}
	if changes, _ := n.take(secretsOf(20, "b")); changes.Previous != "night-1" || n.holdOf(1) == "" {
		t.Errorf("with a deleted one before: %+v", changes)
	}
	n.service.Config.Changes.Disabled = true
	if changes, _ := n.take(secretsOf(20, "c")); changes != nil {
		t.Errorf("switched off: %+v", changes)
	}
}

func TestSeriesOfFilters(t *testing.T) {
	all := map[string]bool{}
	for _, p := range []Plan{
		{},
		{Backup: contract.BackupInput{Labels: map[string]string{"velero.io/schedule-name": "a"}}},
		func() (p Plan) { p.Backup.Spec.IncludedNamespaces = []string{"shop"}; return p }(),
		func() (p Plan) { p.Backup.Spec.TTL.Duration = time.Hour; return p }(), // no filter: as the first
	} {
		id, err := seriesID(&p)
		if err != nil || len(id) != 32 {
			t.Fatal(id, err)
		}
		all[id] = true
	}
	if len(all) != 3 {
		t.Errorf("%d series", len(all))
	}
}

// TestHoldThatFailsIsTold: a backup that is there does not fail by it.
func TestHoldThatFailsIsTold(t *testing.T) {
	n := newNights(t)
	n.take(secretsOf(20, "a"))
	n.st.Fail(memstore.On(memstore.OpPut).Key(layout.RetentionDir), store.ErrAccessDenied)
	text, err := n.service.rememberChanges(t.Context(), n.st, contract.BackupRef{Name: "b", UID: "u"}, time.Now(),
		&contract.BackupChanges{Series: "s", Previous: "night-1", PreviousUID: "uid-night-1", Unusual: []string{"secrets"}})
	if err != nil || !strings.Contains(text, "lifeboat backup hold night-1 --reason TEXT") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestDamagedSeriesBeginsAnew: what is wrong in the bucket costs the comparison, not the backup.
func TestDamagedSeriesBeginsAnew(t *testing.T) {
	n := newNights(t)
	id, err := seriesID(&Plan{Backup: contract.BackupInput{Labels: map[string]string{"velero.io/schedule-name": "nightly"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{`{"records":[{"backup":"../x"}]}`, `[`} {
		n.st.Set(layout.SeriesKey("prod", id), []byte(doc))
		text, err := n.service.rememberChanges(t.Context(), n.st, contract.BackupRef{Name: "b", UID: "u"}, time.Now(), &contract.BackupChanges{Series: id})
		series, readErr := beside.ReadSeries(t.Context(), n.st, "prod", id)
		if err != nil || text != "" || readErr != nil || len(series.Records) != 1 {
			t.Errorf("%s: %q, %v, %+v, %v", doc, text, err, series, readErr)
		}
	}
}
