package orphan_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// known is an installation whose location was searched two days ago, and has a backup.
func (w *world) known(cluster string) *installation {
	w.t.Helper()
	i := w.install(cluster, repositorytest.Stores{"default": memstore.New()})
	i.registered()
	i.commit("kept", "", time.Now().Add(99*day))
	i.plan()
	time.Sleep(2 * day)
	return i
}

// TestSnapshots: what becomes of a snapshot that carries the tags of backup "b" of cluster
// prod, two days after it was made. "" is that it is no orphan.
func TestSnapshots(t *testing.T) {
	const goes = "goes"
	for name, c := range map[string]struct {
		prepare func(i *installation) (id string)
		want    string
	}{
		"nothing names it": {func(i *installation) string { return i.snapshot(i.tags("b")) }, goes},
		"a manifest names it": {func(i *installation) string {
			id := i.snapshot(i.tags("b"))
			i.commit("b", "", time.Now(), id)
			return id
		}, ""},
		"twice there: the manifest names the other": {func(i *installation) string {
			id := i.snapshot(i.tags("b"))
			i.commit("b", "", time.Now(), i.snapshot(i.tags("b")))
			return id
		}, goes},
		"another backup has the name by now": {func(i *installation) string {
			tags := i.tags("b")
			tags[ebs.TagBackupUID] = "uid-of-an-older-b"
			i.commit("b", "", time.Now())
			return i.snapshot(tags)
		}, goes},
		"of a driver, and nothing names it": {func(i *installation) string { return i.snapshot(i.driverTags("b")) }, goes},
		"of a driver, and a manifest names it": {func(i *installation) string {
			id := i.snapshot(i.driverTags("b"))
			i.commit("b", "", time.Now(), id)
			return id
		}, ""},
		"of a driver, for a run that goes on": {func(i *installation) string { i.stage("b"); return i.snapshot(i.driverTags("b")) }, ""},
		"a run that goes on":                  {func(i *installation) string { i.stage("b"); return i.snapshot(i.tags("b")) }, ""},
		"a run that holds the name only": {func(i *installation) string {
			i.stage("b")
			i.store().Remove(layout.Staging("uid-b") + repository.PlanFile)
			i.store().Remove(layout.Staging("uid-b") + "shard-00000/chunk-00000")
			return i.snapshot(i.tags("b"))
		}, ""},
		"a run that has ended, with which it goes": {func(i *installation) string {
			i.stage("b")
			i.runs.end("backup:prod:b")
			return i.snapshot(i.tags("b"))
		}, ""},
		"a deletion that goes on": {func(i *installation) string {
			i.store().Set(layout.Tombstone("b"), []byte(`{"name":"b","uid":"uid-b"}`))
			return i.snapshot(i.tags("b"))
		}, ""},
		"another cluster's": {func(i *installation) string {
			tags := i.tags("b")
			tags[ebs.TagCluster] = "dev"
			return i.snapshot(tags)
		}, ""},
		"another bucket's": {func(i *installation) string {
			tags := i.tags("b")
			tags[ebs.TagPlace] = "0123456789ab"
			return i.snapshot(tags)
		}, ""},
		"of an older worker, that wrote no place": {func(i *installation) string {
			tags := i.tags("b")
			delete(tags, ebs.TagPlace)
			return i.snapshot(tags)
		}, ""},
		"a person's": {func(i *installation) string { return i.snapshot(map[string]string{"Name": "mine"}) }, ""},
		"the backup's files are damaged": {func(i *installation) string {
			i.commit("b", "", time.Now(), "snap-0")
			i.store().Set(layout.Backup{Name: "b"}.VolumeInfo(), []byte("x"))
			return i.snapshot(i.tags("b"))
		}, "backup b in storage location default cannot be read and may name it"},
		"the backup's document is damaged": {func(i *installation) string {
			i.commit("b", "", time.Now(), "snap-0")
			i.store().Set(layout.Backup{Name: "b"}.Metadata(), []byte("{"))
			return i.snapshot(i.tags("b"))
		}, "backup b in storage location default cannot be read and may name it"},
		"another backup is damaged": {func(i *installation) string {
			i.commit("a", "", time.Now(), "snap-0")
			i.store().Set(layout.Backup{Name: "a"}.Manifest(), []byte("{"))
			return i.snapshot(i.tags("b"))
		}, goes},
		"a driver's, and nothing names it": {func(i *installation) string { return i.snapshot(i.csiTags("velero-data-0123abcd")) }, goes},
		"a driver's, and a manifest names it": {func(i *installation) string {
			id := i.snapshot(i.csiTags("velero-data-0123abcd"))
			i.commit("b", "", time.Now(), id)
			return id
		}, ""},
		"a driver's, and a content stands for it": {func(i *installation) string {
			id := i.snapshot(i.csiTags("velero-data-0123abcd"))
			i.objects.contents = append(i.objects.contents, orphan.Content{Name: "c", Handle: id})
			return id
		}, ""},
		"a driver's, and some backup is damaged": {func(i *installation) string {
			i.commit("a", "", time.Now(), "snap-0")
			i.store().Set(layout.Backup{Name: "a"}.Manifest(), []byte("{"))
			return i.snapshot(i.csiTags("velero-data-0123abcd"))
		}, "backup a in storage location default cannot be read and may name it"},
		"a driver's, made for Velero":   {func(i *installation) string { return i.snapshot(i.csiTags("velero-data-x7k2p")) }, ""},
		"a driver's, made for a person": {func(i *installation) string { return i.snapshot(i.csiTags("before-the-upgrade")) }, ""},
		"the name is another cluster's here": {func(i *installation) string {
			i.store().Set(layout.ClusterName("prod"), []byte(`{"cluster":"prod","uid":"other"}`))
			return i.snapshot(i.tags("b"))
		}, `cluster: the name "prod" belongs in storage location default`},
		"the contents cannot be listed": {func(i *installation) string {
			i.objects.err = errors.New("unavailable")
			return i.snapshot(i.tags("b"))
		}, "what may name it could not be read: VolumeSnapshotContents: unavailable"},
		"all backups have vanished": {func(i *installation) string {
			for _, key := range i.store().Keys() {
				if strings.HasPrefix(key, layout.BackupsDir) {
					i.store().Remove(key)
				}
			}
			return i.snapshot(i.tags("b"))
		}, "the storage location lists no backup, and had 1 at "},
		"nobody has searched the bucket before": {func(i *installation) string {
			i.store().Remove(layout.SeenKey)
			return i.snapshot(i.tags("b"))
		}, "the storage location is searched for the first time"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				i := w.known("prod")
				id := c.prepare(i)
				time.Sleep(2 * day)
				plan := i.plan()
				got := ""
				for _, o := range slices.Concat(plan.Remove, plan.Keep) {
					if o.ID == id && o.Kind == contract.OrphanSnapshot {
						if got = o.Reason; got == "" {
							got = goes
						}
					}
				}
				if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
					t.Errorf("got %q, want %q; plan:\n%s", got, c.want, textOf(plan))
				}
				i.remove(plan)
				if gone := !w.left()[id]; gone != (c.want == goes) && !strings.Contains(name, "with which it goes") {
					t.Errorf("gone %t", gone)
				}
			})
		})
	}
}

