package apply

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/modify"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// outcome is what became of one object.
type outcome struct {
	// action is one of report.Action, or of the actions of a plan; empty for an object
	// that is not selected, which has no record.
	action  string
	reason  string
	reasons []report.Reason // not placed on the object yet
	// digest identifies what was in the cluster before.
	digest string
	diff   []compare.FieldDiff

	// exists says that the object could not be created because it is there: nothing has
	// become of it yet.
	exists bool
	// live is what was found in the cluster. No reason may quote it.
	live map[string]any
	// blocker is what has to go before a second attempt.
	blocker *termination
	// obstacle is what the outcome is due to, if it is no fault of the object.
	obstacle obstacle
}

// failedOutcome is that of an object which is not there.
func failedOutcome(code report.Code, err error) outcome {
	return outcome{action: string(report.Failed), reasons: []report.Reason{report.New(code, err.Error()).As(report.Error)}}
}

// skippedOutcome is that of an object which was left alone for a reason that its owner
// should know.
func skippedOutcome(code report.Code, text string) outcome {
	return outcome{action: string(report.Skipped), reason: string(code), reasons: []report.Reason{report.New(code, text).As(report.Warning)}}
}

// equalReason is the reason of objects that need nothing.
const equalReason = "already there, equal"

// blockedOutcome fails an object in whose place there is one that is being deleted. The
// batch waits for that to go, then tries once more.
func blockedOutcome(blocker *termination, first *firstAttempt) outcome {
	text := "an object of this name " + blocker.text
	if first != nil && first.blocker != nil && first.blocker.uid == blocker.uid {
		text += fmt.Sprintf("; it was still there after %s", first.blocker.patience())
	}
	out := failedOutcome(report.ObjectTerminating, errors.New(text))
	out.blocker = blocker
	return out
}

// plannedOutcome is what would become of an object, and how the result would differ from
// the backup and from what is live. What is being deleted would be waited for.
func plannedOutcome(want *desired, live map[string]any, d decision) outcome {
	out := outcome{digest: d.digest}
	var result map[string]any
	switch d.action {
	case actionPatch:
		out.action, result = restore.PlanUpdate, modify.Merge(modify.Merge(live, d.patch), d.status)
	case actionKeepDifferent:
		out.action, out.reason, result = restore.PlanSkip, string(d.code), live
		out.reasons = []report.Reason{report.New(d.code, cmp.Or(d.text, "exists and differs; existingResourcePolicy is none, so it would be left as it is"))}
	case actionKeepEqual:
		out.action, out.reason = restore.PlanNone, equalReason
		return out
	default:
		out.action, out.digest, live, result = restore.PlanCreate, "", nil, want.object
		if d.blocker != nil {
			text := "an object of this name " + d.blocker.text + "; the restore would wait for it to go"
			out.reasons = []report.Reason{report.New(report.ObjectTerminating, text).As(report.Warning)}
		}
	}
	out.diff = compare.Diff(want.entry.Resource, want.original, live, result)
	return out
}

// record says what became of the object.
func (w *desired) record(out outcome) restore.Record {
	rec := restore.Record{
		From: w.origin(), Resource: w.entry.Resource, APIVersion: w.apiVersion, Kind: w.kind, Namespace: w.namespace, Name: w.name,
		Action: out.action, Reason: out.reason, Reasons: w.reasons,
		Owners: w.rules.Owners, Live: out.digest, Diff: out.diff, Hooks: w.hooks,
		Modifiers: w.rules.Modifiers, DroppedFinalizers: w.rules.Dropped,
	}
	switch {
	case rec.WasLeft(): // the rules' warnings are of what the restored object is like
		rec.DroppedFinalizers = nil
		rec.Reasons = slices.DeleteFunc(rec.Reasons, func(r report.Reason) bool { return !r.IsError() })
	case out.action == string(report.Updated), out.action == restore.PlanUpdate: // its finalizers are those it had
		rec.DroppedFinalizers = nil
		rec.Reasons = slices.DeleteFunc(rec.Reasons, func(r report.Reason) bool { return r.Code == report.FinalizerKept })
	}
	for _, r := range out.reasons {
		rec.Reasons = append(rec.Reasons, w.placeReason(r, out.live))
	}
	return rec
}

// origin is the object in the backup, where the restore gives it another place.
func (w *desired) origin() string {
	if w.namespace == w.entry.Namespace && w.name == w.entry.Name {
		return ""
	}
	return w.entry.Object()
}

// recordOfReasons is the record of reasons that are no object's outcome.
func recordOfReasons(reasons []report.Reason) []restore.Record {
	if len(reasons) == 0 {
		return []restore.Record{}
	}
	return []restore.Record{{Reasons: reasons}}
}

// refusalCode tells why the server did not take an object.
func refusalCode(err error) report.Code {
	msg := err.Error()
	var t *terminatingError
	switch {
	case errors.As(err, &t):
		return report.NamespaceNotReady
	case report.RefusalCode(msg) != "":
		return report.RefusalCode(msg)
	case kube.IsTerminating(err):
		return report.NamespaceTerminating
	case kube.IsForbidden(err):
		return report.Forbidden
	case kube.IsConflict(err):
		return report.Conflict
	case kube.IsInvalid(err):
		return report.ObjectRejected
	}
	return report.ApplyFailed
}

// updateRefusalCode tells why the server did not take a patch: a field that cannot be
// changed, unless the cause has another remedy.
func updateRefusalCode(err error) report.Code {
	switch code := refusalCode(err); code {
	case report.WebhookDenied, report.QuotaExceeded, report.Forbidden:
		return code
	}
	return report.UpdateFailed
}
