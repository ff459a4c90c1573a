package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// item is one object of the archive on its way into the cluster.
type item struct {
	entry archive.Entry
	body  []byte
	again bool // second try after a refusal

	res   kube.Resource
	want  map[string]any // what is to be created
	ns    string         // target
	out   resource.Outcome
	saved map[string]any // as it was stored, for diffs; only in a dry run
	live  map[string]any // what was there already
	rec   restore.Record

	leaving *leaving // what was in its place, being deleted
}

func (it *item) done(action report.Action) restore.Record {
	it.rec.Action = string(action)
	return it.rec
}

// fail records why the object is not there.
func (it *item) fail(code report.Code, err error) restore.Record {
	it.rec.Reasons = append(it.rec.Reasons, it.reason(code, err.Error()).As(report.Error))
	return it.done(report.Failed)
}

func (it *item) skip(code report.Code, text string) restore.Record {
	it.rec.Reasons = append(it.rec.Reasons, it.reason(code, text).As(report.Warning))
	it.rec.Reason = string(code)
	return it.done(report.Skipped)
}

func (it *item) reason(code report.Code, text string) report.Reason {
	text = resource.Redact(it.entry.Resource, text, it.want, it.live)
	return report.New(code, text).At(it.entry.Resource, it.ns, it.entry.Name)
}

// apply brings one object back. The error is for what is no fault of the object:
// the cluster or the store cannot be reached.
func (a *applier) apply(ctx context.Context, it *item) (restore.Record, error) {
	if rec, done := a.prepare(it); done {
		return rec, nil
	}
	if a.s.Restore.DryRun {
		return a.compare(ctx, it)
	}
	body, err := json.Marshal(it.want)
	if err != nil {
		return it.fail(report.ObjectInvalid, err), nil
	}
	if err = a.fill(ctx, it); err == nil {
		_, err = a.create(ctx, it, body)
	}
	switch {
	case err == nil:
		return a.complete(ctx, it)
	case a.there(ctx, it, err):
		return a.existing(ctx, it)
	}
	return a.refused(ctx, it, err)
}

// there says that a create failed because the object exists. The server may have
// found another reason first: the node port is taken, by the object itself, or a
// quota is used up, by it as well.
func (a *applier) there(ctx context.Context, it *item, err error) bool {
	if kube.IsAlreadyExists(err) {
		return true
	}
	if ctx.Err() != nil || kube.IsNotFound(err) || kube.IsUnauthorized(err) {
		return false
	}
	_, err = a.r.Kube.Get(ctx, it.res, it.ns, it.rec.Name)
	return err == nil
}

// prepare decodes the object, applies the selector and the rules of its kind. done
// means that nothing is to be sent; a record without action that the object is not
// selected.
func (a *applier) prepare(it *item) (rec restore.Record, done bool) {
	it.rec = restore.Record{Resource: it.entry.Resource, Name: it.entry.Name}
	it.want, it.saved = nil, nil // what a first try has left: decoding would merge into it
	it.ns = a.s.Plan.Filter.TargetNamespace(it.entry.Namespace)
	it.rec.Namespace = it.ns
	if err := json.Unmarshal(it.body, &it.want); err != nil {
		return it.fail(report.ObjectInvalid, fmt.Errorf("decode: %w", err)), true
	}
	it.rec.APIVersion, it.rec.Kind = resource.StringOf(it.want["apiVersion"]), resource.StringOf(it.want["kind"])
	if !a.s.Selects(it.entry.Key, resource.LabelsOf(it.want)) {
		return restore.Record{}, true
	}
	if text := a.s.NoDisk(it.entry.Resource, it.entry.Namespace, it.entry.Name); text != "" {
		return it.fail(report.VolumeNotRestored, errors.New(text)), true
	}
	if a.s.Restore.DryRun {
		if err := json.Unmarshal(it.body, &it.saved); err != nil {
			return it.fail(report.ObjectInvalid, err), true
		}
	}
	var err error
	if it.out, err = a.r.Rules.Restore(a.rules, it.entry.Resource, it.want); err != nil {
		return it.fail(report.ObjectInvalid, err), true
	}
	if it.out.Skipped() {
		it.rec.Reason = string(it.out.Skip.Code) + ": " + it.out.Skip.Text
		return it.done(report.Skipped), true
	}
	a.notes(it)
	if err := a.countHooks(it); err != nil {
		return it.fail(report.ObjectInvalid, err), true
	}
	return a.served(it)
}

