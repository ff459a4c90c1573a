package cloud_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/simtest"
)

// TestRepeatedCalls: whatever is called twice gives the same, and deleting what is
// gone is done.
func TestRepeatedCalls(t *testing.T) {
	c, ctx := simtest.Start(t).Cloud, t.Context()
	tags := map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}
	spec := cloud.VolumeSpec{Name: "pvc-1", Zone: simtest.Zone, Type: "gp3", SizeGiB: 1, Tags: tags}
	first, err := c.CreateVolume(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(first.VolumeId)
	for range 10 { // tags come out of a map in any order
		again, err := c.CreateVolume(ctx, spec)
		if err != nil || aws.ToString(again.VolumeId) != id {
			t.Fatalf("got %s, %v; want %s again", aws.ToString(again.VolumeId), err, id)
		}
	}
	spec.SizeGiB = 2
	if _, err := c.CreateVolume(ctx, spec); !errors.Is(err, cloud.ErrMismatch) {
		t.Errorf("another size: got %v, want %v", err, cloud.ErrMismatch)
	}
	for range 2 {
		if err := c.Attach(ctx, id, simtest.Instance); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.DeleteVolume(ctx, id); !errors.Is(err, cloud.ErrInUse) {
		t.Errorf("delete what is attached: got %v, want %v", err, cloud.ErrInUse)
	}
	for range 2 {
		if err := c.Detach(ctx, id, simtest.Instance); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := c.DeleteVolume(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSnapshotIsFoundByName(t *testing.T) {
	sim := simtest.Start(t)
	ctx := t.Context()
	volume, err := sim.Cloud.CreateVolume(ctx, cloud.VolumeSpec{Name: "pvc-1", Zone: simtest.Zone, Type: "gp3", SizeGiB: 1})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{cloud.SnapshotNameTag: "snapshot-1"}
	first, err := sim.Cloud.CreateSnapshot(ctx, "snapshot-1", aws.ToString(volume.VolumeId), tags)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := cloud.New(ctx) // as after a restart: it remembers nothing
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*cloud.Client{sim.Cloud, fresh} {
		again, err := c.CreateSnapshot(ctx, "snapshot-1", aws.ToString(volume.VolumeId), tags)
		if err != nil || aws.ToString(again.SnapshotId) != aws.ToString(first.SnapshotId) {
			t.Errorf("got %s, %v; want %s again", aws.ToString(again.SnapshotId), err, aws.ToString(first.SnapshotId))
		}
	}
	if _, err := fresh.CreateSnapshot(ctx, "snapshot-1", "vol-0123456789abcdef0", tags); !errors.Is(err, cloud.ErrMismatch) {
		t.Errorf("another volume: got %v, want %v", err, cloud.ErrMismatch)
	}
	for range 2 {
		if err := fresh.DeleteSnapshot(ctx, aws.ToString(first.SnapshotId)); err != nil {
			t.Error(err)
		}
	}
}

// TestDetachOfADeletedVolume returns at once: the reclaim policy may delete a
// volume as soon as it is free.
func TestDetachOfADeletedVolume(t *testing.T) {
	c, ctx := simtest.Start(t).Cloud, t.Context()
	volume, err := c.CreateVolume(ctx, cloud.VolumeSpec{Name: "pvc-1", Zone: simtest.Zone, Type: "gp3", SizeGiB: 1})
	if err != nil {
		t.Fatal(err)
	}
	id := aws.ToString(volume.VolumeId)
	if err := c.Attach(ctx, id, simtest.Instance); err != nil {
		t.Fatal(err)
	}
	begun, deleted := time.Now(), make(chan error, 1)
	go func() {
		for {
			err := c.DeleteVolume(ctx, id)
			if !errors.Is(err, cloud.ErrInUse) {
				deleted <- err
				return
			}
		}
	}()
	if err := errors.Join(c.Detach(ctx, id, simtest.Instance), <-deleted); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
