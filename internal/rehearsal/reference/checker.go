package reference

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Checker checks the objects of one backup: every entry of its index goes through AddEntry,
// then every object through AddObject, then Findings has the answer. Its memory grows with the
// names of the backup and with what is missing, not with its objects.
type Checker struct {
	kinds    map[string]checkFunc
	there    map[string]bool // "resource namespace/name"
	missing  map[string]*absence
	found    []report.Reason
	selected []selection // what Services have to select, for NoBackend
	labels   map[string][]map[string]string
	served   map[string][]string // versions by definition
}

// absence is an object that is named and not there.
type absence struct {
	code  report.Code
	what  string
	first archive.Key
	more  int
}

// selection is a Service that an API server calls.
type selection struct {
	by                 archive.Key
	namespace, service string
}

// NewChecker returns a checker that has seen nothing.
func NewChecker() *Checker {
	return &Checker{kinds: kinds(), there: map[string]bool{}, missing: map[string]*absence{}, labels: map[string][]map[string]string{}, served: map[string][]string{}}
}

func nameOf(gr, namespace, name string) string {
	return gr + " " + resource.ObjectName(namespace, name)
}

// AddEntry notes that the backup holds an object. A second one of the name is a finding.
func (c *Checker) AddEntry(k archive.Key) {
	name := nameOf(k.Resource, k.Namespace, k.Name)
	if c.there[name] {
		c.found = append(c.found, New(Duplicate, "is in the backup more than once; a restore takes one of them").At(k.Resource, k.Namespace, k.Name))
	}
	c.there[name] = true
}

// AddObject checks an object, when all entries are known.
func (c *Checker) AddObject(k archive.Key, body []byte) {
	if !c.checkContent(k, body) {
		return
	}
	if k.Namespace != "" {
		c.need(k, NamespaceMissing, "namespaces", "", k.Namespace)
	}
	if _, custom := resource.DefinitionOf(k.Resource); custom {
		c.checkDefinition(k)
	}
	if bytes.Contains(body, []byte(`"ownerReferences"`)) {
		c.checkOwners(k, body)
	}
	if check := c.kinds[k.Resource]; check != nil && check(c, k, body) != nil {
		c.found = append(c.found, New(NotTheObject, "does not read as an object of its type").At(k.Resource, k.Namespace, k.Name))
	}
}

// need notes a missing object that k names. What every cluster has by itself is there.
func (c *Checker) need(k archive.Key, code report.Code, gr, namespace, name string) {
	full := nameOf(gr, namespace, name)
	if name == "" || c.there[full] || isBuiltIn(gr, namespace, name) {
		return
	}
	id := string(code) + " " + full
	if a := c.missing[id]; a != nil {
		a.more++
		return
	}
	c.missing[id] = &absence{code: code, what: full, first: k}
}

// isBuiltIn tells what clusters make by themselves.
func isBuiltIn(gr, namespace, name string) bool {
	switch gr {
	case "namespaces":
		return name == "default" || strings.HasPrefix(name, "kube-")
	case "serviceaccounts":
		return name == "default" || namespace == "kube-system"
	case "configmaps":
		return name == "kube-root-ca.crt"
	case "priorityclasses.scheduling.k8s.io":
		return strings.HasPrefix(name, "system-")
	case clusterRoles, roles:
		return strings.HasPrefix(name, "system:") || slices.Contains([]string{"admin", "cluster-admin", "edit", "view"}, name)
	case "services":
		return namespace == "default" && name == "kubernetes"
	}
	return false
}

// Findings are what was found, errors first.
func (c *Checker) Findings() []report.Reason {
	out := slices.Clone(c.found)
	for _, id := range slices.Sorted(maps.Keys(c.missing)) {
		out = append(out, c.missing[id].finding())
	}
	out = append(out, c.withoutBackend()...)
	report.Sort(out)
	return out
}

func (a *absence) finding() report.Reason {
	text := fmt.Sprintf("names %s, which the backup does not hold", a.what)
	switch a.code {
	case NamespaceMissing:
		text = fmt.Sprintf("is in namespace %s, of which the backup holds no Namespace", strings.TrimPrefix(a.what, "namespaces "))
	case OwnerMissing:
		text = fmt.Sprintf("belongs to %s, which the backup does not hold", a.what)
	case DefinitionMissing:
		text = "is of a type whose definition the backup does not hold"
	}
	if a.more > 0 {
		text += fmt.Sprintf("; and %d more objects as well", a.more)
	}
	return New(a.code, text).At(a.first.Resource, a.first.Namespace, a.first.Name)
}

// checkDefinition looks for the definition of a custom resource.
func (c *Checker) checkDefinition(k archive.Key) {
	if isAggregated(k.Resource) {
		return
	}
	versions, known := c.served[k.Resource]
	if !known && resource.IsSnapshotType(k.Resource) {
		return // a backup of claims holds them, whatever was selected
	}
	if !known {
		c.need(k, DefinitionMissing, resource.CustomResourceDefinitions, "", k.Resource)
		return
	}
	if !slices.Contains(versions, k.Version) {
		text := fmt.Sprintf("is stored in version %s, and its definition in the backup serves %s", k.Version, cmp.Or(strings.Join(versions, ", "), "none"))
		c.found = append(c.found, New(VersionNotServed, text).At(k.Resource, k.Namespace, k.Name))
	}
}

// isAggregated tells the types that servers of their own serve, without a definition.
func isAggregated(gr string) bool {
	_, group, _ := strings.Cut(gr, ".")
	return strings.HasSuffix(group, "metrics.k8s.io") || group == "packages.operators.coreos.com" || group == "data.packaging.carvel.dev" || group == "projectcalico.org"
}

// checkOwners looks for the owners of an object, which are of its namespace or cluster-scoped.
func (c *Checker) checkOwners(k archive.Key, body []byte) {
	var obj struct {
		Metadata struct {
			OwnerReferences []struct{ APIVersion, Kind, Name string }
		}
	}
	if json.Unmarshal(body, &obj) != nil {
		return
	}
	for _, o := range obj.Metadata.OwnerReferences {
		gr := ownerType(o.APIVersion, o.Kind)
		if gr == "" || c.there[nameOf(gr, "", o.Name)] {
			continue
		}
		c.need(k, OwnerMissing, gr, k.Namespace, o.Name)
	}
}

// ownerType is the type of an owner whose plural is known; "" of others, and of nodes, which
// no backup brings back.
func ownerType(apiVersion, kind string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		group = ""
	}
	switch group + "/" + kind {
	case "/Node", "/Pod":
		return "" // of an ended pod, or of one of the node
	case "apps/ReplicaSet", "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet":
		return strings.ToLower(kind) + "s.apps"
	case "batch/CronJob":
		return "cronjobs.batch"
	case "/ConfigMap", "/Secret", "/Service", "/ServiceAccount", "/PersistentVolumeClaim":
		return strings.ToLower(kind) + "s"
	case "apiextensions.k8s.io/CustomResourceDefinition":
		return resource.CustomResourceDefinitions
	}
	return ""
}
