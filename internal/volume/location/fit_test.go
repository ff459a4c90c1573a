package location_test

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

func TestUnfitSnapshot(t *testing.T) {
	source := location.SnapshotSource{Backup: "nightly", PV: "pv", Disk: "vol-1"}
	good := ebs.Snapshot{ID: "snap-1", State: ebs.SnapshotCompleted, VolumeID: "vol-1", Tags: map[string]string{ebs.TagBackup: "nightly", ebs.TagPV: "pv"}}
	for name, tc := range map[string]struct {
		change func(*ebs.Snapshot)
		found  bool
		kind   string
		text   string
	}{
		"good":             {func(*ebs.Snapshot) {}, true, "", ""},
		"without our tags": {func(s *ebs.Snapshot) { s.Tags = nil }, true, "", ""},
		"copied":           {func(s *ebs.Snapshot) { s.VolumeID = location.CopiedVolume }, true, "", ""},
		"missing":          {func(*ebs.Snapshot) {}, false, contract.ErrTypeNotFound, "does not exist or is not shared with this account; share it, or restore another backup"},
		"pending":          {func(s *ebs.Snapshot) { s.State, s.Progress = ebs.SnapshotPending, 42 }, true, contract.ErrTypeInvalid, "not complete yet (42 %); wait and restore again"},
		"failed":           {func(s *ebs.Snapshot) { s.State = ebs.SnapshotFailed }, true, contract.ErrTypeInvalid, `state is "error"; restore another backup`},
		"archived":         {func(s *ebs.Snapshot) { s.Archived = true }, true, contract.ErrTypeInvalid, "archive tier"},
		"other backup":     {func(s *ebs.Snapshot) { s.Tags = map[string]string{ebs.TagBackup: "weekly"} }, true, contract.ErrTypeInvalid, `is of backup "weekly" by its tag velero.io/backup, not of "nightly": the ids were mixed up; restore another backup`},
		"other volume":     {func(s *ebs.Snapshot) { s.Tags = map[string]string{ebs.TagPV: "pv-2"} }, true, contract.ErrTypeInvalid, `is of volume "pv-2" by its tag velero.io/pv, not of "pv": the ids were mixed up; restore another backup`},
		"other disk":       {func(s *ebs.Snapshot) { s.VolumeID = "vol-2" }, true, contract.ErrTypeInvalid, "taken of vol-2, not of vol-1: the ids were mixed up; restore another backup"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			tc.change(&s)
			kind, text := source.WhyUnfit(s, tc.found)
			if kind != tc.kind || !strings.Contains(text, tc.text) || (text == "") != (tc.text == "") {
				t.Errorf("got %q %q, want %q %q", kind, text, tc.kind, tc.text)
			}
		})
	}
}