// TestRecommendedClass: the tags of the class that docs/VOLUMES.md recommends, as the driver fills
// them in, are those by which an orphan is found.
func TestRecommendedClass(t *testing.T) {
	text, err := os.ReadFile("../../../docs/VOLUMES.md")
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		fill := strings.NewReplacer("{{ .VolumeSnapshotName }}", "velero-data-0123abcd", "{{ .VolumeSnapshotNamespace }}", "shop", "=5f1c9a0b7e3d", "="+i.place())
		tags := map[string]string{}
		for _, line := range regexp.MustCompile(`(?m)^  tagSpecification_\d+: "(.*)"$`).FindAllStringSubmatch(string(text), -1) {
			key, value, _ := strings.Cut(fill.Replace(line[1]), "=")
			tags[key] = value
		}
		id := i.snapshot(tags)
		time.Sleep(2 * day)
		if res := i.remove(i.plan()); res.Removed != 1 || w.left()[id] {
			t.Errorf("%v: %+v", tags, res)
		}
	})
}

// A snapshot is reported from the beginning, with whose it is, and goes after the grace period.
func TestGracePeriod(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		id := i.snapshot(i.tags("b"))
		time.Sleep(23 * time.Hour)
		plan := i.plan()
		if len(plan.Keep) != 1 || len(plan.Remove) > 0 {
			t.Fatal(textOf(plan))
		}
		o := plan.Keep[0]
		if o.ID != id || o.Backup != "b" || o.UID != "uid-b" || o.Cluster != "prod" || o.Location != "default" || o.SizeGiB != 7 || time.Since(o.Since) < 22*time.Hour || !strings.Contains(o.Reason, "goes after the grace period, at ") {
			t.Errorf("%+v", o)
		}
		time.Sleep(2 * time.Hour)
		if res := i.remove(i.plan()); res.Removed != 1 || w.left()[id] {
			t.Errorf("%+v", res)
		}
	})
}

