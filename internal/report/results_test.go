package report

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestResultsHaveVelerosShape(t *testing.T) {
	got, err := json.MarshalIndent(FromReasons([]Reason{
		{Code: "E2", Severity: Error, Resource: "pods", Namespace: "shop", Name: "b", Message: "no"},
		{Code: "E1", Severity: Error, Resource: "pods", Namespace: "shop", Name: "a", Message: "no"},
		{Code: "E3", Severity: Error, Resource: "nodes", Name: "n", Message: "no"},
		{Code: "W", Severity: Warning, Message: "hm", Next: "look"},
	}), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "warnings": {
  "velero": [
   "[W] hm. Next: look"
  ]
 },
 "errors": {
  "cluster": [
   "[E3] nodes n: no"
  ],
  "namespaces": {
   "shop": [
    "[E1] pods shop/a: no",
    "[E2] pods shop/b: no"
   ]
  }
 }
}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
	empty, _ := json.Marshal(FromReasons(nil))
	if string(empty) != `{"warnings":{},"errors":{}}` {
		t.Errorf("empty: %s", empty)
	}
}

func TestResultsDependOnTheSetOnly(t *testing.T) {
	var reasons []Reason
	for i := range 300 {
		reasons = append(reasons, New(Forbidden, "no").At("pods", fmt.Sprint("ns", i%7), fmt.Sprint("p", i)))
	}
	before := reasons[0]
	want := FromReasons(reasons)
	if reasons[0] != before {
		t.Error("the input was reordered")
	}
	rand.Shuffle(len(reasons), func(i, j int) { reasons[i], reasons[j] = reasons[j], reasons[i] })
	if !reflect.DeepEqual(FromReasons(reasons), want) {
		t.Error("the outcome depends on the order of the input")
	}
}

func TestResultsAreBounded(t *testing.T) {
	var reasons []Reason
	for i := range MaxLines + 30 {
		code := Forbidden
		if i%3 == 0 {
			code = WebhookDenied
		}
		reasons = append(reasons, New(code, strings.Repeat("é", MaxLineBytes)).At("pods", fmt.Sprintf("n%05d", i), "x"))
	}
	got := FromReasons(reasons).Errors
	if want := MaxLines + 2; got.Count() != want {
		t.Errorf("%d lines, want %d", got.Count(), want)
	}
	if len(got.Velero) != 2 || !strings.Contains(got.Velero[0], " 10 more of WEBHOOK_DENIED") || !strings.Contains(got.Velero[1], " 20 more of FORBIDDEN") {
		t.Errorf("left out: %q", got.Velero)
	}
	for _, lines := range got.Namespaces {
		if l := lines[0]; len(l) > MaxLineBytes || !utf8.ValidString(l) || !strings.HasSuffix(l, "…") {
			t.Fatalf("line of %d bytes: %q", len(l), l)
		}
	}
}

func TestLinesStayOnOneLine(t *testing.T) {
	got := FromReasons([]Reason{New(ObjectRejected, "a\nb\r\n\nc")}).Errors.Velero[0]
	if strings.ContainsAny(got, "\r\n") || !strings.Contains(got, "a b c") {
		t.Errorf("%q", got)
	}
}

func TestResourceList(t *testing.T) {
	a := ResourceList{}
	a.Add("v1", "Pod", "shop", "web")
	a.Add("v1", "Pod", "shop", "api")
	a.Add("v1", "Namespace", "", "shop")
	a.Add("apps/v1", "Deployment", "shop", "web")
	a.Add("v1", "Pod", "shop", "web") // a second shard saw it too
	a.Sort()
	want := ResourceList{
		"v1/Pod":             {"shop/api", "shop/web"},
		"v1/Namespace":       {"shop"},
		"apps/v1/Deployment": {"shop/web"},
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got %v", a)
	}
	r := ResourceList{}
	r.AddRestored("v1", "Pod", "shop", "web", Created, "without finalizer x/y")
	r.AddRestored("v1", "Node", "", "n", Skipped, "")
	if !reflect.DeepEqual(r, ResourceList{"v1/Pod": {"shop/web(created) without finalizer x/y"}, "v1/Node": {"n(skipped)"}}) {
		t.Errorf("restored: %v", r)
	}
}