// notes turns what the rules have to say into reasons.
func (a *applier) notes(it *item) {
	if meta, _ := it.want["metadata"].(map[string]any); resource.StringOf(meta["name"]) != "" {
		it.rec.Name = resource.StringOf(meta["name"]) // a mapped namespace has another name
	}
	for _, n := range it.out.Warnings {
		it.rec.Reasons = append(it.rec.Reasons, it.reason(n.Code, n.Text).As(report.Warning))
	}
	for _, n := range it.out.Errors {
		it.rec.Reasons = append(it.rec.Reasons, it.reason(n.Code, n.Text).As(report.Error))
	}
	if len(it.out.Residual) > 0 {
		it.rec.Reasons = append(it.rec.Reasons, it.reason(report.ResidualReference,
			"still names a mapped namespace at "+strings.Join(it.out.Residual, ", ")).As(report.Warning))
	}
	it.rec.Owners = it.out.Owners
}

// served finds the type in the target, in the version that was stored.
func (a *applier) served(it *item) (restore.Record, bool) {
	version := it.rec.APIVersion
	if i := strings.LastIndexByte(version, '/'); i >= 0 {
		version = version[i+1:]
	}
	var ok bool
	if it.res, ok = a.cat.InVersion(it.entry.Resource, version); ok {
		return restore.Record{}, false
	}
	if versions := a.cat.Versions(it.entry.Resource); len(versions) > 0 {
		return it.fail(report.TypeNotServed, fmt.Errorf("stored as %s; the cluster serves %s of %s only",
			it.rec.APIVersion, it.entry.Resource, strings.Join(versions, ", "))), true
	}
	if a.s.Restore.DryRun && a.look.WillServe(it.entry.Resource, version) {
		return restore.Record{}, false // without a type: there can be no such object yet
	}
	return it.skip(report.TypeNotServed, "the cluster does not serve "+it.entry.Resource), true
}

// create posts the object; a namespace that is missing is made, one that is on its
// way out is waited for.
func (a *applier) create(ctx context.Context, it *item, body []byte) ([]byte, error) {
	return a.createIn(ctx, it.res, it.entry.Namespace, it.ns, body)
}

// createIn is create for any object that goes with one of a source namespace.
func (a *applier) createIn(ctx context.Context, res kube.Resource, source, target string, body []byte) ([]byte, error) {
	live, err := a.r.Kube.Create(ctx, res, target, body, kube.CreateOptions{FieldManager: resource.FieldManager})
	if target == "" || !kube.IsNotFound(err) && !kube.IsTerminating(err) {
		return live, err
	}
	if err := a.names.ensure(ctx, source, target); err != nil {
		return nil, err
	}
	return a.r.Kube.Create(ctx, res, target, body, kube.CreateOptions{FieldManager: resource.FieldManager})
}

// complete makes the second calls that few objects need: the field ownership of
// server-side appliers, which a create drops, and a status that was asked for.
func (a *applier) complete(ctx context.Context, it *item) (restore.Record, error) {
	if it.out.ManagedFields != nil {
		patch := map[string]any{"metadata": map[string]any{"managedFields": it.out.ManagedFields}}
		if err := a.second(ctx, it, patch, a.r.Kube.Patch); err != nil {
			return restore.Record{}, err
		}
	}
	if it.out.Status != nil {
		if err := a.second(ctx, it, map[string]any{"status": it.out.Status}, a.r.Kube.PatchStatus); err != nil {
			return restore.Record{}, err
		}
	}
	return it.done(report.Created), nil
}

type patcher func(context.Context, kube.Resource, string, string, kube.PatchType, []byte, kube.PatchOptions) ([]byte, error)

