package volumes

import (
	"context"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// probed is a driver that finds something, and counts how often it was asked.
type probed struct {
	volume.Restorer
	asked int
	found volume.Findings
}

func (p *probed) Probe(context.Context, []*volume.Restore) (volume.Findings, error) {
	p.asked++
	return p.found, nil
}

// TestProbe: a dry run makes nothing in the cluster, and a volume whose data does not come
// back is not looked for.
func TestProbe(t *testing.T) {
	const method = volume.Method("memory")
	for name, tc := range map[string]struct {
		volume volume.Restore
		dryRun bool
		found  volume.Findings
		asked  int
		kind   string
	}{
		"asked":        {volume.Restore{Disposition: volume.ProvisionBy(method), Selected: true}, false, volume.Findings{Reasons: []report.Reason{{}}}, 1, ""},
		"refused":      {volume.Restore{Disposition: volume.ProvisionBy(method), Selected: true}, false, volume.Findings{Refusals: []volume.Refusal{{Kind: contract.ErrTypeNotFound, Text: "gone"}}}, 1, contract.ErrTypeNotFound},
		"dry run":      {volume.Restore{Disposition: volume.ProvisionBy(method), Selected: true}, true, volume.Findings{}, 0, ""},
		"not selected": {volume.Restore{Disposition: volume.ProvisionBy(method)}, false, volume.Findings{}, 0, ""},
		"empty":        {volume.Restore{Disposition: volume.Dynamic, Selected: true}, false, volume.Findings{}, 0, ""},
	} {
		d := &probed{found: tc.found}
		r := &restore.Service{Technologies: volume.Technologies{{Method: method, Restorer: func(volume.RestoreRun) volume.Restorer { return d }}}}
		s := &restore.Run{}
		s.Restore.DryRun = tc.dryRun
		reasons, err := Probe(t.Context(), r, s, &restore.Volumes{Volumes: []volume.Restore{tc.volume}})
		if d.asked != tc.asked || failure.TypeOf(err) != tc.kind || len(reasons) != len(tc.found.Reasons) {
			t.Errorf("%s: asked %d times, %v %v", name, d.asked, reasons, err)
		}
	}
}
