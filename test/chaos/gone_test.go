//go:build stack

package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// goneType deletes a type's definition between discovery and the list of its objects.
// The backup of everything else is whole, and says which type went.
func goneType(ctx context.Context, l *lane) error {
	name, _ := l.names("backup")
	widgets := "widgets." + l.group()
	if err := l.clearCluster(ctx); err != nil {
		return err
	}
	if err := create(ctx, l.Kube, crdKind, "", definition(l.group())); err != nil {
		return err
	}
	if err := l.Kube.WaitEstablished(ctx, []string{widgets}); err != nil {
		return err
	}
	remove := sync.OnceValue(func() error { return l.clearCluster(ctx) })
	l.arm(func(c Call, at Moment) *Answer {
		if at == Before && strings.HasPrefix(c.Sig, "GET ") && strings.Contains(c.Sig, "/widgets") {
			_ = remove()
		}
		return nil
	})
	spec := bulkSpec()
	spec.IncludedResources = append(slices.Clone(spec.IncludedResources), widgets)
	res, err := l.finished(ctx, name, spec)
	if err == nil {
		err = remove()
	}
	if err != nil {
		return err
	}
	if told := strings.Join(res.Reasons, "\n"); res.Warnings != 1 || !strings.Contains(told, "[TYPE_GONE] "+widgets) {
		return fmt.Errorf("%d warnings: %s", res.Warnings, told)
	}
	return l.sameBackup(ctx, name, res)
}

// finished is the result of a backup that nobody disturbs but the armed hook.
func (l *lane) finished(ctx context.Context, name string, spec velerov1.BackupSpec) (res contract.BackupResult, err error) {
	run, err := l.startBackup(name, spec)(ctx)
	if err != nil {
		return res, err
	}
	return res, run.Get(ctx, &res)
}