// Two clusters of one name with two buckets work in one account: neither touches what is the
// other's, whatever it has forgotten.
func TestTwoClustersOfOneName(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.install("prod", repositorytest.Stores{"a": memstore.New()})
		b := w.install("prod", repositorytest.Stores{"b": memstore.New()})
		var orphans []string
		want := map[string]bool{}
		for _, i := range []*installation{a, b} {
			id := i.snapshot(i.tags("nightly"))
			want[id] = true
			i.commit("nightly", "", time.Now().Add(99*day), id)
			i.plan()
			orphans = append(orphans, i.snapshot(i.tags("lost")))
		}
		b.stage("running")
		want[b.snapshot(b.tags("running"))] = true
		time.Sleep(3 * day)
		if res := a.remove(a.plan()); res.Removed != 1 {
			t.Errorf("%+v", res)
		}
		want[orphans[1]] = true
		if got := w.left(); !maps.Equal(got, want) {
			t.Errorf("left %v, want %v", got, want)
		}
		b.remove(b.plan())
		delete(want, orphans[1])
		if got := w.left(); !maps.Equal(got, want) {
			t.Errorf("left %v, want %v", got, want)
		}
	})
}

// TestUnknownStorageLocation: a storage location that was removed from the configuration, while schedules
// or snapshots of the cluster name it, has a row with its reason; what is of it stays. One that only another
// cluster, or another installation of the name, has is not told.
func TestUnknownStorageLocation(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		since := time.Now().UTC()
		define := func(cluster, location string, s contract.Schedule) {
			d := repository.ScheduleDefinition{Cluster: cluster, Created: since, Schedule: s}
			if d.Spec.Template.StorageLocation = location; d.Drill != nil {
				d.Drill.StorageLocation = location
			}
			if err := d.Write(t.Context(), i.store()); err != nil {
				t.Fatal(err)
			}
		}
		define("prod", "west", contract.Schedule{Name: "nightly"})
		define("prod", "default", contract.Schedule{Name: "here"})
		define("prod", "", contract.Schedule{Name: "plain"})
		define("dev", "of-dev", contract.Schedule{Name: "theirs"})
		define("prod", "south", contract.Schedule{Name: "quarterly", Drill: &definition.Spec{}})
		var kept []string
		for _, location := range []string{"west", "west", "east", "default", ""} {
			tags := i.tags("b")
			tags[ebs.TagPlace], tags[ebs.TagLocation] = "0123456789ab", location
			kept = append(kept, i.snapshot(tags))
		}
		tags := i.tags("b")
		tags[ebs.TagPlace], tags[ebs.TagLocation], tags[ebs.TagCluster] = "0123456789ab", "of-dev", "dev"
		kept = append(kept, i.snapshot(tags))
		time.Sleep(2 * day)
		plan := i.plan()
		const add = " unknown, add it to backupStorageLocations of the worker's configuration: named by "
		want := "location east stays: retained: location east" + add + "EBS snapshots (1)\n" +
			"location south stays: retained: location south" + add + "drill schedule quarterly\n" +
			"location west stays: retained: location west" + add + "schedule nightly, EBS snapshots (2)"
		lines := strings.Split(textOf(plan), "\n")
		if slices.Sort(lines); strings.Join(lines, "\n") != want {
			t.Errorf("got\n%s\nwant\n%s", textOf(plan), want)
		}
		for _, o := range plan.Keep {
			if o.Cluster != "prod" || o.Since.Before(since.Truncate(time.Second)) || time.Since(o.Since) < day {
				t.Errorf("%+v", o)
			}
		}
		i.remove(plan)
		for n, id := range kept {
			if !w.left()[id] {
				t.Errorf("snapshot %d is gone", n)
			}
		}
	})
}

