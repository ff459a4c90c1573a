package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// send carries out a decision. What the server does not want of the object is part of
// the outcome; the error is for a server that cannot answer, which the activity's retry
// mends.
func (a *applier) send(ctx context.Context, at *attempt, want *desired, d decision) (out outcome, err error) {
	switch d.action {
	case actionCreate:
		out, err = a.createObject(ctx, want)
	case actionComplete:
		out, err = a.patchAfterCreate(ctx, want)
	case actionPatch:
		out, err = a.updateObject(ctx, want, d, at.first != nil)
	case actionKeepEqual:
		out, err = a.labelEqualObject(ctx, want, d.labels)
	case actionKeepDifferent:
		out = skippedOutcome(d.code, cmp.Or(d.text, "exists and differs; existingResourcePolicy is none, so it was left as it is"))
	case actionAwaitObject:
		out = blockedOutcome(d.blocker, at.first)
	case actionAwaitNamespace:
		out, err = a.awaitNamespace(ctx, want.name)
	}
	out.digest = d.digest
	return out, err
}

// createObject posts the object, a claim's snapshot before it. The outcome may be that
// it exists.
func (a *applier) createObject(ctx context.Context, want *desired) (outcome, error) {
	body, err := json.Marshal(want.object)
	if err != nil {
		return failedOutcome(report.ObjectInvalid, err), nil
	}
	if err := a.createClaimSource(ctx, want); err != nil {
		return a.refusedOutcome(ctx, err)
	}
	reasons, err := a.createWithClusterIP(ctx, want, body)
	switch {
	case err == nil:
		out, err := a.patchAfterCreate(ctx, want)
		out.reasons = append(out.reasons, reasons...)
		return out, err
	case a.alreadyExists(ctx, want.target, err):
		return outcome{exists: true}, nil
	}
	out, down := a.refusedOutcome(ctx, err)
	if _, custom := resource.DefinitionOf(want.entry.Resource); custom && kube.IsNotFound(err) && down == nil {
		out.obstacle = obstacle(unservedType + want.entry.Resource)
	}
	return out, down
}

// createWithClusterIP posts an object, a Service with the address that its manifest states.
// One that the server does not give is let go, which is a reason where the rest is taken.
func (a *applier) createWithClusterIP(ctx context.Context, want *desired, body []byte) ([]report.Reason, error) {
	stated, err := want.withClusterIP()
	if err != nil {
		return nil, err
	}
	if stated != nil {
		err = a.createInNamespace(ctx, want.resource, want.entry.Namespace, want.namespace, stated)
		if !kube.IsInvalid(err) {
			return nil, err
		}
	}
	refused := err
	if err = a.createInNamespace(ctx, want.resource, want.entry.Namespace, want.namespace, body); refused == nil || err != nil {
		return nil, err
	}
	text := fmt.Sprintf("clusterIP %v is stated by the manifest and could not be had: %v", want.rules.ClusterIP["clusterIP"], refused)
	return []report.Reason{report.New(report.ClusterIPReleased, text).As(report.Warning)}, nil
}

// withClusterIP is the body of a Service with the address that its manifest states, nil where
// none does or a modifier has chosen one.
func (w *desired) withClusterIP() ([]byte, error) {
	spec, _ := w.object["spec"].(map[string]any)
	if len(w.rules.ClusterIP) == 0 || spec == nil || spec["clusterIP"] != nil {
		return nil, nil
	}
	object := maps.Clone(w.object)
	spec = maps.Clone(spec)
	maps.Copy(spec, w.rules.ClusterIP)
	object["spec"] = spec
	return json.Marshal(object)
}

// createInNamespace posts an object that goes with one of a source namespace. A target
// namespace that is missing is made, one that is on its way out is a terminatingError.
func (a *applier) createInNamespace(ctx context.Context, res kube.Resource, source, target string, body []byte) error {
	options := kube.CreateOptions{FieldManager: resource.FieldManager}
	_, err := a.service.Kube.Create(ctx, res, target, body, options)
	if target == "" || !kube.IsNotFound(err) && !kube.IsTerminating(err) {
		return err
	}
	if err := a.namespaces.ensureExists(ctx, source, target); err != nil {
		return err
	}
	_, err = a.service.Kube.Create(ctx, res, target, body, options)
	return err
}

