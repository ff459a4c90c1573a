package apply

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// What begins the reason of an object that an isolated copy is without; the rule of isolation
// follows. People are told the rule.
const (
	// DryRunOnly: the API server would have taken the object, and was not asked to keep it.
	DryRunOnly = "DRY_RUN_ONLY"
	// LeftOut: the API server was not asked.
	LeftOut = "LEFT_OUT"
)

// isolator applies the rules of isolation, the last thing that is done to an object before it is
// sent: no modifier can undo them.
type isolator struct {
	rules  isolation.Rules
	drill  string
	labels map[string]string // of all that is made
}

// newIsolator is nil for a restore in earnest.
func newIsolator(run *restore.Run) *isolator {
	in := run.Restore.Isolation
	if in == nil {
		return nil
	}
	targets := slices.Sorted(maps.Values(run.Restore.Spec.NamespaceMapping))
	return &isolator{drill: in.Drill, labels: contract.DrillLabels(in.Cluster, in.Drill), rules: isolation.Rules{
		Namespaces:    targets,
		AllowedKinds:  in.AllowedKinds,
		PriorityClass: isolation.PriorityClassName(in.Cluster),
		Owned: func(gr, name string) bool {
			return gr == resource.PersistentVolumes && makesVolume(run, name) || gr == "namespaces" && slices.Contains(targets, name)
		},
	}}
}

// makesVolume says that the restore makes the disk of a PersistentVolume, which has this name
// then.
func makesVolume(run *restore.Run, name string) bool {
	return run.Plan.Volumes.Count(func(v *volume.Restore) bool {
		return v.NeedsDisk() && v.Disk != nil && cmp.Or(v.Disk.Name, v.PV) == name
	}) > 0
}

// apply changes an object and says what becomes of it. A nil isolator lets it be.
func (i *isolator) apply(gr string, obj map[string]any) isolation.Decision {
	if i == nil {
		return isolation.Decision{Outcome: isolation.Create}
	}
	d := i.rules.Apply(gr, obj)
	i.label(obj)
	return d
}

// label says whose an object is.
func (i *isolator) label(obj map[string]any) {
	if i == nil {
		return
	}
	meta, ok := obj["metadata"].(map[string]any)
	if !ok {
		return // the API server refuses it
	}
	labels, ok := meta["labels"].(map[string]any)
	if !ok {
		labels = map[string]any{}
		meta["labels"] = labels
	}
	for name, value := range i.labels {
		labels[name] = value
	}
}

// labelBody is label for an object that is encoded.
func (i *isolator) labelBody(body []byte) ([]byte, error) {
	if i == nil {
		return body, nil
	}
	var obj map[string]any
	if err := json.Unmarshal(body, &obj); err != nil {
		return nil, err
	}
	i.label(obj)
	return json.Marshal(obj)
}

// isolate ends the way of an object that is left out.
func (t *transformer) isolate(want *desired) *outcome {
	want.isolated = t.isolator.apply(want.entry.Resource, want.object)
	if want.isolated.Outcome != isolation.LeftOut {
		return nil
	}
	return &outcome{action: string(report.Skipped), reason: leftText(want.isolated, LeftOut)}
}

// tryObject asks the API server whether it would take an object. One of a cluster-scoped name
// that is taken was admitted and validated by then.
func (a *applier) tryObject(ctx context.Context, want *desired) (outcome, error) {
	body, err := json.Marshal(want.object)
	if err != nil {
		return failedOutcome(report.ObjectInvalid, err), nil
	}
	_, err = a.service.Kube.Create(ctx, want.resource, want.namespace, body, kube.CreateOptions{FieldManager: resource.FieldManager, DryRun: true})
	if err != nil && !kube.IsAlreadyExists(err) {
		return a.refusedOutcome(ctx, err)
	}
	return outcome{action: string(report.Skipped), reason: leftText(want.isolated, DryRunOnly)}, nil
}

// leftText is the reason of an object that the copy is without.
func leftText(d isolation.Decision, how string) string {
	return how + ": " + d.Rule + ": " + d.Reason
}

// MakeNamespaces makes the namespaces of an isolated copy before anything is in them. One that
// is there and is not of this drill is left alone, and refused. It may repeat.
func MakeNamespaces(ctx context.Context, r *restore.Service, s *restore.Run) error {
	types, err := r.Kube.Discover(ctx)
	if err != nil {
		return fmt.Errorf("discover resource types: %w", err)
	}
	lookup := restore.NewLookup(ctx, s)
	t, err := newTransformer(s, r.Rules, types, lookup)
	if err != nil {
		return err
	}
	n := newNamespaces(r.Kube, t)
	for source, target := range s.Restore.Spec.NamespaceMapping {
		if err := n.ensureExists(ctx, source, target); err != nil {
			return err
		}
		if err := n.checkOwned(ctx, target); err != nil {
			return err
		}
	}
	return lookup.Failed()
}

// checkOwned refuses a namespace that the drill has not made.
func (n *namespaces) checkOwned(ctx context.Context, name string) error {
	ns, err := kube.Read[corev1.Namespace](ctx, n.kube, kube.Namespaces(), "", name)
	if err != nil {
		return fmt.Errorf("look at namespace %s: %w", name, err)
	}
	if ns.Labels[contract.DrillLabel] != n.isolator.drill {
		return failure.Exists("namespace %s is there and is not of this drill; remove it, or wait until the copy that is kept has gone", name)
	}
	return nil
}

// NamespaceBlockers says what keeps a namespace from going.
func NamespaceBlockers(raw []byte) string {
	var obj map[string]any
	if json.Unmarshal(raw, &obj) != nil {
		return "it cannot be read"
	}
	return describeBlockers(obj)
}
