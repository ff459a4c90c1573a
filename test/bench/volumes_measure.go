package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// volumeBackup backs the volumes up by a worker of its own: one that knows nothing
// yet of the account, with a peak memory of its own.
func (b *bench) volumeBackup(ctx context.Context, r *volumeRow) error {
	w, err := b.h.StartWorker(ctx, b.stack.EBS.Environment()...)
	if err != nil {
		return err
	}
	defer w.Kill()
	name := fmt.Sprintf("volumes-%d-%s", r.Volumes, map[string]string{native: "native", csi: "csi", atOnce: "csi-at-once"}[r.Path])
	args := []string{"backup", "create", name, "--include-namespaces", volumeNamespace(r.Volumes), "--wait"}
	if r.Path == native {
		args = append(args, "--volume-snapshot-locations", location)
	}
	start := time.Now()
	err = b.profiled(ctx, name, func() error {
		_, err := b.h.Run(ctx, args...)
		r.Command = time.Since(start).Seconds()
		return err
	})
	if err != nil {
		return err
	}
	if r.WorkerRSS, err = w.PeakRSS(); err != nil {
		return err
	}
	if err := b.volumeOutcome(ctx, r, contract.BackupID(b.h.Cluster, name)); err != nil {
		return err
	}
	return b.audit(ctx, r, start)
}

// volumeOutcome checks that every volume has its snapshot and reads the workflow's
// times from Temporal.
func (b *bench) volumeOutcome(ctx context.Context, r *volumeRow, id string) error {
	var res contract.BackupResult
	if err := b.h.Temporal.GetWorkflow(ctx, id, "").Get(ctx, &res); err != nil {
		return err
	}
	if res.Phase != "Completed" || res.Volumes != r.Volumes {
		return fmt.Errorf("the backup is %s with %d volumes, want %d: %q", res.Phase, res.Volumes, r.Volumes, res.Reasons)
	}
	desc, err := b.h.Temporal.DescribeWorkflow(ctx, id, "")
	if err != nil {
		return err
	}
	info := desc.RawResponse.GetWorkflowExecutionInfo()
	r.Workflow = info.GetCloseTime().AsTime().Sub(info.GetStartTime().AsTime()).Seconds()
	return nil
}

// audit reads from the account itself when snapshots were asked for and complete, and
// what was refused.
func (b *bench) audit(ctx context.Context, r *volumeRow, since time.Time) error {
	calls, err := b.stack.EBS.Audit(ctx, "", since)
	if err != nil {
		return err
	}
	first := time.Time{}
	r.Calls, r.Refused = len(calls), map[string]int{}
	for _, c := range calls {
		if first.IsZero() && strings.HasPrefix(c.Action, "CreateSnapshot") {
			first = c.Time
		}
		if c.Result != "OK" {
			r.Refused[c.Action+" "+c.Result]++
		}
	}
	state, err := b.stack.EBS.State(ctx)
	if err != nil {
		return err
	}
	limits, err := b.stack.EBS.SetLimits(ctx, func(*ebssim.Limits) {}) // only reads them
	if err != nil {
		return err
	}
	n, last := completed(state, limits, since)
	if n != r.Volumes {
		return fmt.Errorf("the account has %d new snapshots, want %d", n, r.Volumes)
	}
	r.Snapshots = last.Sub(first).Seconds()
	return nil
}

// completed counts the snapshots that were begun after since, and says when the last
// of them was complete.
func completed(state ebssim.State, limits ebssim.Limits, since time.Time) (n int, last time.Time) {
	for _, s := range state.Snapshots {
		if s.Started.Before(since) || s.State != "completed" {
			continue
		}
		n++
		if end := s.Started.Add(limits.Least(1, s.SizeGiB)); end.After(last) {
			last = end
		}
	}
	return n, last
}

// veleroVolumes measures the peer on the same volumes, with the settings that make it
// fastest.
func (b *bench) veleroVolumes(ctx context.Context, r *volumeRow) error {
	v, err := b.stack.StartVelero(ctx, stack.VeleroOptions{
		QPS: veleroQPS, Prefix: "velero", Args: []string{"--item-operation-sync-frequency=1s"},
	})
	if err != nil {
		return err
	}
	b.peer = v
	name := fmt.Sprintf("v-volumes-%d", r.Volumes)
	err = func() error {
		if _, err := v.Run(ctx, "backup", "create", name, "--include-namespaces", volumeNamespace(r.Volumes), "--snapshot-volumes"); err != nil {
			return err
		}
		if r.Velero, err = b.veleroTime(ctx, "backups", name); err != nil {
			return err
		}
		return checkVelero(ctx, v, name, r.Volumes)
	}()
	if stopErr := v.Stop(ctx); err == nil {
		err = stopErr
	}
	return err
}

// checkVelero: it is compared with a backup that has all the snapshots.
func checkVelero(ctx context.Context, v *stack.Velero, name string, want int) error {
	body, err := v.Get(ctx, "backups", name)
	if err != nil {
		return err
	}
	var doc struct {
		Status struct {
			CSIVolumeSnapshotsCompleted int `json:"csiVolumeSnapshotsCompleted"`
		} `json:"status"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return err
	}
	if got := doc.Status.CSIVolumeSnapshotsCompleted; got != want {
		return fmt.Errorf("backup %s has %d CSI snapshots, want %d", name, got, want)
	}
	return nil
}