// createClaimSource makes the objects that a claim is filled from, just before the claim:
// its namespace can be made by now. A repeat finds them by their names. They stay, as with
// Velero.
func (a *applier) createClaimSource(ctx context.Context, want *desired) error {
	e := want.entry
	if e.Resource != resource.PersistentVolumeClaims {
		return nil
	}
	v := a.run.Index.Claims[resource.ObjectName(e.Namespace, e.Name)]
	if v == nil || !v.HasData() {
		return nil
	}
	driver, err := a.service.RestorerOf(a.run.ForDrivers(), v)
	if err != nil {
		return err
	}
	objects, err := driver.ClaimObjects(v)
	if err != nil {
		return err
	}
	for _, o := range objects {
		of := schema.ParseGroupResource(o.Key.Resource)
		res := kube.Resource{Group: of.Group, Version: o.Key.Version, Name: of.Resource, Namespaced: o.Key.Namespace != ""}
		body, err := a.transformer.isolator.labelBody(o.Body)
		if err != nil {
			return err
		}
		err = a.createInNamespace(ctx, res, e.Namespace, o.Key.Namespace, body)
		if err != nil && !kube.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

// alreadyExists says that a create failed because the object is there. The server may
// have found another reason first: a node port is taken, by the object itself, or a quota
// is used up, by it as well. What is in a namespace that is being deleted goes with it.
func (a *applier) alreadyExists(ctx context.Context, t target, err error) bool {
	if kube.IsAlreadyExists(err) {
		return true
	}
	var terminating *terminatingError
	if ctx.Err() != nil || errors.As(err, &terminating) || kube.IsNotFound(err) || kube.IsUnauthorized(err) {
		return false
	}
	_, err = a.service.Kube.Get(ctx, t.resource, t.namespace, t.name)
	return err == nil
}

// readLive reads what is in the place of an object.
func (a *applier) readLive(ctx context.Context, t target) (live map[string]any, err error) {
	raw, err := a.service.Kube.Get(ctx, t.resource, t.namespace, t.name)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(raw, &live)
	return live, err
}

// patchAfterCreate makes the further calls that few objects need: the field ownership of
// server-side appliers, which a create drops, and a status that was asked for. The object
// is there whatever becomes of them, so a refusal is a warning.
func (a *applier) patchAfterCreate(ctx context.Context, want *desired) (outcome, error) {
	out := outcome{action: string(report.Created)}
	if fields := want.rules.ManagedFields; fields != nil {
		patch := map[string]any{"metadata": map[string]any{"managedFields": fields}}
		if err := a.warnIfRefused(ctx, &out, a.patchObject(ctx, a.service.Kube.Patch, want.target, patch)); err != nil {
			return out, err
		}
	}
	if status := want.rules.Status; status != nil {
		if err := a.patchStatus(ctx, want, &out, map[string]any{"status": status}); err != nil {
			return out, err
		}
	}
	return out, nil
}

// patchStatus writes the status of an object that is there, unless there is none to write. A
// refusal is a warning.
func (a *applier) patchStatus(ctx context.Context, want *desired, out *outcome, patch map[string]any) error {
	if patch == nil {
		return nil
	}
	call := a.service.Kube.PatchStatus
	if want.rules.Status == nil {
		call = a.service.Kube.Patch
	}
	return a.warnIfRefused(ctx, out, a.patchObject(ctx, call, want.target, patch))
}

func (a *applier) warnIfRefused(ctx context.Context, out *outcome, err error) error {
	if down := a.service.Outage(ctx, err); down != nil {
		return down
	}
	if err != nil {
		out.reasons = append(out.reasons, report.New(report.StatusFailed, err.Error()).As(report.Warning))
		out.obstacle = obstacleOf(err)
	}
	return nil
}

// updateObject sends the patch. Where the server does not take it, also at the last
// attempt, the object keeps its content and gets the labels alone (docs/VELERO.md 7.4).
func (a *applier) updateObject(ctx context.Context, want *desired, d decision, last bool) (outcome, error) {
	err := a.patchUnlessNil(ctx, want.target, d.patch)
	if err == nil {
		out := outcome{action: string(report.Updated)}
		if d.code != "" {
			out.reasons = []report.Reason{report.New(d.code, "what it lacked was added; what differs was left as it is")}
		}
		err := a.patchStatus(ctx, want, &out, d.status)
		return out, err
	}
	if down := a.service.Outage(ctx, err); down != nil {
		return outcome{}, down
	}
	if o := obstacleOf(err); o != "" {
		out := skippedOutcome(updateRefusalCode(err), err.Error())
		out.obstacle = o
		return out, nil
	}
	if !last { // what the server missed may come with this batch
		return failedOutcome(updateRefusalCode(err), err), nil
	}
	if lerr := a.patchUnlessNil(ctx, want.target, d.labels); lerr != nil {
		err = fmt.Errorf("%w; its labels could not be set either: %w", err, lerr)
	}
	return skippedOutcome(updateRefusalCode(err), err.Error()), ctx.Err()
}

// labelEqualObject leaves an object that is as the backup has it. Under the policy update
// its labels say from now on which backup and restore it agrees with (docs/VELERO.md 7.4).
func (a *applier) labelEqualObject(ctx context.Context, want *desired, labels map[string]any) (outcome, error) {
	out := outcome{action: string(report.Skipped), reason: equalReason}
	err := a.patchUnlessNil(ctx, want.target, labels)
	if down := a.service.Outage(ctx, err); down != nil {
		return outcome{}, down
	}
	if err != nil {
		out.reasons = []report.Reason{report.New(report.UpdateFailed, "equal, but its labels could not be set: "+err.Error())}
		out.obstacle = obstacleOf(err)
	}
	return out, nil
}

// patchUnlessNil sends a patch, unless there is none to send.
func (a *applier) patchUnlessNil(ctx context.Context, t target, patch map[string]any) error {
	if patch == nil {
		return nil
	}
	return a.patchObject(ctx, a.service.Kube.Patch, t, patch)
}

// patchCall is the client's Patch, or its PatchStatus.
type patchCall func(context.Context, kube.Resource, string, string, kube.PatchType, []byte, kube.PatchOptions) ([]byte, error)

func (a *applier) patchObject(ctx context.Context, call patchCall, t target, patch map[string]any) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = call(ctx, t.resource, t.namespace, t.name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
	return err
}

// awaitNamespace fails a namespace that is itself to be restored, while it is being deleted.
func (a *applier) awaitNamespace(ctx context.Context, name string) (outcome, error) {
	if err := a.namespaces.checkStays(ctx, name); err != nil {
		return a.refusedOutcome(ctx, err)
	}
	return failedOutcome(report.NamespaceTerminating, errors.New("was being deleted; tried again")), nil
}

// refusedOutcome tells a server that cannot answer, which the activity's retry mends,
// from one that does not want this object.
func (a *applier) refusedOutcome(ctx context.Context, err error) (outcome, error) {
	if down := a.service.Outage(ctx, err); down != nil {
		return outcome{}, down
	}
	out := failedOutcome(refusalCode(err), err)
	out.obstacle = obstacleOf(err)
	return out, nil
}
