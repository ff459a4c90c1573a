package volume

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// policyDocument is the YAML of a resource policies ConfigMap.
type policyDocument struct {
	Version                   string          `yaml:"version"`
	VolumePolicies            []policy        `yaml:"volumePolicies"`
	IncludeExcludePolicy      *IncludeExclude `yaml:"includeExcludePolicy"`
	ClusterScopedFilterPolicy any             `yaml:"clusterScopedFilterPolicy"`
	NamespacedFilterPolicies  any             `yaml:"namespacedFilterPolicies"`
}

// ParsePolicies reads the YAML of a resource policies ConfigMap, strictly: a field
// that does not exist, or a value that can never match, is an error. The error is a
// filter.FieldErrors with the path of every field that has to change.
func ParsePolicies(data []byte) (*Policies, error) {
	c := policyChecker{}
	doc := c.decodeDocument(data)
	if c.problems.Err() == nil {
		c.checkDocument(doc)
	}
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return &Policies{volumes: doc.VolumePolicies, Filter: doc.IncludeExcludePolicy}, nil
}

// policyChecker collects what is wrong with a document.
type policyChecker struct{ problems filter.Problems }

func (c *policyChecker) checkDocument(doc *policyDocument) {
	if doc.Version != "v1" {
		c.problems.Add("version", "is %q: only v1 is supported", doc.Version)
	}
	const unsupported = "is not supported: filter by the backup's spec instead"
	if doc.ClusterScopedFilterPolicy != nil {
		c.problems.Add("clusterScopedFilterPolicy", unsupported)
	}
	if doc.NamespacedFilterPolicies != nil {
		c.problems.Add("namespacedFilterPolicies", unsupported)
	}
	for i := range doc.VolumePolicies {
		c.checkPolicy(&doc.VolumePolicies[i], fmt.Sprintf("volumePolicies[%d]", i))
	}
	if p := doc.IncludeExcludePolicy; p != nil {
		c.checkTypeLists("ClusterScopedResources", p.IncludedClusterScopedResources, p.ExcludedClusterScopedResources)
		c.checkTypeLists("NamespaceScopedResources", p.IncludedNamespaceScopedResources, p.ExcludedNamespaceScopedResources)
	}
}

func (c *policyChecker) checkPolicy(p *policy, path string) {
	c.checkConditions(&p.Conditions, path+".conditions")
	if known := []action{actionSkip, actionSnapshot, actionFiles, actionCustom}; !slices.Contains(known, p.Action.Type) {
		c.problems.Add(path+".action.type", "is %q: use skip, snapshot, fs-backup or custom", p.Action.Type)
	}
}

func (c *policyChecker) checkConditions(s *conditions, path string) {
	c.checkKnown(s.Types, path+".volumeTypes", volumeTypes())
	c.checkKnown(s.Phases, path+".pvcPhase", []string{"Bound", "Pending", "Lost"})
	c.checkKnown(s.Modes, path+".pvcAccessModes", []string{"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"})
	if !slices.Contains([]string{"", "Filesystem", "Block"}, s.Mode) {
		c.problems.Add(path+".pvcVolumeMode", "is %q: use Filesystem or Block", s.Mode)
	}
	s.sizes = c.parseCapacity(s.Capacity, path+".capacity")
	if s.CSI != nil && s.CSI.Driver == "" && s.CSI.Attributes != nil {
		c.problems.Add(path+".csi.driver", "is empty: attributes belong to a driver, name it")
	}
}

func (c *policyChecker) checkKnown(values []string, path string, known []string) {
	for i, v := range values {
		if !slices.Contains(known, v) {
			c.problems.Add(fmt.Sprintf("%s[%d]", path, i), "is %q: use one of %s", v, strings.Join(known, ", "))
		}
	}
}

// parseCapacity reads "<lowest>,<highest>", both included; an empty side, or zero, is
// open. Nothing at all is any capacity.
func (c *policyChecker) parseCapacity(text, path string) sizes {
	if text == "" {
		return sizes{}
	}
	parts := strings.Split(text, ",")
	if len(parts) != 2 {
		c.problems.Add(path, "is %q: write lowest,highest as in 10Gi,100Gi; either may be empty, the comma may not", text)
		return sizes{}
	}
	out := sizes{c.parseQuantity(parts[0], path), c.parseQuantity(parts[1], path)}
	if !out.high.IsZero() && out.low.Cmp(out.high) > 0 {
		c.problems.Add(path, "is %q: the lowest is more than the highest", text)
	}
	return out
}

func (c *policyChecker) parseQuantity(text, path string) resource.Quantity {
	text = strings.TrimSpace(text)
	if text == "" {
		return resource.Quantity{}
	}
	if isModerateQuantity(text) { // before it is parsed, which may take as long
		if q, err := resource.ParseQuantity(text); err == nil && q.Sign() >= 0 {
			return q
		}
	}
	c.problems.Add(path, "%q is not a quantity such as 10Gi", text)
	return resource.Quantity{}
}

// isModerateQuantity says that a quantity can be compared at once: 1e99999999 takes a
// minute. 24 digits are more bytes than there are disks for.
func isModerateQuantity(text string) bool {
	_, exponent, ok := strings.Cut(strings.ToLower(text), "e")
	if !ok || exponent == "" || exponent == "i" { // 1E and 1Ei are exabytes
		return len(text) <= 64
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && n >= -24 && n <= 24 && len(text) <= 64
}

// checkTypeLists checks the two lists of types of one scope.
func (c *policyChecker) checkTypeLists(scope string, in, ex []string) {
	included, excluded := "includeExcludePolicy.included"+scope, "includeExcludePolicy.excluded"+scope
	c.checkNamed(in, included)
	c.checkNamed(ex, excluded)
	for i, e := range ex {
		if slices.Contains(in, e) {
			c.problems.Add(fmt.Sprintf("%s[%d]", excluded, i), "%s is also included: remove one of them", e)
		}
	}
}

func (c *policyChecker) checkNamed(types []string, path string) {
	if i := slices.Index(types, "*"); i >= 0 {
		c.problems.Add(fmt.Sprintf("%s[%d]", path, i), "is '*': name the types")
	}
}
