package kube

import (
	"strings"
	"testing"
)

// TestNamesOfSeveralGroups: a name that types of several groups have is told with all of them.
func TestNamesOfSeveralGroups(t *testing.T) {
	var cat Catalog
	for _, gr := range []string{"services", "events", "pods", "services.serving.knative.dev", "clusters.a.example.com", "clusters.b.example.com", "clusters.z.example.com", "events.events.k8s.io"} {
		name, group, _ := strings.Cut(gr, ".")
		cat.Resources = append(cat.Resources, Resource{Group: group, Version: "v1", Name: name, Singular: strings.TrimSuffix(name, "s"), Kind: "X", Verbs: configMaps().Verbs})
	}
	cat.Resources = append(cat.Resources, Resource{Group: "metrics.k8s.io", Version: "v1beta1", Name: "pods", Singular: "pod", Kind: "PodMetrics", Verbs: []string{"get", "list"}})
	for name, want := range map[string]string{
		"services": "services.serving.knative.dev", "service": "services.serving.knative.dev", "pods": "", "events": "",
		"clusters": "clusters.b.example.com and clusters.z.example.com", "clusters.b.example.com": "", "clusters.b": "", "nothing": "",
	} {
		if found, _ := FilterResolver(cat)(name); found.Also != want {
			t.Errorf("%s: also %q, want %q", name, found.Also, want)
		}
	}
}
