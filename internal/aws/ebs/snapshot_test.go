package ebs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// slow are the published limits with snapshots of half a minute.
func slow() ebssim.Limits {
	l := ebssim.Published()
	l.SnapshotBase, l.SnapshotPerGiB = ebssim.Duration(30*time.Second), 0
	return l
}

func TestSnapshotIsMadeOnce(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		v.Tags = map[string]string{"team": "blue"}
		r := request(v, "pv-1")
		first, err := l.Snapshot(t.Context(), uid, r)
		if err != nil {
			t.Fatal(err)
		}
		if first.VolumeID != v.ID || first.State != SnapshotPending || first.Zone != zone || first.SizeGiB != 4 || !maps.Equal(first.Tags, r.Tags) {
			t.Errorf("made %+v", first)
		}
		time.Sleep(time.Second) // EC2 does not show it yet, and refuses another so soon
		again, err := w.location().Snapshot(t.Context(), uid, r)
		if err != nil || again.ID != first.ID || again.Zone != zone {
			t.Errorf("another worker: %+v, %v", again, err)
		}
		if all := w.snapshots(); len(all) != 1 || !maps.Equal(all[0].Tags, r.Tags) || all[0].Tags["team"] != "blue" {
			t.Errorf("snapshots %+v", all)
		}
		time.Sleep(time.Minute)
		done, err := l.Snapshots(t.Context(), []string{first.ID, "snap-00000000000000000"})
		if err != nil || len(done) != 1 || done[first.ID].State != SnapshotCompleted || done[first.ID].Progress != 100 {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

// TestDeletedSnapshotIsNotTakenForANewOne: EC2 may show what was deleted for a while, by its tags too.
func TestDeletedSnapshotIsNotTakenForANewOne(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		deleted := map[string]bool{}
		for range 4 {
			s, err := l.Snapshot(t.Context(), uid, request(v, "pv-1"))
			if err != nil {
				t.Fatal(err)
			}
			if deleted[s.ID] {
				t.Errorf("%s was deleted", s.ID)
			}
			time.Sleep(time.Minute)
			if d, err := l.DeleteSnapshot(t.Context(), s.ID, backupTag("nightly")); err != nil || d.Outcome != Deleted {
				t.Fatalf("%+v, %v", d, err)
			}
			deleted[s.ID] = true
			for range 4 {
				if found, err := l.Find(t.Context(), backupTag("nightly")); err != nil || len(found) > 0 {
					t.Errorf("%+v, %v", found, err)
				}
			}
		}
	})
}

func TestSnapshotOfAnotherRunIsAnother(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		start, ids := time.Now(), map[string]bool{}
		for i := range 6 {
			run := fmt.Sprint("run-", i)
			s, err := l.Snapshot(t.Context(), run, requestOf(run, v, "pv-1"))
			if err != nil {
				t.Fatal(err)
			}
			ids[s.ID] = true
		}
		if took := time.Since(start); len(ids) != 6 || took < 75*time.Second || took > 80*time.Second {
			t.Errorf("%d snapshots of a volume, 15 s apart, in %v", len(ids), took)
		}
		if bad := w.refusals(); len(bad) > 0 {
			t.Errorf("refused: %v", bad)
		}
	})
}

// TestSnapshotSurvivesALostAnswer: CreateSnapshot has no client token; who asks
// again without looking makes a second one. Requests that are lost or throttled are sent
// again.
func TestSnapshotSurvivesALostAnswer(t *testing.T) {
	for effect, times := range map[string]int{ebssim.EffectDropAfter: 1, ebssim.EffectDropBefore: 2, ebssim.EffectThrottle: 3} {
		t.Run(effect, func(t *testing.T) {
			inWorld(t, slow(), nil, func(t *testing.T, w *world) {
				l, v := w.location(), w.volumes(1)[0]
				w.fault(ebssim.Fault{Action: "CreateSnapshot", Effect: effect, Times: times})
				s, err := l.Snapshot(t.Context(), uid, request(v, "pv-1"))
				if all := w.snapshots(); err != nil || len(all) != 1 || all[0].ID != s.ID {
					t.Errorf("%+v, %v; there are %+v", s, err, all)
				}
			})
		})
	}
}

