//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// soakVariable, set to anything, lets every request of a run be tried (make soak).
const soakVariable = "LIFEBOAT_SOAK"

// sampled is how many requests besides each activity's first and last are tried, of
// those that there are.
func sampled(usually int) int {
	if os.Getenv(soakVariable) != "" {
		return math.MaxInt
	}
	return usually
}

// names gives a scenario a name of its own and hides it from signatures.
func (l *lane) names(kind string) (name, target string) {
	name = fmt.Sprintf("%s-%03d-x", kind, l.runs)
	target = fmt.Sprintf("dst-%03d-%s", l.runs, l.name)
	l.rename(target, "TARGET", name, "NAME", bulk, "BULK", l.name, "LANE")
	return name, target
}

// bulkSpec selects a handful of types: each costs a request or two, and kills at all
// of them would prove the same.
func bulkSpec() velerov1.BackupSpec {
	return velerov1.BackupSpec{
		IncludedNamespaces: []string{bulk},
		IncludedResources:  []string{"configmaps", "secrets", "serviceaccounts", "services", "namespaces", "clusterroles", "clusterrolebindings"},
	}
}

// undisturbed are the recordings that scenarios are held against.
var undisturbed struct {
	once                    sync.Once
	backup, delete, restore *trace
	content                 *content
	result                  contract.RestoreResult
	err                     error
}

func recordings(t *testing.T) {
	t.Helper()
	ready(t)
	undisturbed.once.Do(func() {
		l := <-lanes.idle
		defer func() { lanes.idle <- l }()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		undisturbed.err = recordAll(ctx, l)
	})
	if undisturbed.err != nil {
		t.Fatalf("undisturbed runs: %v", undisturbed.err)
	}
}

func recordAll(ctx context.Context, l *lane) (err error) {
	u := &undisturbed
	name, _ := l.names("backup")
	var backup contract.BackupResult
	if u.backup, err = l.record(ctx, l.startBackup(name, bulkSpec()), &backup); err != nil {
		return err
	}
	if err := errors.Join(backedUp(backup), l.leftovers(ctx), l.writtenOnce()); err != nil {
		return err
	}
	if u.content, err = l.content(ctx, name); err != nil {
		return err
	}
	if len(u.content.objects) < bulkObjects+bigSecrets {
		return fmt.Errorf("the backup has %d objects of %d", len(u.content.objects), bulkObjects+bigSecrets)
	}
	if u.delete, err = l.record(ctx, l.startDelete(name), &contract.DeleteResult{}); err != nil {
		return err
	}
	name, target := l.names("restore")
	if err := l.clearCluster(ctx); err != nil {
		return err
	}
	if u.restore, err = l.record(ctx, l.startRestore(name, target), &u.result); err != nil {
		return err
	}
	if u.result.Phase != "Completed" {
		return fmt.Errorf("restore is %s: %v", u.result.Phase, u.result.Reasons)
	}
	return errors.Join(l.leftovers(ctx), l.restored(ctx, target))
}

func backedUp(res contract.BackupResult) error {
	if res.Phase != "Completed" {
		return fmt.Errorf("backup is %s: %v", res.Phase, res.Reasons)
	}
	return nil
}

// fresh gives the lane a worker that has done nothing yet, where the point is in what
// a worker does but once.
func (l *lane) fresh(ctx context.Context, p point) error {
	if !strings.Contains(p.sig, "check/") {
		return nil
	}
	return l.another(ctx)
}

// TestKilledBackup kills the worker at every activity's edges and some places between,
// in a backup and then, until all of a deletion's are tried, in its deletion.
func TestKilledBackup(t *testing.T) {
	t.Parallel()
	recordings(t)
	deletes := undisturbed.delete.points(sampled(2))
	var jobs []job
	points := append(undisturbed.backup.points(sampled(3)), // and where an upload is begun and not finished
		point{"SealBackup", "s3", "POST LANE/backups/NAME/NAME.tar.gz?uploads=", 1, After})
	for i, p := range points {
		jobs = append(jobs, job{p.String(), func(ctx context.Context, l *lane) error {
			name, _ := l.names("backup")
			err := l.killedBackup(ctx, p, name)
			if err != nil || i >= len(deletes) {
				return err
			}
			return l.killedDelete(ctx, deletes[i], name)
		}})
	}
	if len(deletes) > len(jobs) {
		t.Errorf("only %d of %d points of a deletion are tried", len(jobs), len(deletes))
	}
	each(t, jobs)
}

func (l *lane) killedBackup(ctx context.Context, p point, name string) error {
	if err := l.fresh(ctx, p); err != nil {
		return err
	}
	var res contract.BackupResult
	if err := l.struck(ctx, p, l.startBackup(name, bulkSpec()), kill, &res); err != nil {
		return err
	}
	return l.sameBackup(ctx, name, res)
}

// sameBackup holds a backup against the undisturbed one.
func (l *lane) sameBackup(ctx context.Context, name string, res contract.BackupResult) error {
	written := l.writtenOnce()
	got, err := l.content(ctx, name)
	if err != nil {
		return err
	}
	return errors.Join(backedUp(res), l.leftovers(ctx), written, undisturbed.content.differs(got))
}

func (l *lane) killedDelete(ctx context.Context, p point, name string) error {
	var res contract.DeleteResult
	if err := l.struck(ctx, p, l.startDelete(name), kill, &res); err != nil {
		return err
	}
	return errors.Join(l.leftovers(ctx), l.absent(ctx, layout.BackupDir(name)))
}

// TestKilledRestore kills the worker at every activity's edges and some places between.
func TestKilledRestore(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for _, p := range undisturbed.restore.points(sampled(3)) {
		jobs = append(jobs, job{p.String(), func(ctx context.Context, l *lane) error { return l.killedRestore(ctx, p) }})
	}
	each(t, jobs)
}

func (l *lane) killedRestore(ctx context.Context, p point) error {
	name, target := l.names("restore")
	if err := errors.Join(l.clearCluster(ctx), l.fresh(ctx, p)); err != nil {
		return err
	}
	var res contract.RestoreResult
	if err := l.struck(ctx, p, l.startRestore(name, target), kill, &res); err != nil {
		return err
	}
	return l.sameRestore(ctx, target, res)
}

func (l *lane) sameRestore(ctx context.Context, target string, res contract.RestoreResult) error {
	return errors.Join(sameCounts(res, undisturbed.result), l.leftovers(ctx), l.restored(ctx, target))
}
