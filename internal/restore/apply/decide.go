package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/modify"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// action is what is to be done about one object.
type action int

const (
	// actionCreate: it is not there, as far as is known.
	actionCreate action = iota
	// actionComplete: an earlier attempt of this restore created it. What that attempt
	// may not have come to is what follows a create.
	actionComplete
	// actionPatch: it is there, and is to be changed.
	actionPatch
	// actionKeepEqual: it is there as the backup has it.
	actionKeepEqual
	// actionKeepDifferent: it is there, differs, and the policy is to leave it alone.
	actionKeepDifferent
	// actionAwaitObject: what is in its place is being deleted.
	actionAwaitObject
	// actionAwaitNamespace: it is a namespace and is being deleted.
	actionAwaitNamespace
)

// decision is what is to be done about one object, and all that this takes.
type decision struct {
	action action
	// patch is the JSON merge patch of actionPatch.
	patch map[string]any
	// labels is the patch that only says which backup and restore a live object agrees
	// with; nil where its labels say so, or are not to be touched.
	labels map[string]any
	// status is the patch of the status that was asked for; nil for none.
	status map[string]any
	// code says why the object, or what a merge does not add to, is left alone although it
	// differs; text says it in words, where it is not the policy.
	code report.Code
	text string
	// blocker is what is being deleted in the object's place.
	blocker *termination
	// digest identifies the live object that the decision is about.
	digest string
}

// policy is how a restore deals with objects that are in the cluster already
// (docs/VELERO.md 7.4).
type policy struct {
	registry *resource.Registry
	// updates is existingResourcePolicy: update.
	updates bool
	dryRun  bool
	// restoreLabel is the value of the label that objects of this restore carry, started
	// the earliest time that the API server may have created one at.
	restoreLabel string
	started      time.Time
}

func newPolicy(run *restore.Run, registry *resource.Registry) policy {
	return policy{
		registry: registry, updates: run.Restore.Spec.ExistingResourcePolicy == "update", dryRun: run.Restore.DryRun,
		restoreLabel: resource.LabelValue(run.Restore.Name), started: run.Started(),
	}
}

// decide says what is to be done about an object, of which live is in the cluster; nil is
// nothing. It changes neither of the two.
func (p policy) decide(want *desired, live map[string]any) decision {
	if live == nil {
		return decision{action: actionCreate}
	}
	if !p.dryRun && p.createdByThisRestore(live) {
		return decision{action: actionComplete}
	}
	var d decision
	switch blocker := terminationOf(live); {
	case blocker == nil:
		d = p.compareStatus(p.compareContent(want, live), want, live)
	case want.entry.Resource == "namespaces":
		d = decision{action: actionAwaitNamespace, blocker: blocker}
	default:
		d = decision{action: actionAwaitObject, blocker: blocker}
	}
	d.digest = digestOf(live)
	return d
}

// createdByThisRestore says that an earlier attempt of this very restore made the object:
// it carries the restore's label, and is not older than the restore.
func (p policy) createdByThisRestore(live map[string]any) bool {
	meta, _ := live["metadata"].(map[string]any)
	created, err := time.Parse(time.RFC3339, resource.StringOf(meta["creationTimestamp"]))
	return err == nil && !created.Before(p.started) && resource.LabelsOf(live)[resource.LabelRestore] == p.restoreLabel
}

// compareContent decides about an object that is there to stay.
func (p policy) compareContent(want *desired, live map[string]any) decision {
	gr, object := want.entry.Resource, withoutInitHooks(want, live)
	if p.registry.LiveWins(gr) {
		return decision{action: actionKeepEqual}
	}
	merges := gr == "serviceaccounts" // gets what it lacks under any policy
	var patch map[string]any
	var differs bool // in what a merge leaves alone
	if merges {
		patch, differs = resource.MergeServiceAccount(live, object, p.updates)
	} else {
		patch = p.registry.MergePatch(gr, live, object)
	}
	switch {
	case patch == nil && differs:
		return decision{action: actionKeepDifferent, code: report.ExistsDiffers}
	case patch == nil && p.updates:
		return decision{action: actionKeepEqual, labels: resource.LabelsPatch(live, object)}
	case patch == nil:
		return decision{action: actionKeepEqual}
	case !merges && !p.updates:
		return decision{action: actionKeepDifferent, code: report.ExistsDiffers}
	}
	d := decision{action: actionPatch, patch: patch, labels: resource.LabelsPatch(live, object)}
	if differs {
		d.code = report.ExistsDiffers
	}
	return d
}

// compareStatus adds the status to what is to be changed, where it was asked for and objects
// are updated.
func (p policy) compareStatus(d decision, want *desired, live map[string]any) decision {
	status := want.status()
	if !p.updates || status == nil || d.action != actionPatch && d.action != actionKeepEqual {
		return d
	}
	have, _ := live["status"].(map[string]any)
	if compare.Same(modify.Merge(have, status), have) {
		return d
	}
	if d.action == actionKeepEqual {
		d.action, d.patch = actionPatch, d.labels
	}
	d.status = map[string]any{"status": status}
	return d
}

// status is the one that is restored, nil for none. Where the type has no subresource for it,
// it is part of the object.
func (w *desired) status() map[string]any {
	if w.rules.Status != nil {
		return w.rules.Status
	}
	status, _ := w.object["status"].(map[string]any)
	return status
}

// withoutInitHooks is the desired object as it is compared with a live one: the init
// containers of hooks are for pods that the restore makes, and are no difference.
func withoutInitHooks(want *desired, live map[string]any) map[string]any {
	spec, ok := want.object["spec"].(map[string]any)
	if want.rules.InitHooks == 0 || !ok {
		return want.object
	}
	object := maps.Clone(want.object)
	object["spec"] = maps.Clone(spec) // its list of containers is replaced, not changed
	resource.DropInitHooks(want.rules, object, live)
	return object
}

// digestOf identifies the state of a live object between a dry run and the run that
// follows it.
func digestOf(live map[string]any) string {
	meta, _ := live["metadata"].(map[string]any)
	sum := sha256.Sum256([]byte(resource.StringOf(meta["uid"]) + "/" + resource.StringOf(meta["resourceVersion"])))
	return hex.EncodeToString(sum[:8])
}
