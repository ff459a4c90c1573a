package install

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Release is what a chart is rendered for.
type Release struct {
	Name, Namespace string
	Values          map[string]any // of the user, over the chart's
}

// longestRelease is Helm's bound of a name, which leaves room for what the chart puts behind it.
const longestRelease = 53

// check refuses names that the cluster would refuse, in whichever manifest they come first.
func (r Release) check() error {
	for flag, name := range map[string]string{"--name": r.Name, "--namespace": r.Namespace} {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("%s %q: use lower-case letters, digits and '-', beginning and ending with a letter or digit, at most %d", flag, name, validation.DNS1123LabelMaxLength)
		}
	}
	if len(r.Name) > longestRelease {
		return fmt.Errorf("--name %q has %d characters: use at most %d", r.Name, len(r.Name), longestRelease)
	}
	return nil
}

// Render gives the chart's manifests as `helm template --no-hooks` does, each document with a
// comment that names its template, sorted by name of the template. Values that the chart's
// schema refuses are an error that names each.
func Render(chart fs.FS, r Release) ([]byte, error) {
	data, err := chartData(chart, r)
	if err != nil {
		return nil, err
	}
	all, names, err := parse(chart)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, name := range names {
		if err := renderOne(&out, all, name, data); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// chartData is what the templates are rendered with.
func chartData(chart fs.FS, r Release) (map[string]any, error) {
	meta, err := readMap(chart, "Chart.yaml")
	if err != nil {
		return nil, err
	}
	values, err := readMap(chart, "values.yaml")
	if err != nil {
		return nil, err
	}
	values = mergeValues(values, r.Values)
	if err := checkValues(chart, values); err != nil {
		return nil, err
	}
	return map[string]any{
		"Values":  values,
		"Chart":   map[string]any{"Name": meta["name"], "Version": meta["version"], "AppVersion": meta["appVersion"]},
		"Release": map[string]any{"Name": r.Name, "Namespace": r.Namespace, "Service": "Helm"},
		"Files":   files{chart},
	}, nil
}

// parse reads all templates, and names those that make manifests.
func parse(chart fs.FS) (all *template.Template, names []string, err error) {
	all = template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	paths, err := fs.Glob(chart, "templates/*")
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(paths)
	for _, name := range paths {
		text, err := fs.ReadFile(chart, name)
		if err != nil {
			return nil, nil, err
		}
		if _, err := all.New(name).Parse(string(text)); err != nil {
			return nil, nil, fmt.Errorf("parse template: %w", err)
		}
		if path.Ext(name) == ".yaml" {
			names = append(names, name)
		}
	}
	return all, names, nil
}

func renderOne(out *bytes.Buffer, all *template.Template, name string, data map[string]any) error {
	var text bytes.Buffer
	if err := all.ExecuteTemplate(&text, name, data); err != nil {
		return explainTemplate(err)
	}
	// A map without the key gives this where Helm gives nothing.
	rendered := strings.ReplaceAll(text.String(), "<no value>", "")
	for doc := range strings.SplitSeq(rendered, "\n---\n") {
		doc = strings.TrimSpace(strings.TrimPrefix(doc, "---\n"))
		if doc == "" || strings.Contains(doc, "\n    helm.sh/hook: ") {
			continue
		}
		fmt.Fprintf(out, "---\n# Source: lifeboat/%s\n%s\n", name, doc)
	}
	return nil
}

// explainTemplate leaves of an error what the chart says of a value.
func explainTemplate(err error) error {
	text := err.Error()
	if _, said, found := strings.Cut(text, said); found {
		return fmt.Errorf("values: %s", said)
	}
	return fmt.Errorf("render chart: %w", err)
}
