package orphan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// explain reads all pages.
func (i *installation) explain(name string) (all []contract.SnapshotSummary, pages int) {
	i.t.Helper()
	in := contract.ReadInput{Verb: contract.ReadSnapshots, Name: name}
	for {
		res, err := i.Explain(i.t.Context(), in)
		if err != nil {
			i.t.Fatal(err)
		}
		if data, err := json.Marshal(res); err != nil || len(data) > 1<<20 {
			i.t.Fatalf("an answer of %d bytes, %v", len(data), err)
		}
		all, pages = append(all, res.Snapshots...), pages+1
		if in.Continue = res.Continue; in.Continue == "" {
			return all, pages
		}
	}
}

// TestExplain: why each snapshot is there, and until when.
func TestExplain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.policy = retention.Policy{Floor: 1}
		i.restart()
		foreign := i.tags("b")
		foreign[ebs.TagPlace], foreign[ebs.TagCluster] = "0123456789ab", "dev"
		theirs := i.tags("theirs")
		theirs[ebs.TagCluster] = "dev"
		end := time.Now().Add(9 * day).UTC().Truncate(time.Second)
		want := map[string]string{}
		add := func(tags map[string]string, text string) string {
			id := i.snapshot(tags)
			want[id] = text
			return id
		}
		i.commit("fresh", "", end, add(i.tags("fresh"), "fresh of prod in s3://b-default/p: its backup has not expired until "+end.Format(time.RFC3339)))
		i.commit("csi", "", end, add(nil, "csi of prod in s3://b-default/p: its backup has not expired until "+end.Format(time.RFC3339)))
		i.commit("held", "", end, add(i.tags("held"), "held of prod in s3://b-default/p: its backup is held: audit"))
		i.store().Set(layout.RetentionKey("held"), []byte(`{"name":"held","uid":"uid-held","hold":"audit"}`))
		i.commit("floor", "nightly", time.Now(), add(i.tags("floor"), "floor of prod in s3://b-default/p: its backup has expired and stays: among the last 1 good backups of schedule nightly"))
		i.commit("old", "", time.Now(), add(i.tags("old"), "old of prod in s3://b-default/p: its backup has expired and goes with the next collection of its cluster"))
		next := time.Now().Add(2*day + time.Hour).UTC().Truncate(time.Second)
		i.commit("locked", "", time.Now(), add(i.tags("locked"), "locked of prod in s3://b-default/p: its backup has expired and stays: could not be deleted, is tried again at "+next.Format(time.RFC3339)+": retained until "+next.Format(time.RFC3339)))
		i.store().Set(layout.DeletionTryKey("locked"), fmt.Appendf(nil, `{"name":"locked","uid":"uid-locked","tries":1,"last":%q,"error":"retained"}`, next.Add(-time.Hour).Format(time.RFC3339)))
		i.commit("shared", "weekly", time.Now(), add(i.tags("shared"), "shared of prod in s3://b-default/p: its backup has expired and stays: among the last 1 good backups of schedule weekly"))
		theirNewer := i.tags("their-newer")
		theirNewer[ebs.TagCluster] = "dev"
		time.Sleep(time.Second)
		commitAs(t, i.store(), "their-newer", "weekly", "dev", time.Now(), []string{add(theirNewer, "their-newer of dev in s3://b-default/p: its backup has expired and stays: among the last 1 good backups of schedule weekly")})
		commitAs(t, i.store(), "theirs", "", "dev", end, []string{add(theirs, "theirs of dev in s3://b-default/p: its backup has not expired until "+end.Format(time.RFC3339))})
		i.stage("running")
		add(i.tags("running"), "running of prod in s3://b-default/p: of run backup:prod:running")
		add(i.tags("lost"), "lost of prod in s3://b-default/p: an orphan, goes with the next collection")
		add(foreign, "b of dev in another one, with the digest 0123456789ab: of an installation with another bucket, which alone may delete it")
		removed, same := i.tags("b"), i.tags("b")
		removed[ebs.TagPlace], removed[ebs.TagLocation] = "0123456789ab", "west"
		same[ebs.TagPlace], same[ebs.TagLocation] = "0123456789ab", "default"
		add(removed, "b of prod in another one, with the digest 0123456789ab: retained: location west unknown, add it to backupStorageLocations of the worker's configuration")
		add(same, "b of prod in another one, with the digest 0123456789ab: of an installation with another bucket, which alone may delete it")
		add(map[string]string{ebs.TagBackup: "v"}, "v of  in : made by Velero; no backup in the locations of this worker names it")
		other := i.snapshot(map[string]string{"Name": "mine"})
		time.Sleep(2 * day)
		all, _ := i.explain("")
		if len(all) != len(want) {
			t.Errorf("%d snapshots, want %d", len(all), len(want))
		}
		for _, s := range all {
			got := fmt.Sprintf("%s of %s in %s: %s", s.Backup, s.Cluster, s.Bucket, s.Kept)
			if s.Until != nil {
				got += " until " + s.Until.UTC().Format(time.RFC3339)
			}
			if got != want[s.ID] || s.SizeGiB != 7 || s.SnapshotLocation != "ebs" {
				t.Errorf("got  %s\nwant %s", got, want[s.ID])
			}
		}
		if one, _ := i.explain(other); len(one) != 1 || one[0].Kept != "no backup's: neither Lifeboat nor Velero made it" {
			t.Errorf("%+v", one)
		}
		_, err := i.Explain(t.Context(), contract.ReadInput{Name: "snap-0"})
		if failure.TypeOf(err) != contract.ErrTypeNotFound {
			t.Error(err)
		}
	})
}

