package apply

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/modify"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// compare says what apply would do to one object, and how it would differ from the
// backup and from what is live. It reads only.
func (a *applier) compare(ctx context.Context, it *item) (restore.Record, error) {
	if it.res.Name == "" { // its definition comes with this restore
		return a.creates(it), nil
	}
	live, err := a.live(ctx, it)
	if kube.IsNotFound(err) {
		return a.creates(it), nil
	}
	if err != nil {
		return a.refused(ctx, it, err)
	}
	if l := leavingOf(live); l != nil {
		it.rec.Reasons = append(it.rec.Reasons, it.reason(report.ObjectTerminating,
			"an object of this name "+l.text+"; the restore would wait for it to go").As(report.Warning))
		return a.creates(it), nil
	}
	it.rec.Live = digest(live)
	patch, code := a.change(it, live)
	switch {
	case patch != nil:
		it.rec.Action = restore.PlanUpdate
		it.rec.Diff = resource.Diff(it.entry.Resource, it.saved, live, modify.Merge(live, patch))
	case code != "":
		it.rec.Action, it.rec.Reason = restore.PlanSkip, string(code)
		it.rec.Diff = resource.Diff(it.entry.Resource, it.saved, live, live)
		it.rec.Reasons = append(it.rec.Reasons, it.reason(report.ExistsDiffers, "exists and differs; existingResourcePolicy is none, so it would be left as it is"))
	default:
		it.rec.Action, it.rec.Reason = restore.PlanNone, "already there, equal"
	}
	return it.rec, nil
}

// creates plans what is not there.
func (a *applier) creates(it *item) restore.Record {
	it.rec.Action, it.rec.Reason = restore.PlanCreate, a.s.Origin(it.entry)
	it.rec.Diff = resource.Diff(it.entry.Resource, it.saved, nil, it.want)
	return it.rec
}
