package manifest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// maxBytes is larger than any object a Kubernetes API server stores (1.5 MiB).
const maxBytes = 2 << 20

// Backup reads a document of kind Backup. A name is not asked for: the command
// line may give one.
func Backup(r io.Reader) (contract.BackupInput, error) {
	var in contract.BackupInput
	meta, err := readManifest(r, "Backup", &in.Spec)
	in.Name, in.Labels, in.Annotations = meta.Name, meta.Labels, meta.Annotations
	return in, err
}

// Restore reads a document of kind Restore.
func Restore(r io.Reader) (contract.RestoreInput, error) {
	var in contract.RestoreInput
	meta, err := readManifest(r, "Restore", &in.Spec)
	in.Name, in.Labels, in.Annotations = meta.Name, meta.Labels, meta.Annotations
	return in, err
}

// readManifest fills the spec of a document of the kind that is wanted.
func readManifest(r io.Reader, kind string, spec any) (meta, error) {
	doc, err := readDocument(r, kind)
	if err != nil {
		return meta{}, err
	}
	if doc.meta.Name == "" && doc.meta.GenerateName != "" {
		doc.meta.Name = doc.meta.GenerateName + rand.String(5) // as the API server does
	}
	return doc.meta, decodeSpec("spec", doc.spec, spec)
}

// document is one manifest, its spec still encoded.
type document struct {
	meta meta
	spec json.RawMessage
}

// meta is the part of ObjectMeta that means something before an object exists.
type meta struct {
	Name         string            `json:"name"`
	GenerateName string            `json:"generateName"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
}

// readDocument reads one document of the kind that is wanted.
func readDocument(r io.Reader, kind string) (document, error) {
	text, err := findDocument(r, kind)
	if err != nil {
		return document{}, err
	}
	return parseDocument(text, kind)
}

// parseApplied is parseDocument of a document that is applied, each time under the same name.
func parseApplied(text []byte, kind string) (document, error) {
	doc, err := parseDocument(text, kind)
	if err == nil && doc.meta.Name == "" && doc.meta.GenerateName != "" {
		err = errors.New("metadata.generateName: each apply would make a new schedule: give it a metadata.name")
	}
	return doc, err
}

// parseDocument reads a document, which has to be of the kind that is wanted.
func parseDocument(text []byte, kind string) (document, error) {
	raw, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return document{}, fmt.Errorf("parse YAML: %w", err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(raw, &top); err != nil || top == nil {
		return document{}, fmt.Errorf("not a Velero document: expected apiVersion, kind, metadata and spec at the top")
	}
	if err := checkKind(top, kind); err != nil {
		return document{}, err
	}
	doc := document{spec: top["spec"]}
	return doc, doc.meta.decodeMetadata(top["metadata"])
}

// findDocument reads the single document of a stream, or of several the single one of the kind
// that is wanted: users of Velero keep a backup beside its schedule and its ConfigMaps.
func findDocument(r io.Reader, kind string) ([]byte, error) {
	found, err := splitDocuments(r)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(doc []byte) bool { return kindOf(doc) != kind })
		if len(found) != 1 {
			return nil, fmt.Errorf("the file holds several documents, %d of kind %s: give one %s at a time", len(found), kind, kind)
		}
	}
	return found[0], nil
}

// ErrNoDocument says that a file has nothing of what is looked for.
var ErrNoDocument = errors.New("the file holds no document")

// splitDocuments reads the documents of a stream, one at least.
func splitDocuments(r io.Reader) ([][]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("manifest is larger than %d MiB: is this the right file?", maxBytes>>20)
	}
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	var found [][]byte
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("split YAML documents: %w", err)
		}
		if !isEmpty(doc) {
			found = append(found, doc)
		}
	}
	if len(found) == 0 {
		return nil, ErrNoDocument
	}
	return found, nil
}

// kindOf is the kind of a document, "" of one that cannot be read.
func kindOf(doc []byte) string {
	var top struct {
		Kind string `json:"kind"`
	}
	if yaml.Unmarshal(doc, &top) != nil {
		return ""
	}
	return top.Kind
}

// isOfKind says whether a document is of a kind, in its API group or, by mistake, in none.
func isOfKind(doc []byte, kind string) bool {
	var top struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if yaml.Unmarshal(doc, &top) != nil || top.Kind != kind {
		return false
	}
	group, _, hasGroup := strings.Cut(top.APIVersion, "/")
	want, _, _ := strings.Cut(versionOf(kind), "/")
	return !hasGroup || group == want
}

// explainNoKind says why a document has no kind: it cannot be read, its kind was forgotten, or it
// is ErrForeign, such as the values of a chart.
func explainNoKind(doc []byte) error {
	var content any
	if err := yaml.Unmarshal(doc, &content); err != nil {
		return fmt.Errorf("parse YAML: %w", err)
	}
	top, _ := content.(map[string]any)
	for _, field := range []string{"apiVersion", "spec"} {
		if _, given := top[field]; given {
			return errors.New("kind: (not given): a document of Kubernetes needs one")
		}
	}
	return ErrForeign
}

// isEmpty is true for a document of nothing but comments and blank lines.
func isEmpty(doc []byte) bool {
	for line := range bytes.Lines(doc) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) {
			return false
		}
	}
	return true
}

// versionOf is the apiVersion of a kind: drills are ours, all else is Velero's.
func versionOf(kind string) string {
	if kind == definition.Kind {
		return definition.APIVersion
	}
	return velerov1.SchemeGroupVersion.String()
}

// checkKind refuses other kinds and API versions, and fields that no Velero document has.
func checkKind(top map[string]json.RawMessage, want string) error {
	var apiVersion, kind string
	if version := versionOf(want); json.Unmarshal(top["apiVersion"], &apiVersion) != nil || apiVersion != version {
		return fmt.Errorf("apiVersion: %s is not %s", shortText(top["apiVersion"]), version)
	}
	if json.Unmarshal(top["kind"], &kind) != nil || kind != want {
		return fmt.Errorf("kind: %s is not %s, which this command takes", shortText(top["kind"]), want)
	}
	known := []string{"apiVersion", "kind", "metadata", "spec", "status"}
	for field := range top {
		if !slices.Contains(known, field) {
			return unknownFieldError(field, known)
		}
	}
	return nil
}

// shortText is a value as the manifest has it, cut to fit into an error.
func shortText(raw json.RawMessage) string {
	const most = 60
	switch {
	case raw == nil:
		return "(not given)"
	case len(raw) > most:
		return string(raw[:most]) + "…"
	default:
		return string(raw)
	}
}

func (m *meta) decodeMetadata(raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("metadata: %w (labels and annotations are quoted strings)", err)
	}
	return nil
}
