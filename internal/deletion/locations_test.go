package deletion

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
)

// outcome is that of a search: the place, or words of the error and its type.
type outcome struct{ place, words, kind string }

func (o outcome) check(t *testing.T, place string, err error) {
	t.Helper()
	switch {
	case o.words == "" && (err != nil || place != o.place):
		t.Errorf("in %q, %v; want %q", place, err, o.place)
	case o.words != "" && (err == nil || !strings.Contains(err.Error(), o.words) || failure.TypeOf(err) != o.kind):
		t.Errorf("%s %v\nwant %s %s", failure.TypeOf(err), err, o.kind, o.words)
	}
}

// A deletion that names no location never guesses one.
func TestDeleteFromAnyLocation(t *testing.T) {
	begun := repositorytest.Holding()
	begun.Set(layout.Tombstone("a"), []byte(`{"name":"a"}`))
	for name, c := range map[string]struct {
		locations repositorytest.Stores
		location  string
		want      outcome
	}{
		"elsewhere":       {repositorytest.Stores{"default": repositorytest.Holding("b"), "west": repositorytest.Holding("a")}, "", outcome{place: "west"}},
		"named":           {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("a")}, "west", outcome{place: "west"}},
		"twice":           {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("a")}, "", outcome{"", `backup "a" lies in the storage locations default, west: say which one with --storage-location`, contract.ErrTypeInvalid}},
		"begun":           {repositorytest.Stores{"default": repositorytest.Holding(), "west": begun}, "", outcome{place: "west"}},
		"begun, another":  {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": begun}, "", outcome{"", "default, west", contract.ErrTypeInvalid}},
		"nowhere":         {repositorytest.Stores{"default": repositorytest.Holding(), "west": repositorytest.Holding()}, "", outcome{"", `no backup "a" in any of the storage locations default, west`, contract.ErrTypeNotFound}},
		"not where named": {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding()}, "west", outcome{"", `no backup "a" in location west`, contract.ErrTypeNotFound}},
		"beside a broken": {repositorytest.Stores{"default": nil, "west": repositorytest.Holding("a")}, "", outcome{"", "default may have another of the name and could not be read (no such secret): say which one with --storage-location", contract.ErrTypeLocation}},
		"named, broken":   {repositorytest.Stores{"default": nil, "west": repositorytest.Holding("a")}, "west", outcome{place: "west"}},
		"in a broken":     {repositorytest.Stores{"default": nil, "west": repositorytest.Holding()}, "", outcome{"", "storage location default: no such secret", contract.ErrTypeLocation}},
	} {
		t.Run(name, func(t *testing.T) {
			l := repositorytest.Locations(c.locations)
			b := &Runner{Kube: cluster(t, "ours"), Locations: l, Snapshots: snapshotLocations()}
			plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "a", Location: c.location})
			c.want.check(t, plan.Location, err)
			for name, y := range c.locations {
				if y == nil || y == begun {
					continue
				}
				if marked := y.Has(layout.Tombstone("a")); marked != (name == c.want.place) {
					t.Errorf("tombstone in %s: %v", name, marked)
				}
			}
		})
	}
}