// What a backup in another location names stays, such as one that was copied there; while that
// location cannot be read, nothing goes that it may name.
func TestCopiedBucket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		st, other := memstore.New(), memstore.New()
		i := w.install("prod", repositorytest.Stores{"a": st, "b": other})
		id := i.snapshot(i.tags("moved"))
		i.commit("kept", "", time.Now().Add(99*day))
		i.plan()
		commitAs(t, other, "moved", "", "prod", time.Now().Add(99*day), []string{id})
		time.Sleep(3 * day)
		if plan := i.plan(); len(plan.Remove)+len(plan.Keep) > 0 {
			t.Error(textOf(plan))
		}
		other.Fail(memstore.Any, errors.New("no such host"))
		i.restart()
		plan := i.plan()
		if len(plan.Remove) > 0 || len(plan.Keep) != 1 || !strings.Contains(plan.Keep[0].Reason, "storage location b") || len(plan.Unread) != 1 {
			t.Error(textOf(plan))
		}
	})
}

// What was deleted by Lifeboat is missed by nobody: an empty list is believed then.
func TestEmptyOnPurpose(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		id := i.snapshot(i.tags("b"))
		time.Sleep(2 * day)
		if _, err := i.store().DeletePrefix(t.Context(), layout.BackupDir("kept")); err != nil {
			t.Fatal(err)
		}
		if err := beside.CountDeletion(t.Context(), i.store(), "uid-kept"); err != nil {
			t.Fatal(err)
		}
		if res := i.remove(i.plan()); res.Removed != 1 || w.left()[id] {
			t.Errorf("%+v", res)
		}
	})
}

// vanish removes the files of backups behind Lifeboat's back.
func (i *installation) vanish(names ...string) {
	i.t.Helper()
	for _, name := range names {
		if _, err := i.store().DeletePrefix(i.t.Context(), layout.BackupDir(name)); err != nil {
			i.t.Fatal(err)
		}
	}
}

// What vanished without a deletion keeps its snapshots, whatever is made afterwards, until a
// person says of it that it went on purpose.
func TestVanished(t *testing.T) {
	for name, vanished := range map[string][]string{"some": {"b"}, "all": {"b", "kept"}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				i := w.known("prod")
				id := i.snapshot(i.tags("b"))
				tagless := i.snapshot(i.csiTags("velero-data-0123abcd"))
				i.commit("b", "", time.Now().Add(99*day), id, tagless)
				i.plan()
				i.vanish(vanished...)
				i.plan()
				for n := range 3 { // as many as there were, and more
					i.commit(fmt.Sprintf("nightly-%d", n), "", time.Now().Add(99*day))
					i.restart()
					time.Sleep(2 * day)
					plan := i.plan()
					if len(plan.Remove) > 0 || len(plan.Keep) != 2 {
						t.Fatal(textOf(plan))
					}
					if want := "backup b was in storage location default and is gone without a deletion: put its files back, or say that it went on purpose: lifeboat backup delete b --storage-location default"; plan.Keep[0].Reason != want {
						t.Errorf("%s", textOf(plan))
					}
				}
				i.store().Set(layout.Backup{Name: "b"}.Metadata(), []byte(`{"metadata":{"name":"b","uid":"later"},"status":{"phase":"Completed"}}`))
				if text := textOf(i.plan()); !strings.Contains(text, "is gone without a deletion") || strings.Contains(text, "backup delete b") {
					t.Errorf("another has the name: %s", text)
				}
				i.vanish("b")
				for _, name := range vanished {
					if err := beside.CountDeletion(t.Context(), i.store(), "uid-"+name); err != nil {
						t.Fatal(err)
					}
				}
				if res := i.remove(i.plan()); res.Removed != 2 || w.left()[id] || w.left()[tagless] {
					t.Errorf("said by name: %+v", res)
				}
			})
		})
	}
}

// The files that are left of a backup whose document vanished stay, and so does what its run left.
func TestVanishedDocument(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.commit("b", "", time.Now().Add(99*day))
		i.stage("c")
		i.commit("c", "", time.Now().Add(99*day))
		i.plan()
		i.runs.end("backup:prod:c")
		for _, name := range []string{"b", "c"} {
			i.store().Remove(layout.Backup{Name: name}.Metadata())
		}
		time.Sleep(2 * day)
		plan := i.plan()
		if text := textOf(plan); len(plan.Remove) > 0 || !strings.Contains(text, "directory backups/b/ stays: backup b was in") || !strings.Contains(text, "run uid-c stays: backup c was in") {
			t.Error(text)
		}
		i.commit("b", "", time.Now().Add(99*day))
		i.commit("c", "", time.Now().Add(99*day))
		if text := textOf(i.plan()); text != "run uid-c" {
			t.Errorf("put back: %s", text)
		}
	})
}

