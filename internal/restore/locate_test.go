package restore

import (
	"errors"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A restore that names no location searches all.
func TestRestoreFromAnyLocation(t *testing.T) {
	passing := errors.New("connection reset")
	for name, c := range map[string]struct {
		locations          repositorytest.Stores
		backup, schedule   string
		location, restored string
		want               repositorytest.Outcome
		warnings           int
	}{
		"elsewhere":         {repositorytest.Stores{"default": repositorytest.Holding(), "west": repositorytest.Holding("a")}, "a", "", "", "a", repositorytest.FoundIn("west"), 0},
		"named":             {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("a")}, "a", "", "west", "a", repositorytest.FoundIn("west"), 0},
		"twice":             {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("a")}, "a", "", "", "", repositorytest.Refused(`spec.backupName: backup "a" lies in the storage locations default, west: say which one with --storage-location`, contract.ErrTypeInvalid), 0},
		"nowhere":           {repositorytest.Stores{"default": repositorytest.Holding(), "west": repositorytest.Holding("b")}, "a", "", "", "", repositorytest.Refused(`spec.backupName: no backup "a" in any of the storage locations default, west`, contract.ErrTypeNotFound), 0},
		"not where named":   {repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("b")}, "a", "", "west", "", repositorytest.Refused(`no backup "a" in storage location west`, contract.ErrTypeNotFound), 0},
		"beside a broken":   {repositorytest.Stores{"default": nil, "west": repositorytest.Holding("a")}, "a", "", "", "a", repositorytest.FoundIn("west"), 1},
		"in a broken":       {repositorytest.Stores{"default": repositorytest.Holding(), "west": repositorytest.Unreadable(store.ErrNoBucket, "a")}, "a", "", "", "", repositorytest.Refused("storage location west: read backups/a/velero-backup.json: bucket not found", contract.ErrTypeLocation), 0},
		"in a passing":      {repositorytest.Stores{"broken": repositorytest.Unreadable(store.ErrNoBucket), "west": repositorytest.Unreadable(passing, "a")}, "a", "", "", "", repositorytest.Refused("storage location west: read backups/a/velero-backup.json: connection reset", ""), 0},
		"of a schedule":     {repositorytest.Stores{"default": repositorytest.Holding("x other 2026-01-09"), "west": repositorytest.Holding("a s 2026-01-01", "b s 2026-01-02")}, "", "s", "", "b", repositorytest.FoundIn("west"), 0},
		"schedule twice":    {repositorytest.Stores{"default": repositorytest.Holding("x s 2026-01-09"), "west": repositorytest.Holding("a s 2026-01-01")}, "", "s", "", "", repositorytest.Refused(`spec.scheduleName: a backup of schedule "s" lies in the storage locations default, west`, contract.ErrTypeInvalid), 0},
		"schedule nowhere":  {repositorytest.Stores{"default": repositorytest.Holding("x"), "west": repositorytest.Holding()}, "", "s", "", "", repositorytest.Refused(`spec.scheduleName: schedule "s" has no Completed backup in any of the storage locations default, west`, contract.ErrTypeNotFound), 0},
		"unknown location":  {repositorytest.Stores{"default": repositorytest.Holding("a")}, "a", "", "nowhere", "", repositorytest.Refused(`"nowhere"; known: default`, contract.ErrTypeInvalid), 0},
		"name of a path":    {repositorytest.Stores{"default": repositorytest.Holding("a")}, "../a", "", "", "", repositorytest.Refused("spec.backupName", contract.ErrTypeInvalid), 0},
		"the only location": {repositorytest.Stores{"west": repositorytest.Holding("a")}, "a", "", "", "a", repositorytest.FoundIn("west"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Service{Locations: repositorytest.Locations(c.locations)}
			in := contract.RestoreInput{Name: "r", Location: c.location}
			in.Spec.BackupName, in.Spec.ScheduleName = c.backup, c.schedule
			found, unread, err := r.findBackup(t.Context(), in)
			place := ""
			if err == nil {
				place = found.Location.Name
			}
			c.want.Check(t, place, err)
			if found.Value != c.restored {
				t.Errorf("restores %q, want %q", found.Value, c.restored)
			}
			if got := unreadReasons(unread); len(got) != c.warnings || c.warnings > 0 && got[0].Severity != report.Warning {
				t.Errorf("%v", got)
			}
		})
	}
}

