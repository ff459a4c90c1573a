package main

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func TestBackupCost(t *testing.T) {
	m := &memory{
		backups: []contract.BackupSummary{
			{Name: "daily-2", Created: noon(), Location: "default"},
			{Name: "daily-1", Created: noon().Add(-24 * time.Hour), Location: "default"},
		},
		reads: map[string]contract.ReadResult{
			contract.ReadBackupCost + "/daily-1": {Cost: &contract.BackupCost{Name: "daily-1", ObjectBytes: 512 << 20, Snapshots: 2, SnapshotBytes: 200 << 30}},
			contract.ReadBackupCost + "/daily-2": {Cost: &contract.BackupCost{Name: "daily-2", ObjectBytes: 512 << 20, Snapshots: 1, SnapshotBytes: 5 << 30, Unmeasured: []string{"snap-1: access denied"}}},
		},
	}
	lifeboat(t, m, "", "backup", "cost", "--price", "0.05").want(t, console.CodePartiallyFailed, `NAME      CREATED                         OBJECTS GIB   SNAPSHOTS   SNAPSHOTS GIB   TOTAL GIB   A MONTH
daily-1   2026-01-01 12:00:00 +0000 UTC   0.500         2           200.000         200.500     10.00
daily-2   2026-01-02 12:00:00 +0000 UTC   0.500         1 of 2      >=5.000         >=5.500     >=0.25
TOTAL                                     1.000         3 of 4      >=205.000       >=206.000   >=10.25
`, "warning: daily-2: not measured: snap-1: access denied")
	lifeboat(t, m, "", "backup", "cost", "daily-2", "-o", "json").want(t, console.CodePartiallyFailed, `"snapshotBytes": 5368709120`, `"unmeasured": [`, `"incomplete": true`)
	lifeboat(t, m, "", "backup", "cost", "daily-1", "-o", "json").want(t, console.CodeDone, `"snapshotBytes": 214748364800`)
	lifeboat(t, m, "", "backup", "cost", "daily-3").want(t, console.CodeNotFound, `backup "daily-3"`)
	lifeboat(t, m, "", "backup", "cost", "--price", "-1").want(t, console.CodeError, "cannot be below zero")
	lifeboat(t, m, "", "backup", "cost", "-o", "name").want(t, console.CodeError, "not one of table, json, yaml")
	lifeboat(t, &memory{}, "", "backup", "cost").want(t, console.CodeDone, "No backups found.")
	delete(m.reads, contract.ReadBackupCost+"/daily-1")
	lifeboat(t, m, "", "backup", "cost").want(t, console.CodeNotFound, `backup "daily-1"`)
}

// What could not be measured at all is unknown, and not nothing.
func TestBackupCostUnknown(t *testing.T) {
	m := &memory{
		backups: []contract.BackupSummary{{Name: "daily-1", Created: noon(), Location: "default"}},
		reads: map[string]contract.ReadResult{
			contract.ReadBackupCost + "/daily-1": {Cost: &contract.BackupCost{Name: "daily-1", ObjectBytes: 512 << 20, Unmeasured: []string{"snap-1: access denied"}, MoreUnmeasured: 2}},
		},
	}
	lifeboat(t, m, "", "backup", "cost", "--price", "0.05").want(t, console.CodePartiallyFailed, `NAME      CREATED                         OBJECTS GIB   SNAPSHOTS   SNAPSHOTS GIB   TOTAL GIB   A MONTH
daily-1   2026-01-02 12:00:00 +0000 UTC   0.500         0 of 3      unknown         unknown     unknown
TOTAL                                     0.500         0 of 3      unknown         unknown     unknown
`, "warning: daily-1: not measured: snap-1: access denied")
	got := lifeboat(t, m, "", "backup", "cost", "--price", "0.05", "-o", "json")
	got.want(t, console.CodePartiallyFailed, `"snapshotBytes": null`, `"incomplete": true`, "warning: daily-1: not measured: snap-1: access denied")
	if strings.Contains(got.out, "monthly") {
		t.Errorf("an amount of money that nobody knows: %s", got.out)
	}
	lifeboat(t, m, "", "backup", "cost", "--object-price", "0.05").want(t, console.CodePartiallyFailed, "unknown     0.03")
}