// What an older worker has counted guards as it did, and is replaced by names where nothing is
// missing.
func TestCountOfOlderWorker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		id := i.snapshot(i.tags("b"))
		since := time.Now().Add(-9 * day).UTC().Format(time.RFC3339)
		i.store().Set(layout.SeenKey, fmt.Appendf(nil, `{"since":%q,"backups":2,"at":%q}`, since, since))
		time.Sleep(2 * day)
		if text := textOf(i.plan()); !strings.Contains(text, "lists 1 of the 2 backups that an older worker has counted") {
			t.Error(text)
		}
		i.store().Set(layout.SeenKey, fmt.Appendf(nil, `{"since":%q,"backups":1,"at":%q}`, since, since))
		if text := textOf(i.plan()); text != "snapshot "+id {
			t.Error(text)
		}
		i.vanish("kept")
		i.commit("new", "", time.Now().Add(99*day))
		if seen, err := beside.ReadSeen(t.Context(), i.store()); err != nil || len(seen.Known) != 1 || seen.Known[0].Name != "kept" {
			t.Errorf("%+v, %v", seen, err)
		}
	})
}

// A list that was begun before a deletion ended brings back nothing of what was deleted.
func TestDeletedMeanwhile(t *testing.T) {
	st := memstore.New()
	list := []repository.BackupEntry{{Name: "a", UID: "1", Ours: true}, {Name: "b", UID: "2", Ours: true}, {Name: "velero", UID: "3"}}
	for _, known := range []int{0, 1} { // of the list, before
		st.Remove(layout.SeenKey)
		if err := beside.RecordSeen(t.Context(), st, nil, list[:known], time.Now()); err != nil {
			t.Fatal(err)
		}
		before, err := beside.ReadSeen(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(beside.CountDeletion(t.Context(), st, "1"), beside.RecordSeen(t.Context(), st, before, list, time.Now())); err != nil {
			t.Fatal(err)
		}
		now, err := beside.ReadSeen(t.Context(), st)
		if err != nil || len(now.Known) != 0 {
			t.Errorf("known %d: %+v, %v", known, now, err)
		}
		if err := beside.RecordSeen(t.Context(), st, now, list[1:], time.Now()); err != nil {
			t.Fatal(err)
		}
		if now, err = beside.ReadSeen(t.Context(), st); err != nil || fmt.Sprint(now.Known) != "[{b 2 }]" || now.Missing(list, nil) != nil {
			t.Errorf("known %d: %+v, %v", known, now, err)
		}
	}
}

// Between a plan and the removal a run may begin, or what a list did not show may be there: it
// is looked at again.
func TestLookedAtAgain(t *testing.T) {
	for name, appear := range map[string]func(i *installation, id string){
		"a backup":  func(i *installation, id string) { i.commit("b", "", time.Now(), id) },
		"a run":     func(i *installation, _ string) { i.stage("b") },
		"unknown":   func(i *installation, _ string) { i.store().Fail(memstore.Any, errors.New("cut")) },
		"a damaged": func(i *installation, _ string) { i.store().Set(layout.Backup{Name: "b"}.Metadata(), []byte("{")) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				i := w.known("prod")
				id := i.snapshot(i.tags("b"))
				time.Sleep(2 * day)
				plan := i.plan()
				appear(i, id)
				if res := i.remove(plan); res.Removed != 0 || len(res.Kept) != 1 || res.Kept[0].Reason == "" || !w.left()[id] {
					t.Errorf("%+v", res)
				}
			})
		})
	}
}

// A locked snapshot is retained and reported, and goes after its date.
func TestLockedSnapshot(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		id := i.snapshot(i.tags("b"))
		time.Sleep(time.Minute)
		w.lock(id, 3)
		time.Sleep(2 * day)
		res := i.remove(i.plan())
		if len(res.Kept) != 1 || !strings.Contains(res.Kept[0].Reason, "locked") || !w.left()[id] {
			t.Fatalf("%+v", res)
		}
		time.Sleep(2 * day)
		if res := i.remove(i.plan()); res.Removed != 1 || w.left()[id] {
			t.Errorf("%+v", res)
		}
	})
}

