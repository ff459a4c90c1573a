package export

import (
	"context"
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// fetched is what came of reading one object: neither found nor refused, it is not in
// the cluster.
type fetched struct {
	res     kube.Resource
	item    kube.Item
	found   bool
	refusal error // of the API server, which is well
}

// reason says that the object is not in the backup, and why.
func (f fetched) reason(ns, name string) report.Reason {
	return report.New(report.ReadFailed, f.refusal.Error()).At(f.res.GroupResource(), ns, name)
}

// one reads one object. The error is for what is no fault of the object.
func fetchObject(ctx context.Context, b *backup.Service, r kube.Resource, ns, name string) (fetched, error) {
	f := fetched{res: r}
	var err error
	f.refusal, err = readAgain(ctx, b, func() error {
		it, err := b.Kube.GetItem(ctx, r, ns, name)
		f.item, f.found = it, err == nil
		if kube.IsNotFound(err) {
			return nil
		}
		return err
	})
	return f, err
}

// patient reads once more what failed and may pass, and tells a refusal from an error.
func readAgain(ctx context.Context, b *backup.Service, read func() error) (refusal, err error) {
	for tries := 1; ; tries++ {
		refusal = read()
		if refusal == nil {
			return nil, nil
		}
		err = classifyRefusal(ctx, b, refusal, tries)
		switch {
		case err == nil:
			return refusal, nil
		case !errors.Is(err, errSuspect):
			return nil, err
		}
	}
}
