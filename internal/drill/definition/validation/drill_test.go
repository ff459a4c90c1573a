package validation_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition/validation"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

func good() definition.Drill {
	return definition.Drill{
		APIVersion: definition.APIVersion, Kind: definition.Kind, Metadata: definition.Metadata{Name: "bookstore"},
		Spec: definition.Spec{
			Source:     definition.Source{Backup: "nightly-1"},
			Assertions: []definition.Assertion{execAssertion("rows")},
		},
	}
}

func execAssertion(name string) definition.Assertion {
	return definition.Assertion{
		Name: name, Namespace: "bookstore", Expect: &definition.Expect{Recorded: "orders"},
		Exec: &definition.Exec{Pod: definition.PodChoice{Name: "db-0"}, Command: []string{"psql"}},
	}
}

func minutes(n int) metav1.Duration {
	return metav1.Duration{Duration: time.Duration(n) * time.Minute}
}

// TestRefused has a row for each field that can be wrong, with its path and a word of the remedy.
func TestRefused(t *testing.T) {
	if d := good(); validation.Drill(&d) != nil {
		t.Fatal(validation.Drill(&d))
	}
	for path, tc := range map[string]struct {
		spoil func(d *definition.Drill)
		word  string
	}{
		"apiVersion":                {func(d *definition.Drill) { d.APIVersion = "v1" }, "write lifeboat-backup.github.io/v1"},
		"kind":                      {func(d *definition.Drill) { d.Kind = "drill" }, "write Drill"},
		"metadata.name":             {func(d *definition.Drill) { d.Metadata.Name = strings.Repeat("a", 41) }, "at most 40"},
		"metadata.labels[-]":        {func(d *definition.Drill) { d.Metadata.Labels = map[string]string{"-": "a"} }, "must"},
		"spec.source":               {func(d *definition.Drill) { d.Spec.Source = definition.Source{} }, "pick: latest"},
		"spec.source.schedule":      {func(d *definition.Drill) { d.Spec.Source.Schedule = "a" }, "remove one"},
		"spec.source.pick":          {func(d *definition.Drill) { d.Spec.Source.Pick = "latest" }, "remove one"},
		"spec.includedResources[0]": {func(d *definition.Drill) { d.Spec.IncludedResources = []string{"*", "pods"} }, "remove"},
		"spec.labelSelector": {func(d *definition.Drill) {
			d.Spec.LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "?"}}
		}, "label"},
		"spec.allowedKinds[0]": {func(d *definition.Drill) { d.Spec.AllowedKinds = []string{"Cluster"} }, "plural.group"},
		"spec.readyTimeout":    {func(d *definition.Drill) { d.Spec.ReadyTimeout = minutes(-1) }, "negative"},
		"spec.network.outside": {func(d *definition.Drill) { d.Spec.Network.Outside = "db.production" }, "host:port"},
		"spec.targets.level":   {func(d *definition.Drill) { d.Spec.Targets.Level = "L6" }, "use L0"},
		"spec.targets.rto":     {func(d *definition.Drill) { d.Spec.Targets.RTO = minutes(-1) }, "negative"},
		"spec.targets.rpo":     {func(d *definition.Drill) { d.Spec.Targets.RPO = minutes(-1) }, "negative"},
		"spec.budget.gib":      {func(d *definition.Drill) { d.Spec.Budget.GiB = -1 }, "no bound"},
		"spec.keep.for":        {func(d *definition.Drill) { d.Spec.Keep = &definition.Keep{} }, "4h"},
		"spec.keep.namespaces[a]": {func(d *definition.Drill) {
			d.Spec.Keep = &definition.Keep{For: minutes(1), Namespaces: map[string]string{"a": "kube-system"}}
		}, "another name"},
		"spec.keep.namespaces[b]": {func(d *definition.Drill) {
			d.Spec.Keep = &definition.Keep{For: minutes(1), Namespaces: map[string]string{"b": "b"}}
		}, "own name"},
		"spec.volumeInitializationRate": {func(d *definition.Drill) { d.Spec.VolumeInitializationRate = 99 }, "100 to 300"},
		"spec.notifications[0]":         {func(d *definition.Drill) { d.Spec.Notifications = []definition.Notification{{Name: "a"}} }, "one of webhook and event"},
		"spec.notifications[0].name": {func(d *definition.Drill) {
			d.Spec.Notifications = []definition.Notification{{Event: &definition.EventTarget{Namespace: "a"}}}
		}, "give a name"},
		"spec.notifications[0].webhook.urlFrom.key": {func(d *definition.Drill) {
			d.Spec.Notifications = []definition.Notification{{Name: "a", Webhook: &definition.Webhook{URLFrom: definition.SecretKey{Name: "a"}}}}
		}, "key of the Secret"},
		"spec.notifications[0].webhook.form": {func(d *definition.Drill) {
			d.Spec.Notifications = []definition.Notification{{Name: "a", Webhook: &definition.Webhook{URLFrom: definition.SecretKey{Name: "a", Key: "b"}, Form: "teams"}}}
		}, "use json"},
		"spec.probe": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = onlyHTTP(definition.HTTP{Service: "a", Port: intstr.Parse("1"), From: "probe"})
		}, "name an image"},
		"spec.probe.image": {func(d *definition.Drill) { d.Spec.Probe = &definition.Probe{} }, "name an image"},

		"spec.assertions[0]":                {func(d *definition.Drill) { d.Spec.Assertions[0].TCP = &definition.TCP{} }, "give one"},
		"spec.assertions[1].name":           {func(d *definition.Drill) { d.Spec.Assertions = append(d.Spec.Assertions, execAssertion("rows")) }, "unique"},
		"spec.assertions[0].namespace":      {func(d *definition.Drill) { d.Spec.Assertions[0].Namespace = "" }, "give a name"},
		"spec.assertions[0].retries":        {func(d *definition.Drill) { d.Spec.Assertions[0].Retries = 101 }, "0 to 100"},
		"spec.assertions[0].expect":         {func(d *definition.Drill) { d.Spec.Assertions[0].Expect.Matches = "a" }, "give one"},
		"spec.assertions[0].expect.matches": {func(d *definition.Drill) { d.Spec.Assertions[0].Expect = &definition.Expect{Matches: "("} }, "regular expression"},
		"spec.assertions[0].exec.command":   {func(d *definition.Drill) { d.Spec.Assertions[0].Exec.Command = nil }, "give the program"},
		"spec.assertions[0].exec.exitCode":  {func(d *definition.Drill) { d.Spec.Assertions[0].Exec.ExitCode = 256 }, "0 to 255"},
		"spec.assertions[0].exec.pod":       {func(d *definition.Drill) { d.Spec.Assertions[0].Exec.Pod.Workload = "job/a" }, "give one"},
		"spec.assertions[0].http":           {func(d *definition.Drill) { d.Spec.Assertions[0] = onlyHTTP(definition.HTTP{Port: intstr.Parse("1")}) }, "service and pod"},
		"spec.assertions[0].http.port": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = onlyHTTP(definition.HTTP{Service: "a", Port: intstr.Parse("0")})
		}, "65535"},
		"spec.assertions[0].http.path": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = onlyHTTP(definition.HTTP{Service: "a", Port: intstr.Parse("1"), Path: "a"})
		}, "begin it with /"},
		"spec.assertions[0].http.status": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = onlyHTTP(definition.HTTP{Service: "a", Port: intstr.Parse("1"), Status: 1})
		}, "such as 200"},
		"spec.assertions[0].tcp.service": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = only(definition.Assertion{TCP: &definition.TCP{Service: "a", Port: 1}})
		}, "from: probe"},
		"spec.assertions[0].tcp.port": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = only(definition.Assertion{TCP: &definition.TCP{Pod: &definition.PodChoice{Name: "a"}}})
		}, "65535"},
		"spec.assertions[0].job.image": {func(d *definition.Drill) { d.Spec.Assertions[0] = only(definition.Assertion{Job: &definition.Job{}}) }, "image to run"},
		"spec.assertions[0].job.runAsUser": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = only(definition.Assertion{Job: &definition.Job{Image: "a", RunAsUser: new(int64)}})
		}, "not root"},
		"spec.assertions[0].object.field": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = only(definition.Assertion{Object: &definition.Object{Resource: "secrets", Name: "a", Field: "data.password"}})
		}, "Secret"},
		"spec.assertions[0].object.resource": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = only(definition.Assertion{Object: &definition.Object{Resource: "Pod!", Name: "a"}})
		}, "deployments.apps"},
		"spec.assertions[0].condition.type": {func(d *definition.Drill) {
			d.Spec.Assertions[0] = only(definition.Assertion{Condition: &definition.Condition{Resource: "pods", Name: "a"}})
		}, "Ready"},
		"spec.assertions[0].exec.pod.workload": {func(d *definition.Drill) { d.Spec.Assertions[0].Exec.Pod = definition.PodChoice{Workload: "cronjob/a"} }, "deployment/NAME"},
	} {
		t.Run(path, func(t *testing.T) {
			d := good()
			tc.spoil(&d)
			var found filter.FieldErrors
			if !errors.As(validation.Drill(&d), &found) {
				t.Fatal("it is taken")
			}
			for _, e := range found {
				if e.Path == path && strings.Contains(e.Message, tc.word) {
					return
				}
			}
			t.Errorf("got %v, want %s with %q", found, path, tc.word)
		})
	}
}

func only(a definition.Assertion) definition.Assertion {
	a.Name, a.Namespace = "a", "b"
	return a
}

func onlyHTTP(h definition.HTTP) definition.Assertion {
	return only(definition.Assertion{HTTP: &h})
}