// TestFiles: what becomes of files, two days after they were written.
func TestFiles(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(i *installation)
		want    string // the plan
		left    string // keys, beside those of the backup "kept" and of what was seen
	}{
		"a run that has ended": {func(i *installation) { i.stage("b"); i.writeFiles("b"); i.runs.end("backup:prod:b") }, "run uid-b", ""},
		"a run that goes on": {
			func(i *installation) { i.stage("b"); i.writeFiles("b") }, "",
			"backups/b/b-lifeboat-index.gz backups/b/b.tar.gz plugins/lifeboat/claims/b.json plugins/lifeboat/staging/uid-b/plan.json plugins/lifeboat/staging/uid-b/shard-00000/chunk-00000",
		},
		"a run of which Temporal does not tell": {
			func(i *installation) { i.stage("b"); i.runs.err = errors.New("no answer") }, "run uid-b stays: it is not known whether the run goes on: no answer",
			"plugins/lifeboat/claims/b.json plugins/lifeboat/staging/uid-b/plan.json plugins/lifeboat/staging/uid-b/shard-00000/chunk-00000",
		},
		"a run that was lost before it wrote what it is": {func(i *installation) { i.store().Set(layout.Staging("u")+"chunk", []byte("x")) }, "run u", ""},
		"the same where several clusters work": {func(i *installation) {
			i.store().Set(layout.ClusterName("dev"), []byte(`{"cluster":"dev","uid":"d"}`))
			i.store().Set(layout.Staging("u")+"chunk", []byte("x"))
		}, "run u stays: it is not known which cluster began it", "plugins/lifeboat/clusters/dev.json plugins/lifeboat/staging/u/chunk"},
		"a restore that has ended": {func(i *installation) {
			i.store().Set(layout.Staging("r")+"open.json", []byte(`{"uid":"r","restore":{"name":"back"},"run":{"workflowID":"restore:prod:back","cluster":"prod"},"archive":{"backup":"b"}}`))
		}, "run r", ""},
		"a directory without a document": {func(i *installation) { i.writeFiles("b") }, "directory backups/b/", ""},
		"the same of Velero": {func(i *installation) {
			i.store().Set(layout.Backup{Name: "b"}.Tarball(), []byte("tar"))
		}, "", "backups/b/b.tar.gz"},
		"the same of another cluster": {func(i *installation) {
			commitAs(i.t, i.store(), "b", "", "dev", time.Now(), nil)
			i.store().Remove(layout.Backup{Name: "b"}.Metadata())
		}, "", "backups/b/b-lifeboat-index.gz backups/b/b-lifeboat-manifest.json backups/b/b-volumeinfo.json.gz backups/b/b-volumesnapshots.json.gz backups/b/b.tar.gz"},
		"the same of this one among several": {func(i *installation) {
			i.store().Set(layout.ClusterName("dev"), []byte(`{"cluster":"dev","uid":"d"}`))
			i.commit("b", "", time.Now())
			i.store().Remove(layout.Backup{Name: "b"}.Metadata())
		}, "directory backups/b/", "plugins/lifeboat/clusters/dev.json"},
		"the same, being deleted": {func(i *installation) {
			i.writeFiles("b")
			i.store().Set(layout.Tombstone("b"), []byte(`{"name":"b","uid":"uid-b"}`))
		}, "", "backups/b/b-lifeboat-index.gz backups/b/b.tar.gz plugins/lifeboat/tombstones/b.json"},
		"the same under a lock": {func(i *installation) {
			i.writeFiles("b")
			i.store().Lock(layout.Backup{Name: "b"}.Tarball(), store.ErrLocked)
		}, "directory backups/b/", "backups/b/b-lifeboat-index.gz backups/b/b.tar.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				i := w.known("prod")
				before := i.store().Keys()
				c.prepare(i)
				time.Sleep(2 * day)
				plan := i.plan()
				if got := textOf(plan); got != c.want {
					t.Errorf("plan %q, want %q", got, c.want)
				}
				i.remove(plan)
				left := slices.DeleteFunc(i.store().Keys(), func(key string) bool { return slices.Contains(before, key) })
				if got := strings.Join(left, " "); got != c.left {
					t.Errorf("left %s, want %s", got, c.left)
				}
				if again := i.plan(); len(again.Remove) > 0 && c.left == "" {
					t.Errorf("planned again: %s", textOf(again))
				}
			})
		})
	}
}

