package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// tombstone says that a deletion has begun; whoever finds one may go on with it.
type tombstone struct {
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
}

// PlanDelete finds the backup and writes its tombstone. It may repeat, also after
// the backup's document is gone.
func (b *Backup) PlanDelete(ctx context.Context, _ *Pulse, in contract.DeleteBackupInput) (contract.DeletePlan, error) {
	if err := archive.ValidateName(in.Name); err != nil {
		return contract.DeletePlan{}, invalid("name: %w", err)
	}
	bsl, st, err := b.Locations.writable(ctx, in.Location)
	if err != nil {
		return contract.DeletePlan{}, err
	}
	plan := contract.DeletePlan{Name: in.Name, Location: bsl.Name}
	var doc velerov1.Backup
	err = getJSON(ctx, st, archive.Layout{Backup: in.Name}.Metadata(), &doc)
	if errors.Is(err, store.ErrNotFound) {
		return b.planned(ctx, st, plan)
	}
	if err != nil {
		return plan, err
	}
	plan.UID = string(doc.UID)
	keys, err := files(ctx, st, in.Name)
	if err != nil {
		return plan, err
	}
	plan.Files = len(keys)
	return plan, putJSON(ctx, st, archive.Tombstone(in.Name), tombstone{in.Name, plan.UID}, store.PutOptions{})
}

// planned goes on with a deletion that had begun.
func (b *Backup) planned(ctx context.Context, st store.Store, plan contract.DeletePlan) (contract.DeletePlan, error) {
	var t tombstone
	err := getJSON(ctx, st, archive.Tombstone(plan.Name), &t)
	if errors.Is(err, store.ErrNotFound) {
		return plan, notFound("name: no backup %q in location %s; `lifeboat backup get` lists them", plan.Name, plan.Location)
	}
	if err != nil {
		return plan, err
	}
	keys, err := files(ctx, st, plan.Name)
	plan.UID, plan.Files = t.UID, len(keys)
	return plan, err
}

// files are the keys of a backup, the commit marker first.
func files(ctx context.Context, st store.Store, backup string) ([]string, error) {
	marker := archive.Layout{Backup: backup}.Metadata()
	var keys []string
	err := st.List(ctx, archive.BackupDir(backup), func(i store.Info) error {
		if i.Key == marker {
			keys = slices.Insert(keys, 0, i.Key)
		} else {
			keys = append(keys, i.Key)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list files of %s: %w", backup, err)
	}
	return keys, nil
}

// DeleteFiles removes the commit marker first, so that no reader finds a backup of
// which half is gone, then the rest, then the tombstone. Files under a retention
// lock are reported, not an error. It may repeat.
func (b *Backup) DeleteFiles(ctx context.Context, p *Pulse, in contract.DeletePlan) (contract.DeleteResult, error) {
	_, st, err := b.Locations.writable(ctx, in.Location)
	if err != nil {
		return contract.DeleteResult{}, err
	}
	res := contract.DeleteResult{Name: in.Name}
	keys, err := files(ctx, st, in.Name)
	if err != nil {
		return res, err
	}
	for _, f := range keys {
		err := st.Delete(ctx, f)
		switch {
		case errors.Is(err, store.ErrLocked):
			res.Retained = append(res.Retained, f+": "+err.Error())
		case err != nil:
			return res, fmt.Errorf("delete %s: %w", f, err)
		default:
			p.Count(1, 0)
		}
	}
	res.Files = in.Files - len(res.Retained) // an earlier attempt may have removed some
	if err := st.Delete(ctx, archive.Tombstone(in.Name)); err != nil {
		return res, fmt.Errorf("remove the tombstone of %s: %w", in.Name, err)
	}
	return res, nil
}