// What a ReadOnly location keeps is said to stay, as the plan says it.
func TestExplainReadOnly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.commit("old", "", time.Now(), i.snapshot(i.tags("old")))
		time.Sleep(2 * day)
		bsl, err := i.locations.Config().Location("default")
		if err != nil {
			t.Fatal(err)
		}
		bsl.Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
		if all, _ := i.explain(""); len(all) != 1 || all[0].Kept != "its backup has expired and stays: the storage location is ReadOnly" {
			t.Errorf("%+v", all)
		}
	})
}

// TestExplainMany: of 2,400 snapshots of three clusters and two buckets each is told whose it
// is, in less than ten seconds. make soak has 10,000.
func TestExplainMany(t *testing.T) {
	backups, each, wantPages := 120, 20, 2
	if isSoak() {
		backups, wantPages = 500, 5
	}
	inWorld(t, func(t *testing.T, w *world) {
		w.attach(each)
		stores := repositorytest.Stores{"a": memstore.New(), "b": memstore.New()}
		clusters := []string{"prod", "dev", "test"}
		want := map[string]string{}
		for n := range backups {
			cluster, at := clusters[n%3], []string{"a", "b"}[n%2]
			i := &installation{world: w, cluster: cluster, stores: repositorytest.Stores{at: stores[at]}}
			i.locations = repositorytest.Locations(i.stores)
			name := fmt.Sprintf("%s-%d", cluster, n)
			ids := w.snapshotAll(i.tags(name))
			for _, id := range ids {
				want[id] = fmt.Sprintf("%s of %s in s3://b-%s/p", name, cluster, at)
			}
			i.commit(name, "", time.Now().Add(99*day), ids...)
		}
		time.Sleep(time.Hour)
		i := w.install("prod", stores)
		began, virtual := w.clock(), time.Now()
		all, pages := i.explain("")
		if took := max(w.clock().Sub(began), time.Since(virtual)); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		if len(all) != backups*each || pages != wantPages {
			t.Errorf("%d snapshots on %d pages", len(all), pages)
		}
		for _, s := range all {
			if got := fmt.Sprintf("%s of %s in %s", s.Backup, s.Cluster, s.Bucket); got != want[s.ID] || !strings.HasPrefix(s.Kept, "its backup has not expired") || s.Until == nil {
				t.Fatalf("%+v", s)
			}
		}
	})
}
