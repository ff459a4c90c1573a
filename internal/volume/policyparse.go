package volume

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// ParsePolicies reads the YAML of a resource policies ConfigMap, strictly: a field
// that does not exist, or a value that can never match, is an error. The error is a
// filter.FieldErrors with the path of every field that has to change.
func ParsePolicies(data []byte) (*Policies, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, filter.FieldErrors{{Path: "policies", Message: fmt.Sprintf("are no YAML: %v", err)}}
	}
	r := &policyReader{}
	root := &doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		root = doc.Content[0]
	}
	out := r.document(root)
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

func (r *policyReader) document(n *yaml.Node) *Policies {
	f := r.fields(n, "", "version", "volumePolicies", "includeExcludePolicy", "clusterScopedFilterPolicy", "namespacedFilterPolicies")
	if v := r.text(f["version"], "version"); v != "v1" {
		r.problems.Add("version", "is %q: only v1 is supported", v)
	}
	for _, key := range []string{"clusterScopedFilterPolicy", "namespacedFilterPolicies"} {
		if f[key] != nil {
			r.problems.Add(key, "is not supported: filter by the backup's spec instead")
		}
	}
	out := &Policies{}
	for i, item := range r.items(f["volumePolicies"], "volumePolicies") {
		out.volumes = append(out.volumes, r.policy(item, fmt.Sprintf("volumePolicies[%d]", i)))
	}
	if n := f["includeExcludePolicy"]; n != nil {
		out.Filter = r.includeExclude(n, "includeExcludePolicy")
	}
	return out
}

func (r *policyReader) policy(n *yaml.Node, path string) policy {
	f := r.fields(n, path, "conditions", "action")
	p := policy{conditions: r.conditions(f["conditions"], path+".conditions")}
	a := r.fields(f["action"], path+".action", "type", "parameters")
	if a["parameters"] != nil && a["parameters"].Kind != yaml.MappingNode {
		r.problems.Add(path+".action.parameters", "is not a map")
	}
	p.action = action(r.text(a["type"], path+".action.type"))
	if known := []action{actionSkip, actionSnapshot, actionFiles, actionCustom}; !slices.Contains(known, p.action) {
		r.problems.Add(path+".action.type", "is %q: use skip, snapshot, fs-backup or custom", p.action)
	}
	return p
}

func (r *policyReader) conditions(n *yaml.Node, path string) conditions {
	f := r.fields(n, path, "capacity", "storageClass", "nfs", "csi", "volumeTypes", "pvcLabels", "pvcPhase", "pvcVolumeMode", "pvcAccessModes")
	c := conditions{
		classes: r.texts(f["storageClass"], path+".storageClass"),
		types:   r.oneOf(f["volumeTypes"], path+".volumeTypes", volumeTypes()),
		labels:  r.textMap(f["pvcLabels"], path+".pvcLabels"),
		phases:  r.oneOf(f["pvcPhase"], path+".pvcPhase", []string{"Bound", "Pending", "Lost"}),
		modes:   r.oneOf(f["pvcAccessModes"], path+".pvcAccessModes", []string{"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"}),
		mode:    r.text(f["pvcVolumeMode"], path+".pvcVolumeMode"),
	}
	if !slices.Contains([]string{"", "Filesystem", "Block"}, c.mode) {
		r.problems.Add(path+".pvcVolumeMode", "is %q: use Filesystem or Block", c.mode)
	}
	c.capacity = r.capacity(f["capacity"], path+".capacity")
	if n := f["nfs"]; n != nil {
		s := r.fields(n, path+".nfs", "server", "path")
		c.nfs = &nfsSource{server: r.text(s["server"], path+".nfs.server"), path: r.text(s["path"], path+".nfs.path")}
	}
	if n := f["csi"]; n != nil {
		c.csi = r.csi(n, path+".csi")
	}
	return c
}

func (r *policyReader) csi(n *yaml.Node, path string) *csiSource {
	f := r.fields(n, path, "driver", "volumeAttributes")
	s := &csiSource{driver: r.text(f["driver"], path+".driver"), attributes: r.textMap(f["volumeAttributes"], path+".volumeAttributes")}
	if s.driver == "" && f["volumeAttributes"] != nil {
		r.problems.Add(path+".driver", "is empty: attributes belong to a driver, name it")
	}
	return s
}

// capacity reads "<lowest>,<highest>", both included; an empty side, or zero, is
// open. Nothing at all is any capacity.
func (r *policyReader) capacity(n *yaml.Node, path string) sizes {
	text := r.text(n, path)
	if text == "" {
		return sizes{}
	}
	parts := strings.Split(text, ",")
	if len(parts) != 2 {
		r.problems.Add(path, "is %q: write lowest,highest as in 10Gi,100Gi; either may be empty, the comma may not", text)
		return sizes{}
	}
	out := sizes{r.quantity(parts[0], path), r.quantity(parts[1], path)}
	if !out.high.IsZero() && out.low.Cmp(out.high) > 0 {
		r.problems.Add(path, "is %q: the lowest is more than the highest", text)
	}
	return out
}

func (r *policyReader) quantity(text, path string) resource.Quantity {
	text = strings.TrimSpace(text)
	if text == "" {
		return resource.Quantity{}
	}
	if moderate(text) { // before it is parsed, which may take as long
		if q, err := resource.ParseQuantity(text); err == nil && q.Sign() >= 0 {
			return q
		}
	}
	r.problems.Add(path, "%q is not a quantity such as 10Gi", text)
	return resource.Quantity{}
}

// moderate says that a quantity can be compared at once: 1e99999999 takes a minute.
// 24 digits are more bytes than there are disks for.
func moderate(text string) bool {
	_, exponent, ok := strings.Cut(strings.ToLower(text), "e")
	if !ok || exponent == "" || exponent == "i" { // 1E and 1Ei are exabytes
		return len(text) <= 64
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && n >= -24 && n <= 24 && len(text) <= 64
}

func (r *policyReader) includeExclude(n *yaml.Node, path string) *IncludeExclude {
	const inC, exC, inN, exN = "includedClusterScopedResources", "excludedClusterScopedResources", "includedNamespaceScopedResources", "excludedNamespaceScopedResources"
	f := r.fields(n, path, inC, exC, inN, exN)
	list := func(key string) []string {
		out := r.texts(f[key], path+"."+key)
		if i := slices.Index(out, "*"); i >= 0 {
			r.problems.Add(fmt.Sprintf("%s.%s[%d]", path, key, i), "is '*': name the types")
		}
		return out
	}
	p := &IncludeExclude{list(inC), list(exC), list(inN), list(exN)}
	r.both(path+"."+exC, p.IncludedClusterScopedResources, p.ExcludedClusterScopedResources)
	r.both(path+"."+exN, p.IncludedNamespaceScopedResources, p.ExcludedNamespaceScopedResources)
	return p
}

func (r *policyReader) both(path string, in, ex []string) {
	for i, e := range ex {
		if slices.Contains(in, e) {
			r.problems.Add(fmt.Sprintf("%s[%d]", path, i), "%s is also included: remove one of them", e)
		}
	}
}
