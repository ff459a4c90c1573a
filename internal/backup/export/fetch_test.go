package export

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// oneByOne is an API server whose objects are called as it answers for them: w-403-2
// is refused twice, then there. It lists none.
type oneByOne struct {
	mu     sync.Mutex
	asked  map[string]int
	health int // the code; 0 is 200
}

func (s *oneByOne) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/livez" {
		w.WriteHeader(max(s.health, http.StatusOK))
		return
	}
	name, named := strings.CutPrefix(r.URL.Path, "/apis/g/v1/namespaces/shop/widgets/")
	if !named {
		fmt.Fprint(w, `{"kind":"WidgetList","apiVersion":"g/v1","metadata":{"resourceVersion":"1"},"items":[]}`)
		return
	}
	var code, times int
	_, _ = fmt.Sscanf(name, "w-%d-%d", &code, &times) // a plain w is there
	s.asked[name]++
	if s.asked[name] <= times {
		answerStatus(w, code, map[int]string{403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 500: "InternalError"}[code])
		return
	}
	fmt.Fprintf(w, `{"kind":"Widget","apiVersion":"g/v1","metadata":{"name":%q,"namespace":"shop"}}`, name)
}

// reading is an export from such a server.
func reading(t *testing.T, s *oneByOne) *shardExport {
	t.Helper()
	s.asked = map[string]int{}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	client, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{RetryFor: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	widgets := kube.Resource{Group: "g", Version: "v1", Name: "widgets", Kind: "Widget", Namespaced: true, Verbs: []string{"list", "get"}}
	f, _, err := filter.NewBackup(&velerov1.BackupSpec{}, kube.FilterResolver(kube.Catalog{Resources: []kube.Resource{widgets}}), []filter.Namespace{{Name: "shop", Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	b := memstore.New()
	run := &backup.Run{Store: b, Staging: repository.NewStaging(b, "uid"), Plan: backup.Plan{Resources: []kube.Resource{widgets}, Filter: f}}
	return newExport(t.Context(), &backup.Service{Kube: client, Rules: resource.NewRegistry()}, run, &heartbeat.Recorder{}, 0, exportCursor{})
}

// TestSingleObjects asks for objects by name, in spec.orderedResources and as related
// ones: what cannot be read is a reason, and what can is in the backup.
func TestSingleObjects(t *testing.T) {
	names := []string{"w-500-4", "w", "w-403-1", "w-405-1", "w-404-1", "w-500-99", "w-503-1"}
	var ordered []string
	var refs []resource.Ref
	for _, n := range names {
		ordered = append(ordered, "shop/"+n)
		refs = append(refs, resource.Ref{Resource: "widgets.g", Namespace: "shop", Name: n})
	}
	list := plan.List{Type: filter.Type{GroupResource: "widgets.g", Group: "g", Version: "v1", Kind: "Widget", Namespaced: true}, Selectors: []string{""}, Ordered: ordered}
	for how, read := range map[string]func(e *shardExport) error{
		"ordered": func(e *shardExport) error { return e.exportList(t.Context(), listCall{list: list, first: true}) },
		"related": func(e *shardExport) error {
			r := &relatedExport{shardExport: e, held: map[resource.Ref]bool{}, asked: map[resource.Ref]bool{}}
			return r.fetch(t.Context(), refs)
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			e := reading(t, &oneByOne{})
			if err := read(e); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range e.Notes.Reasons {
				got = append(got, fmt.Sprint(r.Code, " ", r.Name))
				if r.Next == "" || r.Namespace != "shop" || r.Resource != "widgets.g" {
					t.Errorf("%+v", r)
				}
			}
			want := []string{"READ_FAILED w-403-1", "READ_FAILED w-405-1", "ORDERED_MISSING w-404-1", "READ_FAILED w-500-99"}
			if how == "related" {
				want = slices.Delete(want, 2, 3)
			}
			if !slices.Equal(got, want) {
				t.Errorf("reasons %q, want %q", got, want)
			}
			if err := e.Close(t.Context()); err != nil || e.Result.Objects != 3 {
				t.Errorf("%d objects, %v", e.Result.Objects, err)
			}
		})
	}
}

// TestSingleObjectOfAServerThatIsDown is no fault of the object.
func TestSingleObjectOfAServerThatIsDown(t *testing.T) {
	for name, code := range map[string]int{"w-500-99": http.StatusInternalServerError, "w-401-99": http.StatusOK} {
		e := reading(t, &oneByOne{health: code})
		r := &relatedExport{shardExport: e, held: map[resource.Ref]bool{}, asked: map[resource.Ref]bool{}}
		err := r.fetch(t.Context(), []resource.Ref{{Resource: "widgets.g", Namespace: "shop", Name: name}})
		if err == nil || len(e.Notes.Reasons) > 0 {
			t.Errorf("%s: %v, %v", name, err, e.Notes.Reasons)
		}
	}
}

func answerStatus(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}
