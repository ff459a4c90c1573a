//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// collected is a collection that nothing has disturbed, of one expired backup.
var collected struct {
	once  sync.Once
	trace *trace
	err   error
}

// TestKilledGarbage kills the worker at the edges of every activity of a collection, those of the
// deletion that it starts among them, and some places between. The collection ends all the same:
// what had expired is gone, nothing else is, and the next one finds nothing to do.
func TestKilledGarbage(t *testing.T) {
	t.Parallel()
	recordings(t)
	collected.once.Do(func() {
		l := <-lanes.idle
		defer func() { lanes.idle <- l }()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		collected.trace, collected.err = recordGarbage(ctx, l)
	})
	if collected.err != nil {
		t.Fatalf("undisturbed collection: %v", collected.err)
	}
	var jobs []job
	for _, p := range collected.trace.points(sampled(5)) {
		if strings.Contains(p.sig, "backups/") && !strings.Contains(p.sig, "NAME") {
			continue // of a backup that only the lane of the recording has
		}
		jobs = append(jobs, job{p.String(), func(ctx context.Context, l *lane) error { return l.killedGarbage(ctx, p) }})
	}
	if len(jobs) < 10 {
		t.Errorf("only %d points", len(jobs))
	}
	each(t, jobs)
}

func recordGarbage(ctx context.Context, l *lane) (*trace, error) {
	name, err := l.overdue(ctx)
	if err != nil {
		return nil, err
	}
	var res contract.GarbageResult
	out, err := l.record(ctx, l.startGarbage(), &res)
	if err != nil {
		return nil, err
	}
	return out, l.collected(ctx, name, res)
}

// overdue takes a backup whose time is over.
func (l *lane) overdue(ctx context.Context) (string, error) {
	name, _ := l.names("overdue") // not "backup": the lane may have made one under this number
	if err := l.backup(ctx, name, velerov1.BackupSpec{IncludedNamespaces: []string{l.source()}}); err != nil {
		return "", err
	}
	past := time.Now().Add(-time.Hour)
	run, err := l.execute(contract.RetentionID(l.Cluster, name), contract.RetentionWorkflow, contract.SetRetentionInput{Name: name, Expires: &past})(ctx)
	if err != nil {
		return "", err
	}
	return name, run.Get(ctx, nil)
}

func (l *lane) startGarbage() starter {
	return l.execute(contract.GarbageID(l.Cluster), contract.GarbageWorkflow, contract.CollectGarbageInput{})
}

func (l *lane) killedGarbage(ctx context.Context, p point) error {
	name, err := l.overdue(ctx)
	if err != nil {
		return err
	}
	if err := l.fresh(ctx, p); err != nil {
		return err
	}
	var res contract.GarbageResult
	if err := l.struck(ctx, p, l.startGarbage(), kill, &res); err != nil {
		return err
	}
	if err := l.collected(ctx, name, res); err != nil {
		return err
	}
	run, err := l.startGarbage()(ctx)
	if err != nil {
		return err
	}
	var again contract.GarbageResult
	if err := run.Get(ctx, &again); err != nil || again.Deleted+again.Failed+len(again.Plan.Delete) > 0 {
		return fmt.Errorf("the next collection: %+v: %w", again, errors.Join(err, errors.New("found something")))
	}
	return nil
}

// collected looks whether a collection has deleted the one backup that had expired, and left
// nothing of it.
func (l *lane) collected(ctx context.Context, name string, res contract.GarbageResult) error {
	var wrong error
	if res.Deleted != 1 || res.Failed != 0 || res.Removed != 0 || len(res.Orphans.Unread) > 0 {
		wrong = fmt.Errorf("collected %+v", res)
	}
	_, err := l.Store.Head(ctx, layout.Backup{Name: "base"}.Metadata())
	if errors.Is(err, store.ErrNotFound) {
		err = errors.New("a backup that had not expired is gone")
	}
	return errors.Join(wrong, err, l.leftovers(ctx), l.absent(ctx, layout.BackupDir(name)), l.absent(ctx, "plugins/lifeboat/retention/"+name))
}
