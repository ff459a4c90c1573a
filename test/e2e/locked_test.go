//go:build stack

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestLockedBucket: in a bucket whose default retention locks all that is written backups are taken, and
// kept: they can be held, released and given another expiration. The chart's probe, which takes one and deletes it, ends well and says
// that it stays; a person who deletes it is refused.
func TestLockedBucket(t *testing.T) {
	t.Parallel()
	bucket := "locked-" + shared.ID
	if err := shared.Stack.NewLockBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	l := &lab{Lab: shared.Beside(t, harness.Options{Cluster: "locked", Bucket: bucket})}
	ns := "locked-" + shared.ID
	fill(t, shared.Kube, ns, "locked")
	for _, name := range []string{"first", "second"} { // the second one writes over what the first has left
		ask(t, l.Harness, 0, nil, "backup", "create", name, "--wait", "--ttl=1h", "--snapshot-volumes=false", "--include-namespaces="+ns, "--include-resources=configmaps")
		l.lockAll(t, bucket)
	}
	ask(t, l.Harness, 0, []string{`Backup "first" stays`, "under a retention lock, nothing was deleted", "GOVERNANCE until "}, "backup", "delete", "first", "--confirm", "--ignore-locked")
	ask(t, l.Harness, 2, []string{"under a retention lock, nothing was deleted"}, "backup", "delete", "first", "--confirm")
	if list := ask(t, l.Harness, 0, nil, "backup", "get").Out; strings.Count(list, "Completed") != 2 {
		t.Errorf("the backups are not there as they were:\n%s", list)
	}
	l.checkRetained(t, bucket)
	ask(t, l.Harness, 0, []string{"Completed"}, "restore", "create", "back", "--from-backup", "first", "--namespace-mappings", ns+":"+ns+"-back", "--wait")
}

// checkRetained holds a backup whose files are locked, releases it, and lets it expire: what is said of it
// lies beside it, and is changed though it is locked too. A collection leaves the backup, and says why.
func (l *lab) checkRetained(t *testing.T, bucket string) {
	t.Helper()
	ask(t, l.Harness, 0, []string{"it is held: audit"}, "backup", "hold", "first", "--reason", "audit")
	ask(t, l.Harness, 0, []string{"expires at"}, "backup", "set-expiry", "first", "0s")
	l.lockAll(t, bucket)
	ask(t, l.Harness, 0, []string{"held: audit"}, "gc", "plan")
	ask(t, l.Harness, 0, nil, "backup", "release", "first")
	ask(t, l.Harness, 0, []string{"would be deleted"}, "gc", "plan")
	ask(t, l.Harness, 3, []string{"0 expired backups deleted", "under a retention lock"}, "gc", "run")
	ask(t, l.Harness, 0, []string{"could not be deleted", "under a retention lock", "1, first "}, "gc", "plan")
	ask(t, l.Harness, 0, []string{"expires at"}, "backup", "set-expiry", "first", "720h")
	ask(t, l.Harness, 0, []string{"No backup has expired."}, "gc", "plan")
	if got := stored(t, l.Harness, "first", "second"); got != "first second" {
		t.Errorf("stored: %s", got)
	}
}

// lockAll locks what there is: the store of the tests has default retentions, and does not show them.
func (l *lab) lockAll(t *testing.T, bucket string) {
	t.Helper()
	until := time.Now().Add(time.Hour)
	err := l.Store.List(t.Context(), "", func(i store.Info) error {
		return l.Stack.LockObject(t.Context(), bucket, l.Cluster+"/"+i.Key, until)
	})
	if err != nil {
		t.Fatal(err)
	}
}
