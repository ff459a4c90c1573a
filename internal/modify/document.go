package modify

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigsjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// document is the YAML of a resource modifier ConfigMap.
type document struct {
	Version string     `json:"version"`
	Rules   []ruleSpec `json:"resourceModifierRules"`
}

type ruleSpec struct {
	Conditions       conditionSpec `json:"conditions"`
	Patches          []patchSpec   `json:"patches"`
	MergePatches     []dataSpec    `json:"mergePatches"`
	StrategicPatches []dataSpec    `json:"strategicPatches"`
}

type conditionSpec struct {
	GroupResource     string                `json:"groupResource"`
	Namespaces        []string              `json:"namespaces"`
	ResourceNameRegex string                `json:"resourceNameRegex"`
	LabelSelector     *metav1.LabelSelector `json:"labelSelector"`
	Matches           []matchSpec           `json:"matches"`
}

type matchSpec struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

type patchSpec struct {
	Operation string `json:"operation"`
	From      string `json:"from"`
	Path      string `json:"path"`
	Value     string `json:"value"`
}

type dataSpec struct {
	PatchData string `json:"patchData"`
}

// Text is what stands under the one data key of a ConfigMap, whatever its name.
func Text(cm *corev1.ConfigMap) (string, error) {
	if n := len(cm.Data) + len(cm.BinaryData); n != 1 {
		return "", fmt.Errorf("has %d data keys: the rules stand alone under one key", n)
	}
	for _, text := range cm.Data {
		return text, nil
	}
	for _, data := range cm.BinaryData {
		return string(data), nil
	}
	return "", nil
}

// decodeDocument is strict: a field that does not exist, or stands there twice, is an error.
func decodeDocument(text string) (document, error) {
	var doc document
	err := yaml.UnmarshalStrict([]byte(text), &doc) // numbers and truths may stand for texts
	if err == nil {
		return doc, nil
	}
	asJSON, bad := yaml.YAMLToJSONStrict([]byte(text))
	if bad != nil {
		return doc, fmt.Errorf("is no YAML: %w", bad)
	}
	var again document // only for the paths of unknown fields, which the first leaves out
	if strict, bad := sigsjson.UnmarshalStrict(asJSON, &again); bad == nil && len(strict) > 0 {
		err = errors.Join(strict...)
	}
	return doc, err
}
