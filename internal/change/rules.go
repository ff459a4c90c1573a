package change

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Rules by which a difference is judged.
const (
	RuleSecrets    = "secrets"       // share of the Secrets that were changed or removed
	RuleConfig     = "configMaps"    // the same of ConfigMaps
	RuleWorkloads  = "workloads"     // the same of what runs pods
	RuleVolumes    = "volumes"       // share of claims and volumes that were removed
	RuleDeleted    = "deleted"       // share of all lasting objects that were removed
	RuleNamespaces = "namespaces"    // removed namespaces that had been there for two weeks
	RuleBindings   = "adminBindings" // new subjects with all rights, or new rights of everybody
	RuleRoles      = "wideRoles"     // roles that came to allow everything, or to give rights away
	RuleWebhooks   = "webhooks"      // new or redirected admission webhooks
	RuleGuards     = "guards"        // removed admission webhooks and policies, and NetworkPolicies
)

// rule says what of a difference is measured.
type rule struct {
	name string
	// bound is above which a measure is unusual, unless the configuration has another: a share
	// from 0 to 1, or a number.
	bound float64
	// isShare: the measure is a share, which is also held against its own range.
	isShare bool
	measure func(ctx context.Context, d *Diff, r Reader) (Measure, error)
}

// Measure is what a rule found.
type Measure struct {
	Value float64
	Count int64    // of the objects that it speaks of
	Names []string // of the first of them
	// Passing are the families of the namespaces that were removed while they were young.
	Passing []string
}

// Reader reads the bodies of objects; nil for one that is not there.
type Reader struct {
	Older, Newer func(ctx context.Context, k archive.Key) ([]byte, error)
	// OlderTime is when the older backup was begun.
	OlderTime time.Time
	// passing counts the namespaces that were removed while they were young, by family.
	passing map[string]int
}

// rules are all of them, in the order in which they are told.
func rules() []rule {
	return []rule{
		{RuleSecrets, 0.3, true, shareOf(Counts.lost, is("secrets"))},
		{RuleConfig, 0.4, true, shareOf(Counts.lost, is("configmaps"))},
		{RuleWorkloads, 0.5, true, changedWorkloads},
		{RuleVolumes, 0.2, true, shareOf(Counts.removed, is("persistentvolumeclaims", "persistentvolumes"))},
		{RuleDeleted, 0.2, true, shareOf(Counts.removed, isLasting)},
		{RuleNamespaces, 0, false, removedNamespaces},
		{RuleBindings, 0, false, newAdministrators},
		{RuleRoles, 0, false, widenedRoles},
		{RuleWebhooks, 0, false, newWebhooks},
		{RuleGuards, 0, false, removedGuards},
	}
}

// RuleNames are the names of all rules.
func RuleNames() (names []string) {
	for _, r := range rules() {
		names = append(names, r.name)
	}
	return names
}

func (c Counts) lost() int64    { return c.Changed + c.Removed }
func (c Counts) removed() int64 { return c.Removed }

func is(resources ...string) func(string) bool {
	return func(r string) bool { return slices.Contains(resources, r) }
}

// isLasting leaves out what controllers make and remove by the hour.
func isLasting(resource string) bool {
	return !is("pods", "events", "events.events.k8s.io", "endpoints", "endpointslices.discovery.k8s.io", "replicasets.apps",
		"jobs.batch", "controllerrevisions.apps", "leases.coordination.k8s.io", "podmetrics.metrics.k8s.io",
		"csistoragecapacities.storage.k8s.io", "volumeattachments.storage.k8s.io", "nodes", "csinodes.storage.k8s.io")(resource)
}

// fewest is how many objects a share has to speak of: of five Secrets two are a large share and
// no news.
const fewest = 5

func shareOf(count func(Counts) int64, want func(string) bool) func(context.Context, *Diff, Reader) (Measure, error) {
	return func(_ context.Context, d *Diff, _ Reader) (Measure, error) {
		n := d.Of(want)
		m := Measure{Count: count(n)}
		if n.Before() > 0 && m.Count >= fewest {
			m.Value = float64(m.Count) / float64(n.Before())
		}
		return m, nil
	}
}

// named is the measure of single objects.
func named(objects []Object) Measure {
	const most = 3
	m := Measure{Value: float64(len(objects)), Count: int64(len(objects))}
	for _, o := range objects[:min(most, len(objects))] {
		m.Names = append(m.Names, o.String())
	}
	return m
}

// isWatched says that a rule looks at single objects of the resource.
func isWatched(resource string) bool {
	return slices.Contains(slices.Concat([]string{namespaces, mutatingPolicies}, bindings(), roles(), webhookTypes(), guards()), resource)
}

const namespaces = "namespaces"

// settledAfter is how old a namespace has to be to be missed: those of previews and tests come
// and go within days.
const settledAfter = 14 * 24 * time.Hour

// A preview may stay open for longer. It is not missed where others of its family came and went
// young, fewestPassing of them in the window, and it is younger than passesWithin.
const (
	passesWithin  = 60 * 24 * time.Hour
	fewestPassing = 3
	mostPassing   = 50 // are remembered of one backup
)

// familyOf is what the names of namespaces that one thing makes begin with, "pr-" of "pr-4711".
func familyOf(namespace string) string {
	i := strings.IndexByte(namespace, '-')
	return namespace[:i+1]
}

func removedNamespaces(ctx context.Context, d *Diff, r Reader) (Measure, error) {
	var missed []Object
	var passing []string
	for _, o := range d.objectsOf(namespaces, Removed) {
		old, err := readObject[struct {
			Metadata struct {
				CreationTimestamp time.Time `json:"creationTimestamp"`
			} `json:"metadata"`
		}](ctx, r.Older, o)
		if err != nil {
			return Measure{}, err
		}
		family, age := familyOf(o.Name), r.OlderTime.Sub(old.Metadata.CreationTimestamp)
		switch {
		case age < settledAfter:
			if family != "" && len(passing) < mostPassing {
				passing = append(passing, family)
			}
		case age >= passesWithin || age >= settledAfter && r.passing[family] < fewestPassing:
			missed = append(missed, o)
		}
	}
	m := named(missed)
	m.Passing = passing
	return m, nil
}

func guards() []string {
	return []string{
		"networkpolicies.networking.k8s.io", "validatingwebhookconfigurations.admissionregistration.k8s.io",
		"validatingadmissionpolicies.admissionregistration.k8s.io", "validatingadmissionpolicybindings.admissionregistration.k8s.io",
		"clusterpolicies.kyverno.io",
	}
}

// removedGuards leaves out those that went with their namespace.
func removedGuards(_ context.Context, d *Diff, _ Reader) (Measure, error) {
	withNamespace := map[string]bool{}
	for _, o := range d.objectsOf(namespaces, Removed) {
		withNamespace[o.Name] = true
	}
	var gone []Object
	for _, resource := range guards() {
		for _, o := range d.objectsOf(resource, Removed) {
			if !withNamespace[o.Namespace] {
				gone = append(gone, o)
			}
		}
	}
	return named(gone), nil
}
