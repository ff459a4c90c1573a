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
		"missing":          {func(*ebs.Snapshot) {}, false, contract.ErrTypeNotFound, "does not exist"},
		"pending":          {func(s *ebs.Snapshot) { s.State, s.Progress = ebs.SnapshotPending, 42 }, true, contract.ErrTypeInvalid, "42 %"},
		"failed":           {func(s *ebs.Snapshot) { s.State = ebs.SnapshotFailed }, true, contract.ErrTypeInvalid, `"error"`},
		"archived":         {func(s *ebs.Snapshot) { s.Archived = true }, true, contract.ErrTypeInvalid, "archive tier"},
		"other backup":     {func(s *ebs.Snapshot) { s.Tags = map[string]string{ebs.TagBackup: "weekly"} }, true, contract.ErrTypeInvalid, `backup "weekly"`},
		"other volume":     {func(s *ebs.Snapshot) { s.Tags = map[string]string{ebs.TagPV: "pv-2"} }, true, contract.ErrTypeInvalid, `volume "pv-2"`},
		"other disk":       {func(s *ebs.Snapshot) { s.VolumeID = "vol-2" }, true, contract.ErrTypeInvalid, "taken of vol-2"},
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
