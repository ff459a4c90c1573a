package backup

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// FinalVolumes reads how the volumes ended. A backup without units has an empty one.
func (run *Run) FinalVolumes(ctx context.Context) (*FinalVolumes, error) {
	var f FinalVolumes
	if len(run.Plan.Volumes.Units) == 0 {
		return &f, nil
	}
	return &f, run.Staging.Get(ctx, repository.FinalVolumesFile, &f)
}

// UnitResult is what became of a unit. The activity SnapshotVolumes leaves it in staging.
type UnitResult struct {
	Attempt   int32               `json:"attempt,omitempty"` // of the activity, from 1
	Snapshots []volume.Snapshot   `json:"taken,omitempty"`
	Hooks     contract.HookCounts `json:"hooks,omitzero"`
	Reasons   []report.Reason     `json:"reasons,omitempty"`
	// Recorded are values that hooks printed to be recorded, by "namespace/name".
	Recorded map[string]hook.Recorded `json:"recorded,omitempty"`
}

// recordedValues are the values that the hooks of all units recorded.
func (run *Run) recordedValues(ctx context.Context) (map[string]hook.Recorded, error) {
	records := func(u Unit) bool { return slices.ContainsFunc(u.Pods, func(p PodHooks) bool { return p.Record != "" }) }
	if !slices.ContainsFunc(run.Plan.Volumes.Units, records) {
		return nil, nil
	}
	units, err := run.UnitResults(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]hook.Recorded{}
	for i := range units {
		maps.Copy(all, units[i].Recorded)
	}
	return all, nil
}

// Summary counts the snapshots and reasons for the workflow.
func (r *UnitResult) Summary() contract.SnapshotResult {
	n := report.Tally(r.Reasons)
	out := contract.SnapshotResult{Warnings: n.Warnings, Errors: n.Errors}
	for _, t := range r.Snapshots {
		if t.Failed != "" {
			out.Failed++
		} else {
			out.Taken++
		}
	}
	return out
}

// UnitResults reads the results of all units. A unit that has none yet has an empty one.
func (run *Run) UnitResults(ctx context.Context) ([]UnitResult, error) {
	out := make([]UnitResult, len(run.Plan.Volumes.Units))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(FetchWindow)
	for i := range out {
		group.Go(func() error {
			err := run.Staging.Get(ctx, repository.UnitSnapshotFile(i), &out[i])
			if errors.Is(err, store.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	return out, group.Wait()
}

// AllSnapshots returns what became of the volumes of all units.
func AllSnapshots(units []UnitResult) []volume.Snapshot {
	var out []volume.Snapshot
	for _, u := range units {
		out = append(out, u.Snapshots...)
	}
	return out
}

// ClaimSnapshots returns the names of the VolumeSnapshots that were taken, by
// "namespace/claim".
func (run *Run) ClaimSnapshots(ctx context.Context) (map[string]string, error) {
	if len(run.Plan.Volumes.Units) == 0 {
		return nil, nil
	}
	units, err := run.UnitResults(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, t := range AllSnapshots(units) {
		if v := run.Plan.Volumes.Volumes[t.Volume]; t.Failed == "" && v.Snapshot != "" {
			out[resource.ObjectName(v.Namespace, v.Claim)] = v.Snapshot
		}
	}
	return out, nil
}

// FinalVolumes is what became of all volumes of a backup in the end.
type FinalVolumes struct {
	Ended   []volume.EndedSnapshot `json:"ended,omitempty"`
	Hooks   contract.HookCounts    `json:"hooks,omitzero"`
	Reasons []report.Reason        `json:"reasons,omitempty"` // of the units, too
	Shard   contract.ShardResult   `json:"shard"`

	// Snapshots, Contents and Classes are the objects that stand for snapshots, for the files
	// beside the tarball.
	Snapshots []json.RawMessage `json:"snapshots,omitempty"`
	Contents  []json.RawMessage `json:"contents,omitempty"`
	Classes   []json.RawMessage `json:"classes,omitempty"`
}