func TestSnapshotAfterAFailedOne(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		w.fault(ebssim.Fault{Effect: ebssim.EffectSnapshotError, Times: 1})
		first, err := l.Snapshot(t.Context(), uid, request(v, "pv-1"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		failed, err := l.Snapshots(t.Context(), []string{first.ID})
		if err != nil || failed[first.ID].State != SnapshotFailed || failed[first.ID].StateMessage == "" {
			t.Fatalf("%+v, %v", failed, err)
		}
		second, err := l.Snapshot(t.Context(), uid, request(v, "pv-1"))
		if err != nil || second.ID == first.ID {
			t.Errorf("the failed one again: %+v, %v", second, err)
		}
	})
}

func TestSnapshotRefusals(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		gone := Volume{ID: "vol-00000000000000000"}
		if _, err := l.Snapshot(t.Context(), uid, request(gone, "pv")); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), gone.ID) {
			t.Errorf("a volume that is gone: %v", err)
		}
		for name, r := range map[string]Request{
			"no id": request(Volume{}, "pv"), "no PV": request(v, ""), "other PV": {Volume: v, PV: "x", Tags: request(v, "y").Tags},
			"other run": requestOf("other", v, "pv"),
		} {
			if _, err := l.Snapshot(t.Context(), uid, r); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.fault(ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectError, Code: "SnapshotLimitExceeded", Times: 1})
		if _, err := l.Snapshot(t.Context(), uid, request(v, "pv")); !errors.Is(err, ErrLimit) {
			t.Errorf("a quota that waiting does not mend: %v", err)
		}
		if all := w.snapshots(); len(all) != 0 {
			t.Errorf("made %+v", all)
		}
	})
}

func TestSnapshotEndsWithTheContext(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		w.fault(ebssim.Fault{Action: "CreateSnapshot", Effect: ebssim.EffectThrottle})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if _, err := l.Snapshot(ctx, uid, request(v, "pv-1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("throttled for ever: %v", err)
		}
		w.RemoveFault("")
		start := time.Now()
		if _, err := l.Snapshot(t.Context(), uid, request(v, "pv-1")); err != nil || time.Since(start) > 30*time.Second {
			t.Errorf("nothing is left behind: %v after %v", err, time.Since(start))
		}
	})
}

// snapshotAll asks for all volumes at once, as a backup does, and waits until
// the last snapshot is completed. It returns how long that took.
func (w *world) snapshotAll(ls []*Location, volumes []Volume) time.Duration {
	w.t.Helper()
	start, errs, wg := time.Now(), make(chan error, len(volumes)), sync.WaitGroup{}
	for i, v := range volumes {
		wg.Go(func() {
			_, err := ls[i%len(ls)].Snapshot(w.t.Context(), uid, request(v, fmt.Sprint("pv-", i)))
			errs <- err
		})
	}
	wg.Wait()
	for range volumes {
		if err := <-errs; err != nil {
			w.t.Fatal(err)
		}
	}
	for w.completed() < len(volumes) {
		time.Sleep(250 * time.Millisecond)
	}
	if all := len(w.snapshots()); all != len(volumes) {
		w.t.Errorf("%d snapshots of %d volumes", all, len(volumes))
	}
	return time.Since(start)
}

func (w *world) completed() int {
	n := 0
	for _, s := range w.snapshots() {
		if s.State == SnapshotCompleted {
			n++
		}
	}
	return n
}

// TestManyVolumes is the promise: not one refusal, and within 1.2 times of what
// the limits allow, whether slots or requests are scarce.
func TestManyVolumes(t *testing.T) {
	for _, tt := range []struct {
		volumes int
		each    time.Duration
	}{{10, 10 * time.Second}, {100, 10 * time.Second}, {300, 2 * time.Second}, {300, 30 * time.Second}} {
		t.Run(fmt.Sprintf("%d of %v", tt.volumes, tt.each), func(t *testing.T) {
			limits := slow()
			limits.SnapshotBase = ebssim.Duration(tt.each)
			inWorld(t, limits, nil, func(t *testing.T, w *world) {
				volumes := w.volumes(tt.volumes)
				took, least := w.snapshotAll([]*Location{w.location()}, volumes), limits.Least(tt.volumes, sizeGiB)
				t.Logf("%v, the limits allow %v: %.2f", took, least, took.Seconds()/least.Seconds())
				if bad := w.refusals(); len(bad) > 0 || took > least*12/10 {
					t.Errorf("refused: %v", bad)
				}
			})
		})
	}
}
