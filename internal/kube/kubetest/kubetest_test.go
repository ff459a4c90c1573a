package kubetest_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

func configMap(name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"labels":{"odd":"%v"}},"data":{"k":"v"}}`, name, name[len(name)-1]%2 == 1)
}

func create(t *testing.T, c *kube.Client, r kube.Resource, ns, body string) error {
	t.Helper()
	_, err := c.Create(t.Context(), r, ns, []byte(body), kube.CreateOptions{FieldManager: "test"})
	return err
}

// widgets are a custom type that no Go type is known of.
func widgets() kubetest.Type {
	return kubetest.Type{Resource: kube.Resource{Group: "example.com", Version: "v1", Name: "widgets", Singular: "widget", Kind: "Widget", Namespaced: true}, Status: true, Custom: true}
}

// What a request has to be refused for, and as what.
func TestRefusals(t *testing.T) {
	s := kubetest.Start(t, kubetest.WithTypes(widgets()), kubetest.WithoutTypes("volumesnapshots.snapshot.storage.k8s.io"), kubetest.WithStaleGroup("metrics.k8s.io/v1"))
	s.PutNamespaces("n", "going")
	s.PutJSON(configMap2("going", "held", `,"finalizers":["x/y"]`))
	c := s.Client(kube.Options{RetryFor: -1})
	if err := c.Delete(t.Context(), kube.Resource{Version: "v1", Name: "namespaces"}, "", "going", kube.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := create(t, c, kube.ConfigMaps(), "n", configMap("there")); err != nil {
		t.Fatal(err)
	}
	cm := kube.ConfigMaps()
	widget := widgets().Resource
	for name, tt := range map[string]struct {
		err  error
		is   func(error) bool
		text string
	}{
		"exists":                {create(t, c, cm, "n", configMap("there")), apierrors.IsAlreadyExists, "there"},
		"no namespace":          {create(t, c, cm, "none", configMap("x")), apierrors.IsNotFound, `namespaces "none"`},
		"terminating namespace": {create(t, c, cm, "going", configMap("x")), kube.IsTerminating, "being terminated"},
		"unknown field":         {create(t, c, cm, "n", strings.Replace(configMap("x"), `"data"`, `"daat"`, 1)), kube.IsInvalid, "daat"},
		"unknown metadata":      {create(t, c, widget, "n", `{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"x","lables":{}}}`), kube.IsInvalid, "lables"},
		"wrong type of a field": {create(t, c, cm, "n", strings.Replace(configMap("x"), `"v"`, `1`, 1)), kube.IsInvalid, "data"},
		"another kind":          {create(t, c, kube.Pods(), "n", configMap("x")), kube.IsInvalid, "Pod"},
		"no name":               {create(t, c, cm, "n", `{"apiVersion":"v1","kind":"ConfigMap"}`), kube.IsInvalid, "name or generateName is required"},
		"bad name":              {create(t, c, cm, "n", configMap("No_1")), kube.IsInvalid, "No_1"},
		"bad label":             {create(t, c, cm, "n", strings.Replace(configMap("x"), `"odd"`, `"odd odd"`, 1)), kube.IsInvalid, "odd odd"},
		"another namespace":     {create(t, c, cm, "n", configMap2("going", "x", "")), kube.IsInvalid, "going"},
		"resourceVersion":       {create(t, c, cm, "n", strings.Replace(configMap("x"), `"name"`, `"resourceVersion":"1","name"`, 1)), kube.IsInvalid, "resourceVersion"},
		"no namespace at all":   {create(t, c, cm, "", configMap("x")), isCode(http.StatusMethodNotAllowed), ""},
		"cluster-scoped in one": {create(t, c, kube.Nodes(), "n", `{"apiVersion":"v1","kind":"Node","metadata":{"name":"x"}}`), apierrors.IsNotFound, ""},
		"withdrawn type":        {get(t, c, kube.VolumeSnapshots(), "n", "x"), apierrors.IsNotFound, "requested resource"},
		"unknown type":          {get(t, c, kube.Resource{Group: "g", Version: "v1", Name: "none"}, "n", "x"), apierrors.IsNotFound, ""},
		"another version":       {get(t, c, kube.Resource{Version: "v2", Name: "configmaps"}, "n", "there"), apierrors.IsNotFound, ""},
		"stale group":           {get(t, c, kube.Resource{Group: "metrics.k8s.io", Version: "v1", Name: "nodes"}, "", "x"), kube.IsUnavailable, "metrics"},
		"missing object":        {get(t, c, cm, "n", "none"), apierrors.IsNotFound, `configmaps "none"`},
		"no status":             {patch(t, c, cm, "n", "there", "status", `{}`), apierrors.IsNotFound, ""},
		"patch of the uid":      {patch(t, c, cm, "n", "there", "", `{"metadata":{"uid":"other"}}`), apierrors.IsConflict, "uid"},
		"patch of another state": {
			patch(t, c, cm, "n", "there", "", `{"metadata":{"resourceVersion":"1"}}`), apierrors.IsConflict, "resourceVersion",
		},
		"patch with an unknown field": {patch(t, c, cm, "n", "there", "", `{"daat":{}}`), kube.IsInvalid, "daat"},
		"delete of another uid":       {c.Delete(t.Context(), cm, "n", "there", kube.DeleteOptions{UID: "other"}), apierrors.IsConflict, "precondition"},
		"delete of nothing":           {c.Delete(t.Context(), cm, "n", "none", kube.DeleteOptions{}), apierrors.IsNotFound, "none"},
		"unknown propagation":         {c.Delete(t.Context(), cm, "n", "there", kube.DeleteOptions{Propagation: "Sideways"}), kube.IsInvalid, "Sideways"},
		"unknown field selector":      {listWith(t, c, kube.ListRequest{Resource: cm, FieldSelector: "data.k=v"}), kube.IsInvalid, "data.k"},
		"bad continue":                {listWith(t, c, kube.ListRequest{Resource: cm, Continue: "?"}), kube.IsInvalid, "continue"},
	} {
		if tt.err == nil || !tt.is(tt.err) || !strings.Contains(tt.err.Error(), tt.text) {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
	if left := kubetest.All[corev1.ConfigMap](s, cm); len(left) != 2 {
		t.Errorf("%d objects after refusals", len(left))
	}
}

func configMap2(ns, name, meta string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":%q,"name":%q%s}}`, ns, name, meta)
}

