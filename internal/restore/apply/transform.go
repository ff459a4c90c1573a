package apply

import (
	"errors"
	"fmt"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// target is the place of an object in the cluster.
type target struct {
	resource        kube.Resource // empty in a dry run that brings the type's definition
	namespace, name string
}

// desired is an object as the restore wants it in the cluster.
type desired struct {
	target
	entry            archive.Entry
	apiVersion, kind string
	object           map[string]any
	// original is the object as it was stored; a dry run shows how the two differ.
	original map[string]any
	// rules is what the rules of its kind have to say beside the object: its owners, and
	// what a create cannot carry.
	rules resource.Outcome
	// isolated says what becomes of the object in an isolated copy.
	isolated isolation.Decision
	// hooks is how many commands wait for the pod.
	hooks   int
	reasons []report.Reason
}

// servedTypes are the types that the target cluster serves.
type servedTypes interface {
	InVersion(groupResource, version string) (kube.Resource, bool)
	Versions(groupResource string) []string
	HasStatus(groupResource, version string) bool
}

// transformer turns stored objects into desired ones. It asks the plan and the archive
// and never the cluster, so its answers are the same in every attempt.
type transformer struct {
	run      *restore.Run
	registry *resource.Registry
	rules    *resource.Context
	types    servedTypes
	lookup   *restore.Lookup
	merged   map[string][]string // see mergedSources
	isolator *isolator           // nil for a restore in earnest
}

func newTransformer(run *restore.Run, registry *resource.Registry, types servedTypes, lookup *restore.Lookup) (*transformer, error) {
	rules := newRuleContext(run, lookup)
	rules.StatusSubresource = types.HasStatus
	if err := run.Changes.Apply(rules); err != nil {
		return nil, err
	}
	return &transformer{run: run, registry: registry, rules: rules, types: types, lookup: lookup, merged: mergedSources(run.Restore.Spec.NamespaceMapping), isolator: newIsolator(run)}, nil
}

// newRuleContext is what the rules of kinds may know of this restore.
func newRuleContext(run *restore.Run, lookup *restore.Lookup) *resource.Context {
	spec := run.Restore.Spec
	c := &resource.Context{
		Backup: run.Archive.Backup, Restore: run.Restore.Name, RestoreUID: run.UID,
		NamespaceMapping:  spec.NamespaceMapping,
		PreserveNodePorts: spec.PreserveNodePorts != nil && *spec.PreserveNodePorts,
		SkipVolumes:       spec.RestorePVs != nil && !*spec.RestorePVs,
		RestoreStatus:     func(gr string) bool { return run.Plan.Filter.RestoreStatus(gr, nil) },
		Has:               lookup.Has, ServiceSelects: lookup.ServiceSelects,
		Hooks: spec.Hooks,
	}
	run.VolumeRules(c)
	return c
}

// transform makes the desired object of a stored one. Where the restore wants none,
// ended says what became of it, and the object must not be sent: it holds what was known
// of it by then.
func (t *transformer) transform(o storedObject) (want *desired, ended *outcome) {
	e := o.entry
	want = &desired{entry: e}
	want.namespace, want.name = t.run.Plan.Filter.TargetNamespace(e.Namespace), e.Name
	if err := want.decode(o.body, t.run.Restore.DryRun); err != nil {
		return want, endWith(failedOutcome(report.ObjectInvalid, err))
	}
	if !t.run.Selects(e.Key, resource.LabelsOf(want.object)) {
		return want, &outcome{}
	}
	if text := t.run.WhyNoDisk(e.Resource, e.Namespace, e.Name); text != "" {
		return want, endWith(failedOutcome(report.VolumeNotRestored, errors.New(text)))
	}
	if ended = t.applyRules(want); ended != nil {
		return want, ended
	}
	if ended = t.isolate(want); ended != nil {
		return want, ended
	}
	if err := want.countHooks(t.run.Restore.Spec.Hooks); err != nil {
		return want, endWith(failedOutcome(report.ObjectInvalid, err))
	}
	if ended = t.resolveVersion(want); ended == nil {
		ended = t.endAtClash(want)
	}
	return want, ended
}

// endWith is an outcome that ends the way of an object.
func endWith(out outcome) *outcome { return &out }

// decode reads the body, twice if the original is to be kept: the rules change the
// object in place.
func (w *desired) decode(body []byte, keepOriginal bool) error {
	if err := json.Unmarshal(body, &w.object); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	w.apiVersion, w.kind = resource.StringOf(w.object["apiVersion"]), resource.StringOf(w.object["kind"])
	if !keepOriginal {
		return nil
	}
	return json.Unmarshal(body, &w.original)
}

// applyRules has the rules of its kind change the object, and turns what they have to
// say into reasons.
func (t *transformer) applyRules(want *desired) *outcome {
	out, err := t.registry.Restore(t.rules, want.entry.Resource, want.object)
	if err != nil {
		return endWith(failedOutcome(report.ObjectInvalid, err))
	}
	if out.Skipped() {
		return &outcome{action: string(report.Skipped), reason: string(out.Skip.Code) + ": " + out.Skip.Text}
	}
	want.rules = out
	meta, _ := want.object["metadata"].(map[string]any)
	if name := resource.StringOf(meta["name"]); name != "" {
		want.name = name // a mapped namespace has another name
	}
	for _, n := range out.Warnings {
		want.addReason(report.New(n.Code, n.Text).As(report.Warning))
	}
	for _, n := range out.Errors {
		want.addReason(report.New(n.Code, n.Text).As(report.Error))
	}
	if len(out.Residual) > 0 {
		want.addReason(report.New(report.ResidualReference, "still names a mapped namespace at "+strings.Join(out.Residual, ", ")).As(report.Warning))
	}
	return nil
}

func (w *desired) addReason(r report.Reason) { w.reasons = append(w.reasons, w.placeReason(r, nil)) }

// placeReason says which object a reason is about, and hides the values of Secrets that
// it quotes.
func (w *desired) placeReason(r report.Reason, live map[string]any) report.Reason {
	r.Message = resource.Redact(w.entry.Resource, r.Message, w.object, live)
	return r.At(w.entry.Resource, w.namespace, w.entry.Name)
}

// countHooks notes how many commands wait for a pod, and what is wrong with them. Few
// pods have any, and only those are decoded once more.
func (w *desired) countHooks(spec velerov1.RestoreHooks) error {
	if w.entry.Resource != "pods" {
		return nil
	}
	meta, _ := w.object["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	if len(spec.Resources) == 0 && !hook.Annotated(annotations) {
		return nil
	}
	pod, err := decodePod(w.object)
	if err != nil {
		return err
	}
	hooks, problems, err := hook.Restore(spec, pod)
	w.hooks, w.reasons = len(hooks), append(w.reasons, problems...)
	return err
}

func decodePod(obj map[string]any) (*corev1.Pod, error) {
	raw, err := json.Marshal(obj)
	if err != nil {
		return nil, err
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		return nil, fmt.Errorf("read as a pod: %w", err)
	}
	return pod, nil
}

// resolveVersion finds the type in the target, in the version that the object was stored
// in: a body is never converted here.
func (t *transformer) resolveVersion(want *desired) *outcome {
	gr, version := want.entry.Resource, want.apiVersion
	if i := strings.LastIndexByte(version, '/'); i >= 0 {
		version = version[i+1:]
	}
	var ok bool
	if want.resource, ok = t.types.InVersion(gr, version); ok {
		return nil
	}
	if versions := t.types.Versions(gr); len(versions) > 0 {
		return endWith(failedOutcome(report.TypeNotServed, fmt.Errorf("stored as %s; the cluster serves %s as %s only",
			want.apiVersion, gr, strings.Join(versions, ", "))))
	}
	if t.rules.SkipVolumes && resource.IsSnapshotType(gr) && !t.lookup.WillServe(gr, version) {
		// A backup of claims holds the classes of their snapshots, whatever was selected.
		return &outcome{action: string(report.Skipped), reason: string(report.VolumeSkipped) + ": volumes are not restored (restorePVs: false), and the cluster does not serve " + gr}
	}
	out := failedOutcome(report.TypeNotServed, errors.New("the cluster does not serve "+gr))
	if t.isolator == nil && t.lookup.WillServe(gr, version) { // an isolated copy brings no definitions
		if t.run.Restore.DryRun {
			return nil
		}
		out.obstacle = obstacle(unservedType + gr)
	}
	return &out
}
