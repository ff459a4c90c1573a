package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// evidenceFile is a file of the corpus of evidence.
func evidenceFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../drill/evidence/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// drilledLocations have three drills of the cluster and one of another; the second has no evidence
// in its file, the last lies elsewhere.
func drilledLocations(t *testing.T) *Reader {
	t.Helper()
	stores := repositorytest.Stores{"default": memstore.New(), "west": memstore.New()}
	c := readerOver(stores)
	stores["default"].Set(drills.Key(c.Config.Cluster, 1), evidenceFile(t, "files/valid-full.json"))
	stores["default"].Set(drills.Key(c.Config.Cluster, 2), []byte("{"))
	stores["west"].Set(drills.Key(c.Config.Cluster, 3), evidenceFile(t, "files/valid-failed.json"))
	stores["west"].Set(drills.Key("another", 9), evidenceFile(t, "files/valid-full.json"))
	return c
}

// The chain of a cluster is read from all locations, the newest drill first; a file that is no
// evidence is told, and hides no other.
func TestListDrills(t *testing.T) {
	c := drilledLocations(t)
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadDrills})
	if err != nil || len(res.Drills) != 3 {
		t.Fatalf("%+v, %v", res.Drills, err)
	}
	failed, damaged, full := res.Drills[0], res.Drills[1], res.Drills[2]
	if failed.Number != 3 || failed.Location != "west" || failed.Verdict != "failed" || failed.Level != "L1" || len(failed.Failures) != 9 {
		t.Errorf("%+v", failed)
	}
	if damaged.Number != 2 || !strings.Contains(damaged.Damage, "00000002.json") || damaged.Verdict != "" {
		t.Errorf("%+v", damaged)
	}
	want := contract.DrillSummary{
		Number: 1, Name: "bookstore-quarterly", Backup: full.Backup, Location: "default", Asked: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), Level: "L5", Verdict: "passed",
		RTO: 690_000, RPO: 87_000_000, ObjectiveRTO: 1_800_000, ObjectiveRPO: 93_600_000,
	}
	if full.Backup == "" || full.Name != want.Name || full.Asked != want.Asked || full.RTO != want.RTO || full.RPO != want.RPO || full.ObjectiveRTO != want.ObjectiveRTO || full.ObjectiveRPO != want.ObjectiveRPO || full.Verdict != want.Verdict {
		t.Errorf("%+v", full)
	}
	if res, err = c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadDrills, Limit: 1}); err != nil || len(res.Drills) != 1 || res.Drills[0].Number != 3 {
		t.Errorf("limit 1: %+v, %v", res.Drills, err)
	}
	if res, err = c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadDrills, Location: "default"}); err != nil || len(res.Drills) != 2 {
		t.Errorf("one location: %+v, %v", res.Drills, err)
	}
	if _, err = c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadDrills, Limit: -1}); failure.TypeOf(err) != contract.ErrTypeInvalid {
		t.Errorf("limit -1: %v", err)
	}
}

// A drill is found by its number, and by its name, of which the newest is meant; each failure says
// what to do.
func TestReadDrill(t *testing.T) {
	c := drilledLocations(t)
	read := func(name string) (*contract.DrillDetails, error) {
		res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadDrill, Name: name})
		return res.Drill, err
	}
	d, err := read("1")
	if err != nil || d.Number != 1 || d.Key != drills.Key(c.Config.Cluster, 1) || d.SHA256 != evidence.DigestOf(evidenceFile(t, "files/valid-full.json")) || len(d.Phases) == 0 || len(d.Levels) != 6 || len(d.Assertions) != 2 || len(d.Against) != 0 {
		t.Errorf("1: %+v, %v", d, err)
	}
	d, err = read("bookstore-quarterly")
	if err != nil || d.Number != 3 || d.Location != "west" || len(d.Against) != 9 || len(d.Teardown.Left) == 0 {
		t.Fatalf("by name: %+v, %v", d, err)
	}
	for _, f := range d.Against {
		if f.Next == "" {
			t.Errorf("%s says nothing that can be done", f.Code)
		}
	}
	for name, kind := range map[string]string{"7": contract.ErrTypeNotFound, "shop": contract.ErrTypeNotFound, "": contract.ErrTypeNotFound} {
		if _, err := read(name); failure.TypeOf(err) != kind || !strings.Contains(err.Error(), "lifeboat drill get") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := read("2"); err == nil || !strings.Contains(err.Error(), "00000002.json") {
		t.Errorf("2: %v", err)
	}
}
