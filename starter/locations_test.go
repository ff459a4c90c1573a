package main

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// twoPlaces has the backup "nightly" in two locations and "weekly" in one.
func twoPlaces() *memory {
	return &memory{
		backups: []contract.BackupSummary{
			{Name: "nightly", Phase: "Completed", Location: "default"},
			{Name: "nightly", Phase: "Completed", Location: "west"},
			{Name: "weekly", Phase: "Completed", Location: "west"},
		},
		runs: map[temporal.Kind][]temporal.State{},
		results: map[string]any{
			"nightly": contract.DeleteResult{Name: "nightly", Files: 3},
			"weekly":  contract.DeleteResult{Name: "weekly", Files: 3},
		},
	}
}

// Every deletion is told where its backup lies.
func TestDeleteInItsLocation(t *testing.T) {
	in := func(name, location string) any { return contract.DeleteBackupInput{Name: name, Location: location} }
	for args, want := range map[string][]any{
		"--all":                              {in("nightly", "default"), in("nightly", "west"), in("weekly", "west")},
		"--all --storage-location west":      {in("nightly", "west"), in("weekly", "west")},
		"nightly":                            {in("nightly", "")}, // the worker finds it, or refuses
		"nightly --storage-location default": {in("nightly", "default")},
	} {
		t.Run(args, func(t *testing.T) {
			m := twoPlaces()
			lifeboat(t, m, "", append(strings.Fields("backup delete --confirm"), strings.Fields(args)...)...).want(t, console.CodeDone)
			if !reflect.DeepEqual(m.started, want) {
				t.Errorf("started %v, want %v", m.started, want)
			}
		})
	}
	lifeboat(t, twoPlaces(), "n\n", "backup", "delete", "--all").want(t, console.CodeError, "Delete nightly in default, nightly in west, weekly and everything in them?")
	lifeboat(t, twoPlaces(), "", "backup", "delete", "--all", "--confirm").want(t, console.CodeDone, `Backup "nightly in west" deleted`, `Backup "weekly" deleted`)
}

// A deletion in one location is not taken for that in another.
func TestDeleteBesideAnother(t *testing.T) {
	m := twoPlaces()
	state := runState(temporal.KindDelete, "nightly", "Deleting", true)
	state.Location = "west"
	m.runs[temporal.KindDelete] = []temporal.State{state}
	lifeboat(t, m, "", "backup", "delete", "--all", "--confirm").want(t, console.CodeDone)
	if len(m.started) != 2 || slices.Contains(m.started, any(contract.DeleteBackupInput{Name: "nightly", Location: "west"})) {
		t.Errorf("started %v", m.started)
	}
	got := lifeboat(t, m, "", "backup", "get")
	got.want(t, console.CodeDone)
	if strings.Count(got.out, "Deleting") != 1 || !strings.Contains(strings.Split(got.out, "\n")[2], "Deleting") {
		t.Errorf("got\n%s", got.out)
	}
}

// What lies in a location that cannot be read is told to be missing, and is left.
func TestUnreadLocation(t *testing.T) {
	doc := backupDoc("weekly", "Completed")
	m := twoPlaces()
	m.unread = []contract.UnreadLocation{{Name: "east", Message: "bucket not found"}}
	m.reads = map[string]contract.ReadResult{contract.ReadBackup + "/weekly": {Backup: &doc, Unread: m.unread}}
	const warning = `warning: storage location "east" could not be read, what lies there is left out: bucket not found`
	for _, args := range []string{
		"backup get", "backup get -o name", "backup get weekly -o yaml", "restore get", "backup describe weekly",
	} {
		got := lifeboat(t, m, "", strings.Fields(args)...)
		got.want(t, console.CodeDone, warning)
		if strings.Contains(got.out, "warning") {
			t.Errorf("%s: the warning is on standard output", args)
		}
	}
	lifeboat(t, m, "", "backup", "get", "-o", "json").want(t, console.CodeDone, `"unreadLocations": [`, `"name": "east"`, `"name": "weekly"`)
	lifeboat(t, m, "", "backup", "delete", "--all", "--confirm").want(t, console.CodePartiallyFailed, warning, `Backup "weekly" deleted`)
	m.backups = nil
	lifeboat(t, m, "", "backup", "delete", "--all", "--confirm").want(t, console.CodePartiallyFailed, warning)
}

func TestGetInALocation(t *testing.T) {
	got := lifeboat(t, twoPlaces(), "", "backup", "get", "nightly")
	got.want(t, console.CodeDone)
	if strings.Count(got.out, "nightly") != 2 {
		t.Errorf("got\n%s", got.out)
	}
	got = lifeboat(t, twoPlaces(), "", "backup", "get", "--storage-location", "west", "-o", "name")
	if got.out != "nightly\nweekly\n" {
		t.Errorf("got\n%s", got.out)
	}
}

// Files that cannot be fetched keep nothing else from being shown.
func TestNoSignedURLs(t *testing.T) {
	const remedy = "copy the file with the key"
	doc, restore := backupDoc("b", "Completed"), velerov1.Restore{}
	restore.Name, restore.Status.Phase = "r", "Completed"
	m := &memory{
		reads: map[string]contract.ReadResult{
			contract.ReadBackup + "/b":  {Backup: &doc},
			contract.ReadRestore + "/r": {Restore: &restore},
		},
		refuse:  map[string]error{contract.ReadBackupURL: errors.New(remedy), contract.ReadRestoreURL: errors.New(remedy)},
		results: map[string]any{"look": contract.RestoreResult{Name: "look", Backup: "b", Phase: "Completed", DryRun: true, Location: "west"}},
	}
	lifeboat(t, m, "", "backup", "describe", "b", "--details").want(t, console.CodeError, "Phase:", "the objects are not listed: "+remedy)
	lifeboat(t, m, "", "restore", "describe", "r", "--details").want(t, console.CodeError, "Phase:", "the objects are not listed: "+remedy)
	lifeboat(t, m, "", "backup", "logs", "b").want(t, console.CodeError, remedy)
	lifeboat(t, m, "", "restore", "logs", "r").want(t, console.CodeError, remedy)
	lifeboat(t, m, "", "backup", "download", "b", "-o", t.TempDir()+"/x").want(t, console.CodeError, remedy)
	lifeboat(t, m, "", "restore", "create", "look", "--from-backup", "b", "--dry-run").want(t, console.CodeError,
		`Dry run "look" of backup "b" Completed`, `--plan look follows it, but its plan cannot be shown here: `+remedy)
	if last := m.asked[len(m.asked)-1]; last.Location != "west" {
		t.Errorf("the plan was looked for in %q", last.Location)
	}
}
