package modify

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// Parse reads and checks the rules of a ConfigMap. The error is a filter.FieldErrors
// with the path of every field that has to change.
func Parse(text string) (*Rules, error) {
	doc, err := decodeDocument(text)
	if err != nil {
		return nil, filter.FieldErrors{{Path: "resourceModifierRules", Message: filter.ShortenText(err.Error())}}
	}
	p := parser{}
	if !strings.EqualFold(doc.Version, "v1") {
		p.problems.Add("version", "is %q: only v1 is supported", doc.Version)
	}
	if len(doc.Rules) == 0 {
		p.problems.Add("resourceModifierRules", "is empty: write a rule, or leave the restore without modifiers")
	}
	out := &Rules{}
	for i, spec := range doc.Rules {
		path := fmt.Sprintf("resourceModifierRules[%d]", i)
		out.rules = append(out.rules, rule{path: path, condition: p.parseCondition(path+".conditions", spec.Conditions), patch: p.parsePatch(path, spec)})
	}
	if err := p.problems.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// parser collects what is wrong.
type parser struct {
	problems filter.Problems
	types    *runtime.Scheme
}

// parsePatch reads the one kind of patch that a rule has.
func (p *parser) parsePatch(path string, spec ruleSpec) patcher {
	var kinds []string
	for _, k := range []struct {
		name string
		n    int
	}{{"patches", len(spec.Patches)}, {"mergePatches", len(spec.MergePatches)}, {"strategicPatches", len(spec.StrategicPatches)}} {
		if k.n > 0 {
			kinds = append(kinds, k.name)
		}
	}
	switch {
	case len(kinds) == 0:
		p.problems.Add(path, "changes nothing: write patches, mergePatches or strategicPatches")
	case len(kinds) > 1:
		p.problems.Add(path, "has %s: a rule has one kind of patch, make a rule of each", strings.Join(kinds, " and "))
	case kinds[0] == "patches":
		return p.parseOperations(path, spec.Patches)
	case kinds[0] == "mergePatches":
		return mergePatches(p.parseMergeData(path+".mergePatches", spec.MergePatches))
	default:
		return p.parseStrategic(path, spec.StrategicPatches)
	}
	return nil
}

func (p *parser) parseOperations(path string, specs []patchSpec) operations {
	var out operations
	for i, spec := range specs {
		out = append(out, p.parseOperation(fmt.Sprintf("%s.patches[%d]", path, i), spec))
	}
	return out
}

func (p *parser) parseOperation(path string, spec patchSpec) operation {
	name := strings.ToLower(spec.Operation)
	steps := p.parsePointer(path+".path", spec.Path)
	o := operation{name: name, path: spec.Path, steps: steps}
	known := []string{"add", "remove", "replace", "move", "copy", "test"}
	switch {
	case !slices.Contains(known, name):
		p.problems.Add(path+".operation", "is %q: use one of %s", spec.Operation, strings.Join(known, ", "))
		return operation{}
	case name == "move" || name == "copy":
		o.from = p.parsePointer(path+".from", spec.From)
	case name != "remove":
		o.value = p.parseValue(path+".value", spec.Value)
	}
	if name == "test" {
		return o
	}
	var err error
	if o.patch, err = newOperation(name, spec.Path, spec.From, o.value); err != nil {
		p.problems.Add(path, "%v", err)
	}
	return o
}

func (p *parser) parsePointer(path, text string) []string {
	steps, err := parsePointer(text)
	if err != nil {
		p.problems.Add(path, "%v", err)
	}
	return steps
}

func (p *parser) parseValue(path, text string) any {
	v, err := parseValue(text)
	if err != nil {
		p.problems.Add(path, "%v", err)
	}
	return v
}

// parseMergeData reads patches that are given as YAML or JSON text.
func (p *parser) parseMergeData(path string, specs []dataSpec) []map[string]any {
	var out []map[string]any
	for i, spec := range specs {
		at := fmt.Sprintf("%s[%d].patchData", path, i)
		var patch map[string]any
		asJSON, err := yaml.YAMLToJSONStrict([]byte(spec.PatchData))
		if err == nil {
			err = json.Unmarshal(asJSON, &patch)
		}
		switch {
		case err != nil:
			p.problems.Add(at, "is no patch in YAML or JSON: %v", err)
		case len(patch) == 0:
			p.problems.Add(at, "is empty: write the fields that are to change")
		}
		out = append(out, patch)
	}
	return out
}

func (p *parser) parseStrategic(path string, specs []dataSpec) strategicPatches {
	out := strategicPatches{patches: p.parseMergeData(path+".strategicPatches", specs)}
	if p.types == nil {
		var err error
		if p.types, err = kubernetesTypes(); err != nil {
			p.problems.Add(path, "%v", err)
		}
	}
	out.types = p.types
	return out
}