// Unfinished uploads go with age; those of Velero and of runs that go on do not.
func TestUploads(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.stage("running")
		st := i.store()
		for _, key := range []string{
			layout.Backup{Name: "lost"}.Index(), layout.Backup{Name: "kept"}.Tarball(), layout.Staging("gone") + "x",
			layout.Backup{Name: "velero"}.Tarball(), layout.Backup{Name: "running"}.Tarball(), "kopia/x", layout.Staging("uid-running") + "x",
		} {
			st.SetUpload(key)
		}
		time.Sleep(23 * time.Hour)
		if plan := i.plan(); len(plan.Remove) > 0 || len(plan.Keep) != 3 {
			t.Error(textOf(plan))
		}
		time.Sleep(2 * time.Hour)
		if res := i.remove(i.plan()); res.Removed != 3 || len(res.Gone) != 3 || len(res.Kept) > 0 {
			t.Errorf("%+v", res)
		}
		left, err := st.Uploads(t.Context(), "")
		if err != nil || len(left) != 4 {
			t.Errorf("left %v, %v", left, err)
		}
	})
}

// Contents that a restore left behind go; the others are left alone.
func TestContents(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.store().Set(layout.Staging("r")+"open.json", []byte(`{"uid":"r","restore":{"name":"going"},"run":{"workflowID":"restore:prod:going","cluster":"prod"}}`))
		i.runs.begin("restore:prod:going")
		old := time.Now().Add(-2 * day)
		i.objects.contents = []orphan.Content{
			{Name: "left", Restore: "done", Loose: true, Created: old},
			{Name: "young", Restore: "done", Loose: true, Created: time.Now()},
			{Name: "used", Restore: "done", Created: old},
			{Name: "going", Restore: "going", Loose: true, Created: old},
			{Name: "other", Loose: true, Created: old},
		}
		i.remove(i.plan())
		if got := fmt.Sprint(i.objects.deleted); got != "[left]" {
			t.Errorf("deleted %s", got)
		}
	})
}

// VolumeSnapshots that a backup left go where nothing is left of the backup; those of backups that
// go on, were committed or are somebody else's stay.
func TestVolumeSnapshots(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.stage("going")
		i.commit("whole", "", time.Now().Add(99*day), "snap-named")
		i.objects.contents = []orphan.Content{{Name: "named", Handle: "snap-named"}, {Name: "twice", Handle: "snap-twice"}}
		old := time.Now().Add(-2 * day)
		taken := func(of string, change ...func(*orphan.VolumeSnapshot)) {
			vs := orphan.VolumeSnapshot{Namespace: "shop", Name: fmt.Sprintf("%s-%d", of, len(i.objects.taken)), UID: "object", Backup: of, BackupUID: "uid-" + of, Cluster: "prod", Place: i.place(), Created: old}
			for _, c := range change {
				c(&vs)
			}
			i.objects.taken = append(i.objects.taken, vs)
		}
		taken("lost")
		taken("lost", func(vs *orphan.VolumeSnapshot) { vs.Created = time.Now() })
		taken("whole", func(vs *orphan.VolumeSnapshot) { vs.Content = "named" })
		taken("whole", func(vs *orphan.VolumeSnapshot) { vs.Content = "twice" }) // made late, by a worker that stood still
		taken("going")
		taken("lost", func(vs *orphan.VolumeSnapshot) { vs.Cluster = "stage" })
		taken("lost", func(vs *orphan.VolumeSnapshot) { vs.Place = "elsewhere" })
		taken("lost", func(vs *orphan.VolumeSnapshot) { vs.Place = "" }) // of an older version
		plan := i.plan()
		if text := textOf(plan); !strings.HasPrefix(text, "volumesnapshot shop/lost-0\nvolumesnapshot shop/whole-3\nvolumesnapshot shop/lost-1 stays: goes after the grace period") || strings.Count(text, "\n") != 2 {
			t.Error(text)
		}
		late := plan
		late.Remove = []contract.Orphan{{Kind: contract.OrphanVolumeSnapshot, ID: "shop/whole-2", Backup: "whole", UID: "uid-whole", Handle: "snap-named", Location: "default"}}
		if res := i.remove(late); res.Removed > 0 || len(res.Kept) != 1 || !strings.Contains(res.Kept[0].Reason, "backup whole") {
			t.Errorf("%+v", res)
		}
		i.remove(plan)
		slices.Sort(i.objects.deleted)
		if got := fmt.Sprint(i.objects.deleted); got != "[shop/lost-0 object shop/whole-3 object]" {
			t.Errorf("deleted %s", got)
		}
	})
}

