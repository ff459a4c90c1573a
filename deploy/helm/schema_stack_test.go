//go:build stack

package helm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fields is a node of a JSON document.
type fields = map[string]any

// writeSchemas makes a JSON schema of each kind of an OpenAPI document of Kubernetes, as
// kubeconform looks for them. Fields that a kind does not have are refused.
func writeSchemas(swagger, dir string) error {
	text, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var document struct{ Definitions map[string]fields }
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	for _, definition := range document.Definitions {
		asSchema(definition)
	}
	for name, definition := range document.Definitions {
		if err := writeSchema(document.Definitions, name, definition, dir); err != nil {
			return err
		}
	}
	return nil
}

// writeSchema writes the schema of a definition, if it is a kind of its own: those that belong to
// every group, such as DeleteOptions, have several.
func writeSchema(all map[string]fields, name string, definition fields, dir string) error {
	kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
	if len(kinds) != 1 || definition["properties"] == nil {
		return nil
	}
	of := kinds[0].(fields)
	kind, group, version := of["kind"].(string), of["group"].(string), of["version"].(string)
	needed := map[string]fields{}
	gather(all, all[name], needed)
	text, err := json.Marshal(fields{"definitions": needed, "allOf": []any{definition}, "required": []string{"apiVersion", "kind"}})
	if err != nil {
		return err
	}
	file := strings.ToLower(kind) + "-"
	if group != "" {
		file += strings.Split(group, ".")[0] + "-"
	}
	return os.WriteFile(filepath.Join(dir, file+version+".json"), text, 0o600)
}

// asSchema turns what OpenAPI 2 says differently into JSON schema.
func asSchema(v any) {
	switch node := v.(type) {
	case fields:
		if node["format"] == "int-or-string" {
			node["type"] = []string{"string", "integer"}
		}
		if text, _ := node["description"].(string); strings.HasPrefix(text, "Quantity is a fixed-point") {
			node["type"] = []string{"string", "number"}
		}
		if _, is := node["format"].(string); is {
			delete(node, "format")
		}
		if _, has := node["properties"].(fields); has && node["additionalProperties"] == nil && node["x-kubernetes-preserve-unknown-fields"] == nil {
			node["additionalProperties"] = false
		}
		for _, below := range node {
			asSchema(below)
		}
	case []any:
		for _, below := range node {
			asSchema(below)
		}
	}
}

// gather collects the definitions that a node refers to, and those that they refer to.
func gather(all map[string]fields, v any, into map[string]fields) {
	switch node := v.(type) {
	case fields:
		if name, is := strings.CutPrefix(fmt.Sprint(node["$ref"]), "#/definitions/"); is && into[name] == nil {
			into[name] = all[name]
			gather(all, all[name], into)
		}
		for _, below := range node {
			gather(all, below, into)
		}
	case []any:
		for _, below := range node {
			gather(all, below, into)
		}
	}
}

// What the schemas are for: a mistyped field, a wrong type and an API that is gone are found.
func TestSchemaRefuses(t *testing.T) {
	schemas := t.TempDir()
	if err := writeSchemas(filepath.Join(moduleDir(t, "k8s.io/kubernetes"), "api", "openapi-spec", "swagger.json"), schemas); err != nil {
		t.Fatal(err)
	}
	for name, manifest := range map[string]string{
		"mistyped": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatas: {}\n",
		"type":     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: two, selector: {}, template: {}}\n",
		"gone":     "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: x}\n",
	} {
		file := filepath.Join(t.TempDir(), "manifest.yaml")
		if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := refused(t, "kubeconform", "-strict", "-schema-location", schemas+"/{{.ResourceKind}}{{.KindSuffix}}.json", file); !strings.Contains(out, "x") {
			t.Errorf("%s: %s", name, out)
		}
	}
}
