package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed sample/*.yaml
var sampleFiles embed.FS

// label marks every object of the bookstore, cluster-scoped ones and pods too.
const label = "app.kubernetes.io/instance"

// sample says how the bookstore fits into its cluster.
type sample struct {
	Suffix      string // of namespaces and cluster-scoped names: empty on a cluster of our own
	VolumeClass string // storage class of the database; empty: it lives without volumes
	Foreign     bool   // the cluster is somebody's: no Pod on every node, no Job that would never end
}

// Shop and Data are the namespaces.
func (s sample) Shop() string { return "bookstore" + s.Suffix }

// Data is the namespace of the database.
func (s sample) Data() string { return "bookstore-data" + s.Suffix }

// Group is the API group of shelves, books and orders.
func (s sample) Group() string { return "bookstore" + s.Suffix + ".example.com" }

// Selector selects the bookstore and nothing else of the cluster.
func (s sample) Selector() string { return label + "=" + s.Shop() }

// object is one object of the sample, as parsed from YAML.
type object map[string]any

func (o object) text(path ...string) string {
	var at any = map[string]any(o)
	for _, field := range path {
		m, _ := at.(map[string]any)
		at = m[field]
	}
	text, _ := at.(string)
	return text
}

func (o object) name() string      { return o.text("metadata", "name") }
func (o object) namespace() string { return o.text("metadata", "namespace") }

// key identifies an object among the owners of others.
func (o object) key() string { return o.text("kind") + " " + o.namespace() + "/" + o.name() }

// waves are the objects in the order of the sample's files. A wave may need what
// the wave before made, and nothing of its own.
func (s sample) waves() ([][]object, error) {
	names, err := fs.Glob(sampleFiles, "sample/*.yaml")
	if err != nil {
		return nil, err
	}
	var waves [][]object
	for _, name := range names {
		wave, err := s.render(name)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		waves = append(waves, wave)
	}
	return waves, nil
}

func (s sample) render(name string) ([]object, error) {
	text, err := sampleFiles.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Funcs(functions()).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, s); err != nil {
		return nil, err
	}
	return s.parse(&out)
}

func (s sample) parse(in io.Reader) ([]object, error) {
	var all []object
	for d := yaml.NewYAMLOrJSONDecoder(in, 4096); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("after object %d: %w", len(all), err)
		}
		if len(o) > 0 { // a file may begin with a comment of its own
			mark(map[string]any(o), s.Shop())
			all = append(all, o)
		}
	}
}

// mark labels an object and the templates of objects within it.
func mark(o map[string]any, instance string) {
	meta, _ := o["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		o["metadata"] = meta
	}
	labels, _ := meta["labels"].(map[string]any)
	if labels == nil {
		labels = map[string]any{}
		meta["labels"] = labels
	}
	labels[label] = instance
	for _, inner := range templates(o) {
		mark(inner, instance)
	}
}

func templates(o map[string]any) []map[string]any {
	spec, _ := o["spec"].(map[string]any)
	var found []map[string]any
	for _, v := range []any{o["template"], spec["template"], spec["jobTemplate"]} {
		if m, ok := v.(map[string]any); ok {
			found = append(found, m)
		}
	}
	claims, _ := spec["volumeClaimTemplates"].([]any)
	for _, v := range claims {
		if m, ok := v.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// functions are what the templates of the sample call.
func functions() template.FuncMap {
	return template.FuncMap{
		"seq": seq, "names": names, "kinds": kinds,
		"title":  title,
		"reader": func(i int) string { return pick(i, "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia") },
		"shelf":  func(i int) int { return (i-1)%8 + 1 },
		"copies": func(i int) int { return i * 7 % 30 },
		"secret": func(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:24] },
	}
}

func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

func pick(i int, words ...string) string { return words[i%len(words)] }

func title(i int) string {
	return fmt.Sprintf("%s of %s, volume %d", pick(i, "The Boats", "The Lights", "The Storms", "The Harbours", "The Charts"),
		pick(i/5, "Spring", "Summer", "Autumn", "Winter"), i/20+1)
}

type named struct{ Name, Value string }

// names reads "name/value" words.
func names(words ...string) []named {
	var all []named
	for _, word := range words {
		name, value, _ := strings.Cut(word, "/")
		all = append(all, named{name, value})
	}
	return all
}

type kind struct{ Kind, Plural, Singular string }

// kinds reads "Kind/plural" words.
func kinds(words ...string) []kind {
	var all []kind
	for _, n := range names(words...) {
		all = append(all, kind{n.Name, n.Value, strings.ToLower(n.Name)})
	}
	return all
}
