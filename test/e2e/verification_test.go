//go:build stack

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// TestVerification: a stored backup whose bytes have changed is found, named, called Corrupt and
// not restored; the one before it is.
func TestVerification(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "verify").Replace("<verify>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: %s}, data: {k: v}}", ns, ns))
	h := l.Beside(t, harness.Options{Cluster: "verify"}).Harness
	for _, name := range []string{"good", "rotten"} {
		ask(t, h, 0, nil, "backup", "create", name, "--include-namespaces", ns, "--labels", "velero.io/schedule-name=nightly", "--wait")
	}
	ask(t, h, 0, []string{"2 backups verified, 0 corrupt"}, "backup", "verify", "--all", "--wait")

	key := layout.Backup{Name: "rotten"}.Tarball()
	body, err := repository.GetBytes(context.Background(), h.Store, key)
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := h.Store.Put(context.Background(), key, body, store.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	ask(t, h, 2, []string{"Corrupt", key, "1 backup verified, 1 corrupt", "Next: lifeboat backup describe rotten"}, "backup", "verify", "rotten", "--wait")
	ask(t, h, 0, []string{"Corrupt", "Damaged:", key}, "backup", "describe", "rotten")
	ask(t, h, 0, []string{"rotten", "Corrupt", "good", "Completed"}, "backup", "get")
	ask(t, h, 2, []string{"--from-backup: backup rotten is corrupt", key, "--allow-corrupt"}, "restore", "create", "--from-backup", "rotten", "--wait")
	ask(t, h, 0, []string{`from backup "good"`}, "restore", "create", "--from-schedule", "nightly", "--namespace-mappings", ns+":"+ns+"-copy", "--wait")
}

// TestVerificationSchedule: a worker that is not told otherwise reads back what expires before it
// would look again.
func TestVerificationSchedule(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.namespaces(t, "verifys").Replace("<verifys>")
	l.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
	h := l.Beside(t, harness.Options{Cluster: "verifys"}).Harness
	ask(t, h, 0, nil, "backup", "create", "soon", "--include-namespaces", ns, "--wait")
	ask(t, h, 0, nil, "backup", "set-expiry", "soon", "20m")
	l.Beside(t, harness.Options{Cluster: "verifys", Edit: func(c *config.Config) { c.Verification.Manual = false }})
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		var keys []string
		err := h.Store.List(context.Background(), layout.VerificationDir("soon"), func(i store.Info) error {
			keys = append(keys, i.Key)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 1 && strings.HasSuffix(keys[0], "-good.json") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not verified after a minute: %q", keys)
		}
	}
}