// A volume that a restore made is nobody's to delete; it is told where nothing uses it.
func TestVolumes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		tags := map[string]string{ebs.TagRestoreUID: "r", ebs.TagCluster: "prod", ebs.TagPlace: i.place()}
		used, unused := w.disk(tags), w.disk(tags)
		i.objects.attached[used] = true
		time.Sleep(2 * day)
		plan := i.plan()
		if len(plan.Remove) > 0 || len(plan.Keep) != 1 || plan.Keep[0].ID != unused || plan.Keep[0].UID != "r" {
			t.Error(textOf(plan))
		}
	})
}

// What is another cluster's, also of one that is gone, is collected where somebody asks for it.
func TestAnotherCluster(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		st := memstore.New()
		gone := w.install("gone", repositorytest.Stores{"default": st})
		gone.commit("kept", "", time.Now().Add(99*day))
		gone.plan()
		id := gone.snapshot(gone.tags("lost"))
		gone.stage("dead")
		gone.runs.end("backup:gone:dead")
		time.Sleep(2 * day)
		i := w.install("prod", repositorytest.Stores{"default": st})
		if got := textOf(i.plan()); got != "" {
			t.Errorf("unasked: %s", got)
		}
		plan, err := i.Plan(t.Context(), contract.PlanOrphansInput{Now: time.Now(), Cluster: "gone"})
		if err != nil {
			t.Fatal(err)
		}
		if got := textOf(plan); !strings.HasPrefix(got, "snapshot "+id+"\nrun uid-dead stays: only a worker of cluster gone") {
			t.Error(got)
		}
		res, err := i.Remove(t.Context(), new(heartbeat.Recorder), contract.RemoveOrphansInput{Orphans: plan.Remove, Cluster: "gone"})
		if err != nil || res.Removed != 1 || w.left()[id] {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// The copy of a drill goes once its run has ended and the grace period is over; one that something
// holds is told with that, and those of a drill that goes on, or keeps its copy, are left alone.
func TestDrillCopies(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		d := &drills{held: map[string]bool{"stuck": true}}
		i.Drills = d
		old := time.Now().Add(-2 * day)
		d.copies = []orphan.Copy{{Drill: "lost", Created: old}, {Drill: "stuck", Created: old}, {Drill: "young", Created: time.Now()}}
		i.runs.begin("drill:prod")
		if got := textOf(i.plan()); got != "" {
			t.Errorf("of a drill that goes on: %s", got)
		}
		i.runs.end("drill:prod")
		plan := i.plan()
		if len(plan.Remove) != 2 || len(plan.Keep) != 1 || plan.Keep[0].ID != "young" || plan.Remove[0].Workflow != "drill:prod" {
			t.Fatal(textOf(plan))
		}
		began := time.Now()
		res := i.remove(plan)
		if fmt.Sprint(d.removed) != "[lost]" || res.Removed != 1 || len(res.Kept) != 1 || !strings.Contains(res.Kept[0].Reason, "restore-test-shop (finalizer x)") {
			t.Errorf("%v, %+v", d.removed, res)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute || d.asked < 10 {
			t.Errorf("given up after %s, asked %d times", took, d.asked)
		}
		i.runs.begin("drill:prod") // reset, between plan and removal
		if d.removed = nil; len(i.remove(plan).Kept) != 2 || len(d.removed) > 0 {
			t.Errorf("removed %v of a drill that goes on", d.removed)
		}
		i.runs.end("drill:prod")
		i.runs.err = errors.New("no answer")
		if plan := i.plan(); len(plan.Remove) > 0 || !strings.Contains(textOf(plan), "drill lost stays: it is not known whether the drill goes on: no answer") {
			t.Error(textOf(plan))
		}
	})
}
