package filter

import (
	"fmt"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkSelectors: at most one of the two fields, and each selector readable.
func checkSelectors(one *metav1.LabelSelector, or []*metav1.LabelSelector) []FieldError {
	var errs []FieldError
	if one != nil && len(or) > 0 {
		errs = append(errs, FieldError{"spec.orLabelSelectors", "cannot be used together with spec.labelSelector: remove one of them"})
	}
	if one != nil {
		errs = append(errs, checkSelector("spec.labelSelector", one)...)
	}
	for i, s := range or {
		if s == nil {
			errs = append(errs, FieldError{elementPath("spec.orLabelSelectors", i), "is null: write a selector or remove the entry"})
			continue
		}
		errs = append(errs, checkSelector(elementPath("spec.orLabelSelectors", i), s)...)
	}
	return errs
}

func checkSelector(path string, s *metav1.LabelSelector) []FieldError {
	if _, err := metav1.LabelSelectorAsSelector(s); err != nil {
		return []FieldError{{path, fmt.Sprintf("is not a label selector: %v", err)}}
	}
	return nil
}

// checkDuration: zero means "use the default", so only less than that is wrong.
func checkDuration(path string, d time.Duration) []FieldError {
	if d >= 0 {
		return nil
	}
	return []FieldError{{path, fmt.Sprintf("is negative (%s): give a duration such as 720h, or remove it for the default", d)}}
}

func checkCount(path string, n int) []FieldError {
	if n >= 0 {
		return nil
	}
	return []FieldError{{path, fmt.Sprintf("is negative (%d): give a number of files, or remove it for the default", n)}}
}

// checkConfigMapRef: the only kind that has a meaning is ConfigMap, in any
// case of letters. Velero drops every other kind in silence.
func checkConfigMapRef(path string, ref *corev1.TypedLocalObjectReference) []FieldError {
	if ref == nil {
		return nil
	}
	var errs []FieldError
	if !strings.EqualFold(ref.Kind, "configmap") {
		errs = append(errs, FieldError{path + ".kind", fmt.Sprintf("is %q: only configmap is supported", ref.Kind)})
	}
	if ref.Name == "" {
		errs = append(errs, FieldError{path + ".name", "is empty: name the ConfigMap"})
	}
	return errs
}

func checkOnError(path string, mode velerov1.HookErrorMode) []FieldError {
	switch mode {
	case "", velerov1.HookErrorModeContinue, velerov1.HookErrorModeFail:
		return nil
	}
	return []FieldError{{path, fmt.Sprintf("is %q: use Continue or Fail", mode)}}
}

// checkHookScope checks the filters that choose the pods of a hook.
func checkHookScope(path string, name string, namespaces [2][]string, sel *metav1.LabelSelector) []FieldError {
	var errs []FieldError
	if name == "" {
		errs = append(errs, FieldError{path + ".name", "is empty: give the hook a name"})
	}
	errs = append(errs, checkLists(path+".includedNamespaces", path+".excludedNamespaces", namespaces[0], namespaces[1])...)
	if sel != nil {
		errs = append(errs, checkSelector(path+".labelSelector", sel)...)
	}
	return errs
}
