package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// updates says that objects which are there are to be brought to the backup's content.
func (a *applier) updates() bool { return a.s.Restore.Spec.ExistingResourcePolicy == "update" }

// equal leaves an object that is as the backup has it. Under the policy update its
// labels say from now on which backup and restore it agrees with (docs/VELERO.md 7.4).
func (a *applier) equal(ctx context.Context, it *item) (restore.Record, error) {
	it.rec.Reason = "already there, equal"
	if !a.updates() || a.r.Rules.LiveWins(it.entry.Resource) {
		return it.done(report.Skipped), nil
	}
	err := a.relabel(ctx, it)
	if down := a.r.Outage(ctx, err); down != nil {
		return restore.Record{}, down
	}
	if err != nil {
		it.rec.Reasons = append(it.rec.Reasons, it.reason(report.UpdateFailed, "equal, but its labels could not be set: "+err.Error()))
	}
	return it.done(report.Skipped), nil
}

// update sends the patch. Where the server does not take it, also at the second try,
// the object keeps its content and gets the labels alone (docs/VELERO.md 7.4).
func (a *applier) update(ctx context.Context, it *item, patch map[string]any) (restore.Record, error) {
	err := a.merge(ctx, it, patch)
	if err == nil {
		return it.done(report.Updated), nil
	}
	if down := a.r.Outage(ctx, err); down != nil {
		return restore.Record{}, down
	}
	if !it.again { // what the server missed may come with this batch
		return it.fail(updateCode(err), err), nil
	}
	if lerr := a.relabel(ctx, it); lerr != nil {
		err = fmt.Errorf("%w; its labels could not be set either: %w", err, lerr)
	}
	return it.skip(updateCode(err), err.Error()), ctx.Err()
}

// updateCode keeps the codes whose next step is another than that of a field which
// cannot be changed.
func updateCode(err error) report.Code {
	switch code := codeOf(err); code {
	case report.WebhookDenied, report.QuotaExceeded, report.Forbidden:
		return code
	}
	return report.UpdateFailed
}

// relabel says on a live object which backup and restore it belongs to.
func (a *applier) relabel(ctx context.Context, it *item) error {
	patch := resource.LabelsPatch(it.live, it.want)
	if patch == nil {
		return nil
	}
	return a.merge(ctx, it, patch)
}

func (a *applier) merge(ctx context.Context, it *item, patch map[string]any) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = a.r.Kube.Patch(ctx, it.res, it.ns, it.rec.Name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
	return err
}
