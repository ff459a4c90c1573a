package volumetest

import (
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const (
	// soon bounds what a provider that works needs, by its own clock: a lost snapshot may
	// be taken for hidden for minutes.
	soon = 5 * time.Minute
	// lookPause lies between two looks at what is under way.
	lookPause = 20 * time.Millisecond
)

func allGroups() [][]int { return [][]int{{0, 1}, {2}, {3}} }

// allVolumes are the indexes of all volumes.
func allVolumes() []int { return slices.Concat(allGroups()...) }

// optionsWithin are those of a first attempt that waits so long for capacity.
func optionsWithin(wait time.Duration, quiesced bool) volume.ReserveOptions {
	return volume.ReserveOptions{Quiesced: quiesced, Deadline: time.Now().Add(wait), TooLate: volume.ErrNoCapacity, Attempt: 1}
}

// reserve reserves for all volumes of a backup. What is not taken is released when the
// test ends.
func reserve(t *testing.T, w World, b *volume.Backup, quiesced bool) volume.Reservation {
	t.Helper()
	r, err := w.Driver(b).Reserve(t.Context(), allGroups(), optionsWithin(time.Minute, quiesced))
	if err != nil {
		t.Fatalf("reserve: %v", err)
	}
	t.Cleanup(r.Release)
	return r
}

// takeAll takes all volumes of a backup in one attempt, and wants all of them.
func takeAll(t *testing.T, w World, b *volume.Backup, quiesced bool) []volume.Snapshot {
	t.Helper()
	taken := takeOnce(t, w, b, quiesced, nil)
	for _, s := range taken {
		if s.Failed != "" {
			t.Fatalf("volume %d: %s", s.Volume, s.Failed)
		}
	}
	wantVolumes(t, volumesOf(taken), allVolumes())
	return taken
}

func takeOnce(t *testing.T, w World, b *volume.Backup, quiesced bool, without map[int]bool) []volume.Snapshot {
	t.Helper()
	r := reserve(t, w, b, quiesced)
	defer r.Release()
	taken, err := r.Take(t.Context(), without)
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	refused, err := r.CompleteTags(t.Context())
	if err != nil || len(refused) > 0 {
		t.Fatalf("complete tags: %v, refused %v", err, refused)
	}
	return sorted(taken)
}

// awaitPhase asks for the status of snapshots until all are in the phase.
func awaitPhase(t *testing.T, s volume.Snapshotter, taken []volume.Snapshot, phase string) map[int]volume.Status {
	t.Helper()
	for end := time.Now().Add(soon); ; time.Sleep(lookPause) {
		states, err := s.Status(t.Context(), taken)
		if err != nil {
			t.Fatalf("status: %v", err)
		}
		missing := func(s volume.Snapshot) bool { return states[s.Volume].Phase != phase }
		if !slices.ContainsFunc(taken, missing) {
			return states
		}
		if time.Now().After(end) {
			t.Fatalf("not all %s within %s: %+v", phase, soon, states)
		}
	}
}

// awaitExisting waits for what the provider is left with: it may go on with a deletion
// after it was asked for.
func awaitExisting(t *testing.T, w World, uid string, want ...int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(lookPause) {
		got := w.Existing(uid)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the provider has snapshots of volumes %v, not %v", got, want)
		}
	}
}

// otherBackup is a backup of the same volumes by another run.
func otherBackup(w World) *volume.Backup {
	b := *w.Backup()
	b.UID, b.Name, b.Volumes = b.UID+"-other", "other", slices.Clone(b.Volumes)
	for i := range b.Volumes {
		b.Volumes[i].Snapshot += "-other"
	}
	return &b
}

func sorted(all []volume.Snapshot) []volume.Snapshot {
	slices.SortFunc(all, func(a, b volume.Snapshot) int { return a.Volume - b.Volume })
	return all
}

func volumesOf(all []volume.Snapshot) []int {
	var out []int
	for _, s := range sorted(all) {
		out = append(out, s.Volume)
	}
	return out
}

func wantVolumes(t *testing.T, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("volumes %v, want %v", got, want)
	}
}
