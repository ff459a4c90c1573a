package ebs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// tryVolume stands for the PersistentVolume in the tags of a volume that only tries a restore.
	tryVolume = "lifeboat-doctor"
	tryPause  = time.Second
	// droppedAfter is how long a new volume may be missing: EC2 shows one within seconds.
	droppedAfter = 10 * time.Second
	// tryCleanup is how long the deletion may outlive the caller.
	tryCleanup = 10 * time.Second
)

// ErrDropped tells that EC2 agreed to make a volume and then dropped it without a word. It does
// that where the caller may not use the key of KMS, which it tries after it has answered.
var ErrDropped = errors.New("EC2 agreed to make it and dropped it")

// TryRestore makes a volume of a snapshot as a restore does, waits until it could be attached, and
// deletes it. It first deletes what an earlier try has left, so that a role that may not delete
// leaves one volume and not one a try.
func (l *Location) TryRestore(ctx context.Context, cluster, snapshotID string) (Volume, error) {
	if err := l.deleteTried(ctx, cluster); err != nil {
		return Volume{}, err
	}
	r, err := l.requestToTry(ctx, snapshotID)
	if err != nil {
		return Volume{}, err
	}
	r.Tags = map[string]string{TagCluster: cluster}
	v, err := l.CreateVolume(ctx, r)
	if err != nil {
		return Volume{}, err
	}
	if err = l.awaitUsable(ctx, v.ID); errors.Is(err, ErrDropped) && v.KMSKeyID != "" {
		err = fmt.Errorf("%w: %s", err, l.whyUnusable(ctx, v.KMSKeyID))
	}
	longer, cancel := poll.Outlive(ctx, tryCleanup)
	defer cancel()
	return v, errors.Join(err, l.deleteTry(longer, v.ID, errors.Is(err, ErrDropped)))
}

// deleteTry deletes the volume of a try without a look whether it is there: EC2 may show it to some
// calls only. One that was dropped is asked for once.
func (l *Location) deleteTry(ctx context.Context, id string, isDropped bool) error {
	ask := func(ctx context.Context) error { return l.askDeleteVolume(ctx, id) }
	var err error
	if isDropped {
		err = ask(ctx)
	} else {
		err = askUntilShown(ctx, ask)
	}
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// deleteTried leaves one that EC2 still makes to the try that waits for it.
func (l *Location) deleteTried(ctx context.Context, cluster string) error {
	must := map[string]string{TagPV: tryVolume, TagCluster: cluster}
	found, err := l.VolumesTagged(ctx, must)
	if err != nil {
		return err
	}
	for _, v := range found {
		if v.State != VolumeAvailable {
			continue
		}
		if _, err := l.DeleteVolume(ctx, v.ID, must); err != nil {
			return err
		}
	}
	return nil
}

func (l *Location) requestToTry(ctx context.Context, snapshotID string) (VolumeRequest, error) {
	zones, err := l.Zones(ctx)
	if err != nil {
		return VolumeRequest{}, err
	}
	// Names of Local Zones, which do not have each type of volumes, are longer.
	slices.SortStableFunc(zones, func(a, b string) int { return len(a) - len(b) })
	found, err := l.Snapshots(ctx, []string{snapshotID})
	switch {
	case err != nil:
		return VolumeRequest{}, err
	case len(zones) == 0:
		return VolumeRequest{}, awserr.Fail(actionVolume, snapshotID, ErrState, "the Region has no zone that is available")
	case found[snapshotID].ID == "":
		return VolumeRequest{}, awserr.Fail(actionVolume, snapshotID, ErrNotFound, "the snapshot is gone")
	}
	return VolumeRequest{
		RestoreUID: "doctor-" + strings.ToLower(rand.Text()[:10]), PV: tryVolume, Snapshot: found[snapshotID], Zone: zones[0], Type: "gp3",
	}, nil
}

// awaitUsable ends with ErrDropped once EC2 has not shown the volume for a while.
func (l *Location) awaitUsable(ctx context.Context, id string) error {
	shown := time.Now()
	for {
		found, err := l.Volumes(ctx, []string{id})
		if err != nil {
			return err
		}
		v, there := found[id]
		switch {
		case v.State == VolumeAvailable:
			return nil
		case v.State == VolumeFailed, !there && time.Since(shown) >= droppedAfter:
			return fmt.Errorf("volume %s: %w", id, ErrDropped)
		case there:
			shown = time.Now()
		}
		if err := poll.Wait(ctx, tryPause); err != nil {
			return fmt.Errorf("wait for volume %s: %w", id, err)
		}
	}
}