// second sends a further patch; a refusal is a warning, the object is there.
func (a *applier) second(ctx context.Context, it *item, patch map[string]any, send patcher) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = send(ctx, it.res, it.ns, it.rec.Name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
	if down := a.r.Outage(ctx, err); down != nil {
		return down
	}
	if err != nil {
		it.rec.Reasons = append(it.rec.Reasons, it.reason(report.StatusFailed, err.Error()).As(report.Warning))
	}
	return nil
}

// existing decides about an object that is there already (docs/VELERO.md 7.4).
func (a *applier) existing(ctx context.Context, it *item) (restore.Record, error) {
	live, err := a.live(ctx, it)
	if kube.IsNotFound(err) { // deleted in between: refused for now, tried again
		return it.fail(report.Conflict, err), nil
	}
	if err != nil {
		return a.refused(ctx, it, err)
	}
	it.live = live
	if a.ours(live) {
		return a.complete(ctx, it)
	}
	it.rec.Live = digest(live)
	if resource.IsDeleting(live) && it.entry.Resource == "namespaces" {
		if err := a.names.gone(ctx, it.rec.Name); err != nil {
			return it.fail(report.NamespaceNotReady, err), nil
		}
		return it.fail(report.NamespaceTerminating, fmt.Errorf("was being deleted; tried again")), nil
	}
	if l := leavingOf(live); l != nil {
		return it.leaves(l), nil
	}
	patch, code := a.change(it, live)
	if patch == nil {
		if code != "" {
			return it.skip(code, "exists and differs; existingResourcePolicy is none, so it was left as it is"), nil
		}
		return a.equal(ctx, it)
	}
	return a.update(ctx, it, patch)
}

// change is the patch that the policy asks for, or nil and why there is none.
func (a *applier) change(it *item, live map[string]any) (map[string]any, report.Code) {
	gr := it.entry.Resource
	resource.DropInitHooks(it.out, it.want, live)
	switch {
	case gr == "serviceaccounts":
		return resource.MergeServiceAccount(live, it.want), ""
	case a.r.Rules.LiveWins(gr) || a.r.Rules.Equal(gr, live, it.want):
		return nil, ""
	case !a.updates():
		return nil, report.ExistsDiffers
	}
	return a.r.Rules.MergePatch(gr, live, it.want), ""
}

func (a *applier) live(ctx context.Context, it *item) (map[string]any, error) {
	raw, err := a.r.Kube.Get(ctx, it.res, it.ns, it.rec.Name)
	if err != nil {
		return nil, err
	}
	var live map[string]any
	return live, json.Unmarshal(raw, &live)
}

// ours says that an earlier attempt of this very restore made the object.
func (a *applier) ours(live map[string]any) bool {
	meta, _ := live["metadata"].(map[string]any)
	created, err := time.Parse(time.RFC3339, resource.StringOf(meta["creationTimestamp"]))
	return err == nil && !created.Before(a.s.Started()) &&
		resource.LabelsOf(live)[resource.LabelRestore] == resource.LabelValue(a.s.Restore.Name)
}

// refused tells a server that cannot answer, which the activity's retry mends, from
// one that does not want this object.
func (a *applier) refused(ctx context.Context, it *item, err error) (restore.Record, error) {
	if down := a.r.Outage(ctx, err); down != nil {
		return restore.Record{}, down
	}
	return it.fail(codeOf(err), err), nil
}

func codeOf(err error) report.Code {
	msg := err.Error()
	switch {
	case strings.Contains(msg, "admission webhook") || strings.Contains(msg, "calling webhook"):
		return report.WebhookDenied
	case strings.Contains(msg, "exceeded quota"):
		return report.QuotaExceeded
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

// digest identifies the state of a live object between a dry run and the run that
// follows it.
func digest(live map[string]any) string {
	meta, _ := live["metadata"].(map[string]any)
	sum := sha256.Sum256([]byte(resource.StringOf(meta["uid"]) + "/" + resource.StringOf(meta["resourceVersion"])))
	return hex.EncodeToString(sum[:8])
}
