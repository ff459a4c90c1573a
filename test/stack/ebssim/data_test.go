package ebssim_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// A volume of a snapshot has the files of the moment of CreateSnapshot, not those
// of the moment when it completed or was used.
func TestSnapshotIsAPointInTime(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second) })
	vol := r.newVolume(t)
	file := filepath.Join(must[string](t)(r.VolumeDir(vol)), "rows")
	write(t, file, "before")
	snap := r.newSnapshot(t, vol)
	write(t, file, "after")
	create := &ec2.CreateVolumeInput{AvailabilityZone: aws.String(zone), SnapshotId: aws.String(snap)}
	_, err := r.ec2.CreateVolume(t.Context(), create)
	wantCode(t, err, "IncorrectState")
	r.clock.Advance(10 * time.Second)
	again := must[*ec2.CreateVolumeOutput](t)(r.ec2.CreateVolume(t.Context(), create))
	if got := read(t, filepath.Join(must[string](t)(r.VolumeDir(*again.VolumeId)), "rows")); got != "before" {
		t.Fatalf("the new volume has %q", got)
	}
	if got := read(t, file); got != "after" {
		t.Fatalf("the old volume has %q", got)
	}
}

func TestSnapshotProgresses(t *testing.T) {
	r := start(t, func(o *ebssim.Options) { o.Limits.SnapshotBase = ebssim.Duration(10 * time.Second) })
	snap := r.newSnapshot(t, r.newVolume(t))
	for _, step := range []struct {
		after    time.Duration
		state    types.SnapshotState
		progress string
	}{
		{0, types.SnapshotStatePending, "0%"},
		{4 * time.Second, types.SnapshotStatePending, "40%"},
		{6 * time.Second, types.SnapshotStateCompleted, "100%"},
	} {
		r.clock.Advance(step.after)
		got := must[types.Snapshot](t)(r.snapshotState(t.Context(), snap))
		if got.State != step.state || *got.Progress != step.progress {
			t.Fatalf("after %s: %s %s, want %s %s", step.after, got.State, *got.Progress, step.state, step.progress)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	return string(must[[]byte](t)(os.ReadFile(path)))
}
