package deletion

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
)

// A deletion that names no location never guesses one.
func TestDeleteFromAnyLocation(t *testing.T) {
	begun := repositorytest.Holding()
	begun.Set(layout.Tombstone("a"), []byte(`{"name":"a"}`))
	vanished := func() repositorytest.Stores {
		west := repositorytest.Holding("b")
		west.Set(layout.SeenKey, []byte(`{"since":"2026-01-01T00:00:00Z","backups":1,"known":[{"name":"a","uid":"u","cluster":"prod"}]}`))
		return repositorytest.Stores{"default": repositorytest.Holding(), "west": west}
	}
	for name, c := range map[string]struct {
		locations repositorytest.Stores
		location  string
		want      repositorytest.Outcome
	}{
		"elsewhere":       {repositorytest.Stores{"default": repositorytest.Holding("b"), "west": repositorytest.Holding("a")}, "", repositorytest.FoundIn("west")},
		"named":           {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("a")}, "west", repositorytest.FoundIn("west")},
		"twice":           {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("a")}, "", repositorytest.Refused(`backup "a" lies in the storage locations default, west: say which one with --storage-location`, contract.ErrTypeInvalid)},
		"begun":           {repositorytest.Stores{"default": repositorytest.Holding(), "west": begun}, "", repositorytest.FoundIn("west")},
		"begun, another":  {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": begun}, "", repositorytest.Refused("default, west", contract.ErrTypeInvalid)},
		"vanished":        {vanished(), "", repositorytest.FoundIn("west")},
		"nowhere":         {repositorytest.Stores{"default": repositorytest.Holding(), "west": repositorytest.Holding()}, "", repositorytest.Refused(`no backup "a" in any of the storage locations default, west`, contract.ErrTypeNotFound)},
		"not where named": {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding()}, "west", repositorytest.Refused(`no backup "a" in location west`, contract.ErrTypeNotFound)},
		"beside a broken": {repositorytest.Stores{"default": nil, "west": repositorytest.Holding("a")}, "", repositorytest.Refused("default may have another of the name and could not be read (no such secret): say which one with --storage-location", contract.ErrTypeLocation)},
		"named, broken":   {repositorytest.Stores{"default": nil, "west": repositorytest.Holding("a")}, "west", repositorytest.FoundIn("west")},
		"in a broken":     {repositorytest.Stores{"default": nil, "west": repositorytest.Holding()}, "", repositorytest.Refused("storage location default: no such secret", contract.ErrTypeLocation)},
	} {
		t.Run(name, func(t *testing.T) {
			l := repositorytest.Locations(c.locations)
			b := &Runner{Kube: cluster(t, "ours"), Locations: l, Snapshots: snapshotLocations()}
			plan, err := b.PlanDelete(t.Context(), contract.DeleteBackupInput{Name: "a", Location: c.location})
			c.want.Check(t, plan.Location, err)
			for name, y := range c.locations {
				if y == nil || y == begun {
					continue
				}
				if marked := y.Has(layout.Tombstone("a")); marked != (name == c.want.Place) {
					t.Errorf("tombstone in %s: %v", name, marked)
				}
			}
		})
	}
}
