package modify

import (
	"errors"
	"fmt"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/glob"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// condition says which objects a rule is for; parts that are nil or empty match all.
type condition struct {
	groupResource string           // as it is written
	resource      *regexp.Regexp   // over plural.group
	namespaces    []*regexp.Regexp // any one
	name          *regexp.Regexp
	labels        labels.Selector
	fields        []fieldTest // all of them
}

func (p *parser) parseCondition(path string, spec conditionSpec) condition {
	var c condition
	if spec.GroupResource == "" {
		p.problems.Add(path+".groupResource", "is empty: name a type as plural.group, such as deployments.apps or secrets")
	}
	c.groupResource = spec.GroupResource
	c.resource = p.compileGlob(path+".groupResource", spec.GroupResource, '.')
	for i, pattern := range spec.Namespaces {
		c.namespaces = append(c.namespaces, p.compileGlob(fmt.Sprintf("%s.namespaces[%d]", path, i), pattern, 0))
	}
	var err error
	if spec.ResourceNameRegex != "" {
		if c.name, err = regexp.Compile(spec.ResourceNameRegex); err != nil {
			p.problems.Add(path+".resourceNameRegex", "is no regular expression of Go: %v", err)
		}
	}
	if spec.LabelSelector != nil {
		if c.labels, err = metav1.LabelSelectorAsSelector(spec.LabelSelector); err != nil {
			p.problems.Add(path+".labelSelector", "is not a label selector: %v", err)
		}
	}
	for i, m := range spec.Matches {
		at := fmt.Sprintf("%s.matches[%d]", path, i)
		c.fields = append(c.fields, fieldTest{path: m.Path, steps: p.parsePointer(at+".path", m.Path), value: p.parseValue(at+".value", m.Value)})
	}
	return c
}

func (p *parser) compileGlob(path, pattern string, separator byte) *regexp.Regexp {
	re, err := glob.CompileModifier(pattern, separator)
	if err != nil {
		p.problems.Add(path, "%v", err)
	}
	return re
}

// matchesObject says whether type and metadata of an object match. Namespaces are no matter
// of cluster-scoped objects.
func (c *condition) matchesObject(gr string, obj map[string]any) bool {
	meta, _ := obj["metadata"].(map[string]any)
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	switch {
	case !c.resource.MatchString(gr), !c.matchesNamespace(namespace):
		return false
	case c.name != nil && !c.name.MatchString(name):
		return false
	}
	return c.labels == nil || c.labels.Matches(labels.Set(resource.LabelsOf(obj)))
}

func (c *condition) matchesNamespace(namespace string) bool {
	for _, re := range c.namespaces {
		if re.MatchString(namespace) {
			return true
		}
	}
	return namespace == "" || len(c.namespaces) == 0
}

// matchesFields says whether the object's fields are as the condition wants them. What is not
// there does not match.
func (c *condition) matchesFields(obj map[string]any) (bool, error) {
	for i := range c.fields {
		err := c.fields[i].check(obj)
		if errors.Is(err, errTest) || errors.Is(err, errMissing) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("conditions.matches[%d]: %s: %w", i, c.fields[i].path, err)
		}
	}
	return true, nil
}