// A restore that was cancelled before it knew where its backup lies leaves nothing in
// any location.
func TestAbandonSearchesAll(t *testing.T) {
	all := repositorytest.Stores{"default": repositorytest.Holding("a"), "west": repositorytest.Holding("b"), "broken": repositorytest.Unreadable(store.ErrNoBucket)}
	for _, y := range all {
		y.Set(layout.Staging("u")+"chunk-00000", []byte("x"))
	}
	r := &Service{Locations: repositorytest.Locations(all)}
	if _, err := r.Abandon(t.Context(), contract.AbandonRestoreInput{Ref: contract.RestoreRef{Name: "r", UID: "u"}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"default", "west"} {
		if left := all[name].Has(layout.Staging("u") + "chunk-00000"); left || len(all[name].Keys()) != 2 {
			t.Errorf("%s: %v", name, all[name].Keys())
		}
	}
}

// A restore that was started by Temporal's own program meets the checks of the CLI.
func TestValidateRestore(t *testing.T) {
	for want, change := range map[string]func(*contract.RestoreInput){
		"":                     func(*contract.RestoreInput) {},
		"labels[team]":         func(in *contract.RestoreInput) { in.Labels = map[string]string{"team": "tills & ledgers"} },
		"annotations[a b]":     func(in *contract.RestoreInput) { in.Annotations = map[string]string{"a b": ""} },
		"allowPartiallyFailed": func(in *contract.RestoreInput) { in.AllowPartiallyFailed = true },
		"plan: ":               func(in *contract.RestoreInput) { in.DryRun, in.Plan = true, "look" },
	} {
		in := contract.RestoreInput{Name: "r"}
		in.Spec.BackupName = "b"
		change(&in)
		err := validateRestore(in)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || failure.TypeOf(err) != contract.ErrTypeInvalid) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// corrupt marks a backup as one of which a verification has found damage.
func corrupt(t *testing.T, st *memstore.Store, name string) *memstore.Store {
	t.Helper()
	var doc velerov1.Backup
	if err := repository.GetJSON(t.Context(), st, layout.Backup{Name: name}.Metadata(), &doc); err != nil {
		t.Fatal(err)
	}
	v := beside.Verification{Name: name, UID: string(doc.UID), At: time.Now()}
	v.AddDamage("backups/"+name+"/x.gz", "digest differs")
	v.AddDamage("snapshot s", "does not exist")
	if err := v.Write(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	return st
}

// The latest backup of a schedule is the latest that is not known to be corrupt, unless somebody
// allows that.
func TestLatestIsNotCorrupt(t *testing.T) {
	of := func(names ...string) *memstore.Store {
		st := repositorytest.Holding("a s 2026-01-01", "b s 2026-01-02", "c s 2026-01-03")
		for _, name := range names {
			corrupt(t, st, name)
		}
		return st
	}
	for name, c := range map[string]struct {
		st    *memstore.Store
		allow bool
		want  string
	}{
		"none is":        {of(), false, "c"},
		"the newest":     {of("c"), false, "b"},
		"all but one":    {of("b", "c"), false, "a"},
		"all":            {of("a", "b", "c"), false, ""},
		"allowed":        {of("b", "c"), true, "c"},
		"one in between": {of("b"), false, "c"},
	} {
		in := contract.RestoreInput{Name: "r", AllowCorrupt: c.allow}
		in.Spec.ScheduleName = "s"
		r := &Service{Locations: repositorytest.Locations(repositorytest.Stores{"default": c.st})}
		found, _, err := r.findBackup(t.Context(), in)
		if found.Value != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, found.Value, err, c.want)
		}
	}
}

// A corrupt backup is not restored by its name either, unless that is allowed; then the restore
// says what was found.
func TestCorruptBackup(t *testing.T) {
	st := corrupt(t, repositorytest.Holding("a", "b"), "b")
	if reasons, err := corruptReasons(t.Context(), repository.Answer[string]{Store: st, Value: "a"}, false); err != nil || len(reasons) != 0 {
		t.Errorf("a backup that nobody has verified: %v, %v", reasons, err)
	}
	from := repository.Answer[string]{Store: st, Value: "b"}
	_, err := corruptReasons(t.Context(), from, false)
	if failure.TypeOf(err) != contract.ErrTypeCorrupt || !strings.Contains(err.Error(), "backups/b/x.gz: digest differs, and 1 more; restore another backup, or allow a corrupt one with allowCorrupt") {
		t.Errorf("%v", err)
	}
	reasons, err := corruptReasons(t.Context(), from, true)
	if err != nil || len(reasons) != 1 || reasons[0].Code != report.BackupCorrupt || reasons[0].Severity != report.Warning {
		t.Errorf("%v, %v", reasons, err)
	}
}

// A restore of a backup that lacks something says so.
func TestIncompleteBackup(t *testing.T) {
	st := repositorytest.Holding("whole", "partial")
	st.Set(layout.Backup{Name: "partial"}.Metadata(), []byte(`{"metadata":{"name":"partial"},"status":{"phase":"PartiallyFailed","errors":3}}`))
	for name, want := range map[string]string{"whole": "", "partial": "[BACKUP_INCOMPLETE] backup partial is PartiallyFailed: 3 errors when it was taken"} {
		reasons, err := incompleteReasons(t.Context(), repository.Answer[string]{Store: st, Value: name})
		if err != nil || len(reasons) != min(len(want), 1) || want != "" && !strings.Contains(reasons[0].String(), want) {
			t.Errorf("%s: %v, %v", name, reasons, err)
		}
	}
}
