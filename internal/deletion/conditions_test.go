package deletion

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A backup that somebody holds is not deleted by anybody, and one that was chosen because
// its time was over only if that is still so.
func TestDeleteUnderConditions(t *testing.T) {
	expired := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		said string // beside the backup
		in   contract.DeleteBackupInput
		kind string // of the refusal
		text string
	}{
		"by name":                  {},
		"held":                     {`{"name":"b","uid":"u","hold":"audit"}`, contract.DeleteBackupInput{}, contract.ErrTypeDenied, "backup b is held: audit; 'lifeboat backup release b' ends that"},
		"an earlier one was held":  {said: `{"name":"b","uid":"other","hold":"audit"}`},
		"released":                 {said: `{"name":"b","uid":"u","hold":""}`},
		"the one that was chosen":  {in: contract.DeleteBackupInput{UID: "u"}},
		"another one":              {"", contract.DeleteBackupInput{UID: "v"}, contract.ErrTypeNotFound, "there is another of the name now, with the uid u"},
		"expired":                  {in: contract.DeleteBackupInput{ExpiredAt: expired}},
		"not yet expired":          {"", contract.DeleteBackupInput{ExpiredAt: expired.Add(-time.Second)}, contract.ErrTypeDenied, "it expires at 2026-03-02T00:00:00Z"},
		"given more time":          {`{"name":"b","uid":"u","expires":"2027-01-01T00:00:00Z"}`, contract.DeleteBackupInput{ExpiredAt: expired}, contract.ErrTypeDenied, "it expires at 2027-01-01T00:00:00Z"},
		"given more time, by name": {said: `{"name":"b","uid":"u","expires":"2027-01-01T00:00:00Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			st.Set(layout.Backup{Name: "b"}.Metadata(), []byte(`{"metadata":{"name":"b","uid":"u"},"status":{"phase":"Completed","completionTimestamp":"2026-03-01T00:00:00Z","expiration":"2026-03-02T00:00:00Z"}}`))
			if c.said != "" {
				st.Set(layout.RetentionKey("b"), []byte(c.said))
			}
			r := &Runner{Kube: cluster(t, "ours"), Snapshots: snapshotLocations(), Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
			c.in.Name = "b"
			_, err := r.PlanDelete(t.Context(), c.in)
			if failure.TypeOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %s %s", err, c.kind, c.text)
			}
			if st.Has(layout.Tombstone("b")) != (c.kind == "") {
				t.Error("a deletion that is refused leaves a tombstone")
			}
		})
	}
}

// A backup whose files went by no deletion is deleted where a person names it, and by no
// collection: what is left of it goes, and it is missed no longer.
func TestDeleteVanished(t *testing.T) {
	for name, c := range map[string]struct {
		said string
		in   contract.DeleteBackupInput
		kind string
	}{
		"by name":                {},
		"by a collection":        {"", contract.DeleteBackupInput{UID: "u", ExpiredAt: time.Now()}, contract.ErrTypeNotFound},
		"held":                   {`{"name":"b","uid":"u","hold":"audit"}`, contract.DeleteBackupInput{}, contract.ErrTypeDenied},
		"another cluster's":      {"", contract.DeleteBackupInput{Cluster: "other"}, contract.ErrTypeDenied},
		"one that nobody listed": {in: contract.DeleteBackupInput{Name: "c"}, kind: contract.ErrTypeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			r, st := runnerOf(t, map[string][]byte{layout.Backup{Name: "b"}.Logs(): []byte("x")})
			st.Remove(layout.Backup{Name: "b"}.Metadata())
			st.Set(layout.SeenKey, []byte(`{"since":"2026-01-01T00:00:00Z","backups":1,"known":[{"name":"b","uid":"u","cluster":"prod"}]}`))
			if c.said != "" {
				st.Set(layout.RetentionKey("b"), []byte(c.said))
			}
			before := st.Keys()
			c.in.Name = cmp.Or(c.in.Name, "b")
			plan, err := r.PlanDelete(t.Context(), c.in)
			if failure.TypeOf(err) != c.kind {
				t.Fatalf("%v, want %s", err, c.kind)
			}
			if c.kind != "" {
				if !slices.Equal(st.Keys(), before) {
					t.Errorf("a deletion that is refused leaves %q", st.Keys())
				}
				return
			}
			if again, err := r.PlanDelete(t.Context(), c.in); err != nil || !reflect.DeepEqual(again, plan) {
				t.Errorf("the answer was lost: %+v, %v", again, err)
			}
			res, err := r.DeleteFiles(t.Context(), &heartbeat.Recorder{}, plan)
			if err != nil || res.Files != 1 || len(leftOf(st)) > 0 {
				t.Errorf("%+v, %v; left %q", res, err, leftOf(st))
			}
			if seen, err := beside.ReadSeen(t.Context(), st); err != nil || len(seen.Known) > 0 {
				t.Errorf("%+v, %v", seen, err)
			}
			if len(plan.Unread) != 1 || !strings.Contains(plan.Unread[0], "lifeboat gc run") {
				t.Errorf("%q", plan.Unread)
			}
		})
	}
}

// By name, a backup of another cluster than the one that is meant is refused; a collection has
// chosen by the manifest, and what names no cluster is nobody else's.
func TestDeleteOfAnotherCluster(t *testing.T) {
	const refused = "name: backup b is of cluster other and not of prod: if that is the one you mean, say 'lifeboat backup delete b --cluster other'"
	for name, c := range map[string]struct {
		cluster   string // of the backup
		document  string // the workflow that made it, by its document
		manifest  string // in place of the backup's
		tombstone bool   // its deletion has begun
		in        contract.DeleteBackupInput
		want      string
	}{
		"ours":                             {cluster: "prod"},
		"another's":                        {cluster: "other", want: refused},
		"another's, being deleted":         {cluster: "other", tombstone: true, want: refused},
		"another's, asked for":             {cluster: "other", in: contract.DeleteBackupInput{Cluster: "other"}},
		"another's, being deleted, asked":  {cluster: "other", tombstone: true, in: contract.DeleteBackupInput{Cluster: "other"}},
		"another's, by a collection":       {cluster: "other", in: contract.DeleteBackupInput{UID: "u", ExpiredAt: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}},
		"ours, where another is asked for": {cluster: "prod", in: contract.DeleteBackupInput{Cluster: "other"}, want: "say 'lifeboat backup delete b --cluster prod'"},
		"damaged, and another's":           {document: "backup:other:b", manifest: "{", want: refused},
		"damaged":                          {manifest: "{"},
	} {
		t.Run(name, func(t *testing.T) {
			l := layout.Backup{Name: "b"}
			r, st := runnerOf(t, map[string][]byte{l.Tarball(): tarballOf(t)})
			m, err := archive.EncodeManifest(archive.Manifest{Backup: "b", UID: "u", Cluster: c.cluster, Files: []archive.File{archive.NewFile(l.Index(), []byte("x")), archive.NewFile(l.Tarball(), []byte("x"))}, Directory: archive.Range{Size: 1, SHA256: archive.Digest([]byte("x"))}})
			if err != nil {
				t.Fatal(err)
			}
			st.Set(l.Manifest(), []byte(cmp.Or(c.manifest, string(m))))
			st.Set(l.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":"b","uid":"u","annotations":{%q:%q}},"status":{"phase":"Completed","expiration":"2026-03-01T00:00:00Z"}}`, repository.AnnotationWorkflow, c.document))
			if c.tombstone {
				st.Remove(l.Metadata())
				st.Set(layout.Tombstone("b"), []byte(`{"name":"b","uid":"u"}`))
			}
			c.in.Name = "b"
			_, err = r.PlanDelete(t.Context(), c.in)
			if (err == nil) != (c.want == "") || err != nil && (failure.TypeOf(err) != contract.ErrTypeDenied || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if !c.tombstone && st.Has(layout.Tombstone("b")) != (c.want == "") {
				t.Error("a deletion that is refused leaves a tombstone")
			}
		})
	}
}
