package native

import (
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestVolumeMayBeHidden: a sweep looks twice only where EC2 may not have shown a volume
// yet, for that takes as long as EC2 is given to show it.
func TestVolumeMayBeHidden(t *testing.T) {
	young, old := time.Now(), time.Now().Add(-quota.VisibleWithin)
	gone := map[string]bool{"vol-1": true}
	for name, tc := range map[string]struct {
		made map[string]volume.Disk
		gone map[string]bool
		want bool
	}{
		"nothing was asked for":      {},
		"shown":                      {made: map[string]volume.Disk{"pv-1": {ID: "vol-1", Asked: young}}},
		"made just now, not shown":   {made: map[string]volume.Disk{"pv-1": {ID: "vol-1", Asked: young}}, gone: gone, want: true},
		"made long ago, not shown":   {made: map[string]volume.Disk{"pv-1": {ID: "vol-1", Asked: old}}, gone: gone},
		"refused":                    {made: map[string]volume.Disk{"pv-1": {Failed: "no"}}},
		"asked for without answer":   {made: map[string]volume.Disk{"pv-1": {Tries: 1}}, want: true},
		"no record, others have one": {made: map[string]volume.Disk{"pv-2": {ID: "vol-2", Asked: old}}, want: true},
	} {
		all := []*volume.Restore{{PV: "pv-1", Selected: true, Disposition: volume.ProvisionBy(volume.MethodNative), Disk: &volume.DiskPlan{}}}
		if got := mayBeHidden(all, tc.made, tc.gone); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
