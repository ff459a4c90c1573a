package apply

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// storedObject is an object as the archive has it.
type storedObject struct {
	entry archive.Entry
	body  []byte
}

// attempt is one of at most two tries to apply an object. Tries that an obstacle stops do
// not count.
type attempt struct {
	storedObject
	first *firstAttempt // nil while this is the first

	// obstacle is what the object waits for, if it does, and record what has become of it
	// by then.
	obstacle obstacle
	record   restore.Record
}

// firstAttempt is what the second attempt at an object has to know of the first one,
// which failed.
type firstAttempt struct {
	target
	// live is what was in the object's place. No reason may quote it.
	live map[string]any
	// blocker is what was being deleted in the object's place, and kept it out.
	blocker *termination
}

// applyObject brings one object of the archive into the cluster in three steps: transform
// says what is wanted, decide what to do about that, and send does it. The record says
// what became of the object; retry is not nil where a second attempt may end better. The
// error is for what is no fault of the object: the cluster or the store cannot be reached.
func (a *applier) applyObject(ctx context.Context, at *attempt) (rec restore.Record, retry *attempt, err error) {
	want, ended := a.transformer.transform(at.storedObject)
	if a.pass != plan.AllObjects && want.comesFirst() != (a.pass == plan.FirstObjects) {
		return rec, nil, nil
	}
	var out outcome
	switch {
	case ended != nil:
		out = *ended
	case a.policy.dryRun:
		out, err = a.planObject(ctx, at.storedObject, want)
	case want.isolated.Outcome == isolation.DryRun:
		out, err = a.tryObject(ctx, want)
	default:
		out, err = a.bringObject(ctx, at, want)
	}
	if out.live == nil && at.first != nil {
		out.live = at.first.live
	}
	if at.first != nil || out.obstacle != "" {
		out = a.leaveToController(want, out)
	}
	rec = want.record(out)
	switch {
	case a.policy.dryRun && out.obstacle != "": // a plan does not wait
	case out.obstacle != "":
		rec.Waits = string(out.obstacle)
		retry = &attempt{storedObject: at.storedObject, first: at.first, obstacle: out.obstacle, record: rec}
	case out.action == string(report.Failed) && at.first == nil:
		retry = &attempt{storedObject: at.storedObject, first: &firstAttempt{want.target, out.live, out.blocker}}
	}
	return rec, retry, err
}

// bringObject decides and sends. Hardly any object is in the cluster already, so each is
// created unseen: that costs one call, and its refusal tells which few have to be read.
func (a *applier) bringObject(ctx context.Context, at *attempt, want *desired) (outcome, error) {
	out, err := a.send(ctx, at, want, a.policy.decide(want, nil))
	if err != nil || !out.exists {
		return out, err
	}
	live, err := a.readLive(ctx, want.target)
	if kube.IsNotFound(err) { // deleted since: the second attempt creates it
		return failedOutcome(report.Conflict, err), nil
	}
	if err != nil {
		return a.refusedOutcome(ctx, err)
	}
	d, err := a.decideLive(ctx, at.storedObject, want, live)
	if err != nil {
		return a.refusedOutcome(ctx, err)
	}
	out, err = a.send(ctx, at, want, d)
	out.live = live
	return out, err
}

// leaveToController makes a pod that was refused a warning where its controller is restored:
// that makes another, of the template that admission knows.
func (a *applier) leaveToController(want *desired, out outcome) outcome {
	if want.entry.Resource != "pods" || out.action != string(report.Failed) || len(out.reasons) != 1 {
		return out
	}
	switch out.reasons[0].Code {
	case report.WebhookDenied, report.ObjectRejected, report.QuotaExceeded, report.ApplyFailed:
	default:
		return out
	}
	for _, o := range want.rules.Owners {
		res, ok := a.catalog.OfKind(o.APIVersion, o.Kind)
		if !ok || !o.Controller || !a.lookup.Has(res.GroupResource(), want.entry.Namespace, o.Name) {
			continue
		}
		left := skippedOutcome(out.reasons[0].Code, fmt.Sprintf("was refused, and is left to its controller %s %s, which is restored: %s", o.Kind, o.Name, out.reasons[0].Message))
		left.live, left.digest, left.obstacle = out.live, out.digest, out.obstacle
		return left
	}
	return out
}

// planObject decides, and says what send would do. It is a dry run and reads only.
func (a *applier) planObject(ctx context.Context, o storedObject, want *desired) (outcome, error) {
	var live map[string]any
	if want.resource.Name != "" { // else its definition comes with this restore: nothing is there
		var err error
		if live, err = a.readLive(ctx, want.target); err != nil && !kube.IsNotFound(err) {
			return a.refusedOutcome(ctx, err)
		}
	}
	d, err := a.decideLive(ctx, o, want, live)
	if err != nil {
		return a.refusedOutcome(ctx, err)
	}
	out := plannedOutcome(want, live, d)
	if out.action == restore.PlanCreate {
		out.reason = a.run.Origin(want.entry)
	}
	return out, nil
}