func isCode(code int32) func(error) bool {
	return func(err error) bool {
		var status *kube.StatusError
		return errors.As(err, &status) && status.ErrStatus.Code == code
	}
}

func get(t *testing.T, c *kube.Client, r kube.Resource, ns, name string) error {
	t.Helper()
	_, err := c.Get(t.Context(), r, ns, name)
	return err
}

func patch(t *testing.T, c *kube.Client, r kube.Resource, ns, name, sub, body string) error {
	t.Helper()
	send := c.Patch
	if sub == "status" {
		send = c.PatchStatus
	}
	_, err := send(t.Context(), r, ns, name, kube.PatchMerge, []byte(body), kube.PatchOptions{})
	return err
}

func listWith(t *testing.T, c *kube.Client, r kube.ListRequest) error {
	t.Helper()
	_, err := c.ListPage(t.Context(), r, func(kube.Item) error { return nil })
	return err
}

func TestLifeOfAnObject(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("n")
	c := s.Client()
	pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.GenerateName, pod.UID, pod.Finalizers = "p-", "mine", []string{"x/y"}
	pod.Status.Phase = corev1.PodRunning
	if made, err := kube.Make(t.Context(), c, kube.Pods(), "n", &pod, kube.CreateOptions{DryRun: true}); err != nil || made.Name == "" || len(kubetest.All[corev1.Pod](s, kube.Pods())) != 0 {
		t.Fatalf("dry run: %+v, %v", made.ObjectMeta, err)
	}
	made, err := kube.Make(t.Context(), c, kube.Pods(), "n", &pod, kube.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Name) != len("p-")+5 || made.UID == "" || made.UID == "mine" || made.ResourceVersion == "" || made.CreationTimestamp.IsZero() || made.Status.Phase != corev1.PodPending {
		t.Errorf("made %+v %s", made.ObjectMeta, made.Status.Phase)
	}
	read := func() corev1.Pod {
		p, err := kube.Read[corev1.Pod](t.Context(), c, kube.Pods(), "n", made.Name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct{ sub, body, phase, label string }{
		{"", `{"metadata":{"labels":{"l":"1"}},"status":{"phase":"Failed"}}`, "Pending", "1"},
		{"status", `{"metadata":{"labels":{"l":"2"}},"status":{"phase":"Running"}}`, "Running", "1"},
		{"", `{"metadata":{"labels":null}}`, "Running", ""},
	} {
		if err := patch(t, c, kube.Pods(), "n", made.Name, tt.sub, tt.body); err != nil {
			t.Fatal(err)
		}
		if p := read(); string(p.Status.Phase) != tt.phase || p.Labels["l"] != tt.label || p.UID != made.UID {
			t.Errorf("after %s: %s, labels %v", tt.body, p.Status.Phase, p.Labels)
		}
	}
	before := read()
	if err := patch(t, c, kube.Pods(), "n", made.Name, "", `{"metadata":{"labels":null}}`); err != nil || read().ResourceVersion != before.ResourceVersion {
		t.Errorf("a patch that changes nothing made a new state (%v)", err)
	}
	if err := c.Delete(t.Context(), kube.Pods(), "n", made.Name, kube.DeleteOptions{UID: string(made.UID)}); err != nil {
		t.Fatal(err)
	}
	if p := read(); p.DeletionTimestamp == nil {
		t.Error("a finalizer did not hold the pod")
	}
	if err := patch(t, c, kube.Pods(), "n", made.Name, "", `{"metadata":{"finalizers":null}}`); err != nil {
		t.Fatal(err)
	}
	if err := get(t, c, kube.Pods(), "n", made.Name); !apierrors.IsNotFound(err) {
		t.Errorf("after the last finalizer: %v", err)
	}
}

// A pod on a node is gone when its kubelet says so, that is, when the test does.
func TestPodOnANode(t *testing.T) {
	s := kubetest.Start(t)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p"}, Spec: corev1.PodSpec{NodeName: "node"}}
	s.Put(pod)
	c := s.Client()
	if err := c.Delete(t.Context(), kube.Pods(), "n", "p", kube.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if p, ok := kubetest.Get[corev1.Pod](s, kube.Pods(), "n", "p"); !ok || p.DeletionTimestamp == nil {
		t.Errorf("there: %v, %+v", ok, p.ObjectMeta)
	}
	none := int64(0)
	if err := c.Delete(t.Context(), kube.Pods(), "n", "p", kube.DeleteOptions{GracePeriodSeconds: &none}); err != nil {
		t.Fatal(err)
	}
	if _, ok := kubetest.Get[corev1.Pod](s, kube.Pods(), "n", "p"); ok {
		t.Error("a pod without grace is there")
	}
}

func TestDeletedNamespace(t *testing.T) {
	s := kubetest.Start(t)
	s.PutJSON(configMap2("n", "a", ""), configMap2("n", "held", `,"finalizers":["x/y"]`), configMap2("other", "a", ""))
	c := s.Client()
	if err := c.Delete(t.Context(), kube.Resource{Version: "v1", Name: "namespaces"}, "", "n", kube.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	all, err := c.Namespaces(t.Context())
	if err != nil || len(all) != 2 || !all[0].Deleting || all[0].Phase != "Terminating" || all[1].Phase != "Active" {
		t.Errorf("%+v, %v", all, err)
	}
	if left := kubetest.All[corev1.ConfigMap](s, kube.ConfigMaps()); len(left) != 2 {
		t.Errorf("%d objects left", len(left))
	}
	s.Remove(kube.ConfigMaps(), "n", "held")
	if all, err := c.Namespaces(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func fill(t *testing.T, s *kubetest.Server, n int) {
	t.Helper()
	for i := range n {
		s.PutJSON(strings.Replace(configMap(fmt.Sprintf("c%03d", i)), `"name"`, `"namespace":"n","name"`, 1))
	}
}

func TestLists(t *testing.T) {
	s := kubetest.Start(t, kubetest.WithTypes(widgets()))
	fill(t, s, 25)
	s.PutJSON(configMap2("m", "first", ""))
	c := s.Client(kube.Options{PageSize: 7})
	for name, tt := range map[string]struct {
		req  kube.ListRequest
		want int
	}{
		"all":        {kube.ListRequest{}, 26},
		"namespace":  {kube.ListRequest{Namespace: "n"}, 25},
		"labels":     {kube.ListRequest{LabelSelector: "odd=true"}, 12},
		"field":      {kube.ListRequest{FieldSelector: "metadata.name=c003"}, 1},
		"names only": {kube.ListRequest{MetadataOnly: true}, 26},
		"none":       {kube.ListRequest{Namespace: "none"}, 0},
	} {
		tt.req.Resource = kube.ConfigMaps()
		var keys []string
		res, err := c.ListAll(t.Context(), kube.ListAllRequest{ListRequest: tt.req}, func(it kube.Item) error {
			keys = append(keys, it.Namespace+"/"+it.Name)
			if strings.Contains(string(it.Raw), `"data"`) == tt.req.MetadataOnly && it.Name != "first" {
				t.Errorf("%s: %s", name, it.Raw)
			}
			return nil
		})
		if err != nil || len(keys) != tt.want || !slices.IsSorted(keys) || res.Inconsistent {
			t.Errorf("%s: %d objects, %+v, %v", name, len(keys), res, err)
		}
	}
	if n, _, err := c.Count(t.Context(), kube.ConfigMaps(), ""); n != 26 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
}

// A list shows the state of its first page, until its tokens have expired.
func TestListIsOneState(t *testing.T) {
	s := kubetest.Start(t)
	fill(t, s, 20)
	c := s.Client(kube.Options{PageSize: 10})
	names := func(expire bool) (out []string, res kube.ListResult) {
		req := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: kube.ConfigMaps(), Namespace: "n"}}
		req.AfterPage = func(p kube.Page) error {
			if p.Continue != "" {
				s.Remove(kube.ConfigMaps(), "n", "c015")
				s.PutJSON(configMap2("n", "c0155", ""))
				if expire {
					s.ExpireLists()
				}
			}
			return nil
		}
		res, err := c.ListAll(t.Context(), req, func(it kube.Item) error {
			out = append(out, it.Name)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out, res
	}
	if got, res := names(false); len(got) != 20 || !slices.Contains(got, "c015") || slices.Contains(got, "c0155") || res.Inconsistent {
		t.Errorf("%q, %+v", got, res)
	}
	if got, res := names(true); len(got) != 20 || slices.Contains(got, "c015") || !slices.Contains(got, "c0155") || !res.Inconsistent {
		t.Errorf("expired: %q, %+v", got, res)
	}
}

func TestDiscovery(t *testing.T) {
	second := widgets()
	second.Version = "v1beta1"
	s := kubetest.Start(t, kubetest.WithTypes(widgets(), second), kubetest.WithStaleGroup("metrics.k8s.io/v1"), kubetest.WithoutTypes("nodes"))
	cat, err := s.Client().Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := cat.Find("cm"); !ok || r.Name != "configmaps" || !r.Namespaced || !r.Can("list", "create") {
		t.Errorf("%+v %v", r, ok)
	}
	if !slices.Equal(cat.Versions("widgets.example.com"), []string{"v1", "v1beta1"}) || !cat.HasStatus("widgets.example.com", "v1") || cat.HasStatus("configmaps", "v1") {
		t.Errorf("%v", cat.Versions("widgets.example.com"))
	}
	if len(cat.Failures) != 1 || cat.Failures[0].Group != "metrics.k8s.io" || !cat.Lacks("nodes", "") {
		t.Errorf("%+v", cat.Failures)
	}
	s.Withdraw("widgets.example.com")
	if cat, err = s.Client().Discover(t.Context()); err != nil || !cat.Lacks("widgets.example.com", "example.com") {
		t.Errorf("withdrawn: %v", err)
	}
	s.SetHealthy(false)
	if err := s.Client(kube.Options{RetryFor: -1}).Ping(t.Context()); !kube.IsUnavailable(err) {
		t.Errorf("an ill server: %v", err)
	}
}

func TestReactions(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("n")
	c := s.Client()
	cm := kube.ConfigMaps()
	s.Refuse(kubetest.On("create", cm).In("n").Named("busy").Times(2), http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "busy")
	if err := create(t, c, cm, "n", configMap("busy")); err != nil {
		t.Errorf("after two refusals: %v", err)
	}
	if n := s.Count(kubetest.On("create", cm).Named("busy")); n != 3 {
		t.Errorf("%d requests", n)
	}
	s.LoseReply(kubetest.On("create", cm).Named("lost").Times(1))
	if err := create(t, c, cm, "n", configMap("lost")); !apierrors.IsAlreadyExists(err) {
		t.Errorf("after a lost reply: %v", err)
	}
	s.After(kubetest.On("create", kube.Pods()), func(q kubetest.Request, answer map[string]any) {
		kubetest.Modify(s, kube.Pods(), q.Namespace, q.Name, func(p *corev1.Pod) { p.Status.Phase = corev1.PodRunning })
	})
	if err := create(t, c, kube.Pods(), "n", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}`); err != nil {
		t.Fatal(err)
	}
	if p, err := kube.Read[corev1.Pod](t.Context(), c, kube.Pods(), "n", "p"); err != nil || p.Status.Phase != corev1.PodRunning {
		t.Errorf("%s, %v", p.Status.Phase, err)
	}
	s.Handle(kubetest.On("get", kube.Pods()), func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "proxy", http.StatusTeapot) })
	if err := get(t, c, kube.Pods(), "n", "p"); !isCode(http.StatusTeapot)(err) {
		t.Errorf("handled: %v", err)
	}
	s.Calm()
	if err := get(t, c, kube.Pods(), "n", "p"); err != nil {
		t.Errorf("calm: %v", err)
	}
}
