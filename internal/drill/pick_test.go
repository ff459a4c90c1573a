package drill

import (
	"fmt"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// putBackup stores the document of a backup that began n hours into a day.
func putBackup(st *memstore.Store, name, phase, schedule string, n int) {
	files := layout.Backup{Name: name}
	st.Set(files.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"uid-%s","labels":{"velero.io/schedule-name":%q}},"status":{"phase":%q,"startTimestamp":%q}}`,
		name, name, schedule, phase, time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC).Format(time.RFC3339)))
	st.Set(files.Tarball(), []byte("x"))
}

// TestPick: the newest good backup, of a schedule or of all, in whichever location it lies; or the
// one that is named.
func TestPick(t *testing.T) {
	east, west := memstore.New(), memstore.New()
	putBackup(east, "nightly-1", "Completed", "nightly", 1)
	putBackup(east, "nightly-2", "PartiallyFailed", "nightly", 2)
	putBackup(west, "nightly-3", "Failed", "nightly", 3)
	putBackup(west, "weekly-4", "Completed", "weekly", 4)
	s := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": east, "west": west})}
	for source, want := range map[definition.Source][2]string{
		{Schedule: "nightly"}:                {"nightly-1", "default"},
		{Pick: "latest"}:                     {"weekly-4", "west"},
		{Backup: "nightly-2"}:                {"nightly-2", "default"},
		{Schedule: "none"}:                   {},
		{Backup: "gone"}:                     {},
		{Schedule: "weekly", Pick: "random"}: {"weekly-4", "west"},
	} {
		got, err := s.pick(t.Context(), definition.Spec{Source: source}, "seed")
		if want[0] == "" {
			if failure.TypeOf(err) != contract.ErrTypeNotFound {
				t.Errorf("%+v: %+v, %v", source, got, err)
			}
			continue
		}
		if err != nil || got.name != want[0] || got.location != want[1] {
			t.Errorf("%+v: %s in %s, %v; want %v", source, got.name, got.location, err, want)
		}
	}
}

// TestPickAtRandom: of ten backups, one of which nothing is proven is drawn nine times as often as
// one of which something is; the same run draws the same one again.
func TestPickAtRandom(t *testing.T) {
	st := memstore.New()
	for n := range 10 {
		name := fmt.Sprintf("b-%d", n)
		putBackup(st, name, "Completed", "", n)
		if n >= 5 {
			st.Set(layout.RehearsalKey(name, "uid-"+name, "", "L2"), []byte("{}"))
		}
	}
	s := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	const runs = 1000
	unproven := 0
	for n := range runs {
		seed := fmt.Sprint(n)
		got, err := s.pick(t.Context(), definition.Spec{Source: definition.Source{Pick: definition.PickRandom}}, seed)
		if err != nil {
			t.Fatal(err)
		}
		if n < 10 {
			if again, _ := s.pick(t.Context(), definition.Spec{Source: definition.Source{Pick: definition.PickRandom}}, seed); again.name != got.name {
				t.Errorf("run %s draws %s, then %s", seed, got.name, again.name)
			}
		}
		if got.name < "b-5" {
			unproven++
		}
	}
	if unproven < 860 || unproven > 940 { // 900 are to be expected
		t.Errorf("%d of %d runs have drawn one that is not proven", unproven, runs)
	}
}
