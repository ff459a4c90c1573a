package export

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func widgets() kube.Resource {
	return kube.Resource{Group: "g", Version: "v1", Name: "widgets", Singular: "widget", Kind: "Widget", Namespaced: true, Verbs: []string{"list", "get"}}
}

// widgetServer has widgets that are called as the server answers for them: w-403-2 is
// refused with 403 twice and then handed out, and w at once. Its lists are empty.
func widgetServer(t *testing.T, names ...string) *kubetest.Server {
	t.Helper()
	s := kubetest.Start(t, kubetest.WithoutNetwork(), kubetest.WithTypes(kubetest.Type{Resource: widgets(), Custom: true}))
	reasons := map[int]metav1.StatusReason{
		401: metav1.StatusReasonUnauthorized, 403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound,
		405: metav1.StatusReasonMethodNotAllowed, 429: metav1.StatusReasonTooManyRequests, 500: metav1.StatusReasonInternalError, 503: metav1.StatusReasonServiceUnavailable,
	}
	for _, name := range names {
		s.PutJSON(fmt.Sprintf(`{"kind":"Widget","apiVersion":"g/v1","metadata":{"name":%q,"namespace":"shop"}}`, name))
		var code, times int
		if n, _ := fmt.Sscanf(name, "w-%d-%d", &code, &times); n == 2 {
			s.Refuse(kubetest.On("get", widgets()).Named(name).Times(times), code, reasons[code], "")
		}
	}
	s.Handle(kubetest.On("list", widgets()), func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"kind":"WidgetList","apiVersion":"g/v1","metadata":{"resourceVersion":"1"},"items":[]}`)
	})
	return s
}

// newWidgetExport is an export from such a server.
func newWidgetExport(t *testing.T, s *kubetest.Server) *shardExport {
	t.Helper()
	all := []kube.Resource{widgets()}
	f, _, err := filter.NewBackup(&velerov1.BackupSpec{}, kube.FilterResolver(kube.Catalog{Resources: all}), []filter.Namespace{{Name: "shop", Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	b := memstore.New()
	run := &backup.Run{Store: b, Staging: repository.NewStaging(b, "uid"), Plan: backup.Plan{Resources: all, Filter: f}}
	return newExport(t.Context(), &backup.Service{Kube: s.Client(), Rules: resource.NewRegistry()}, run, &heartbeat.Recorder{}, 0, exportCursor{})
}

// TestSingleObjects asks for objects by name, in spec.orderedResources and as related
// ones: what cannot be read is a reason, and what can is in the backup.
func TestSingleObjects(t *testing.T) {
	t.Parallel()
	names := []string{"w-500-4", "w", "w-403-1", "w-403-99", "w-405-1", "w-404-1", "w-500-99", "w-503-1", "w-429-4"}
	var ordered []string
	var refs []resource.Ref
	for _, n := range names {
		ordered = append(ordered, "shop/"+n)
		refs = append(refs, resource.Ref{Resource: "widgets.g", Namespace: "shop", Name: n})
	}
	list := plan.List{Type: filter.Type{GroupResource: "widgets.g", Group: "g", Version: "v1", Kind: "Widget", Namespaced: true}, Selectors: []string{""}, Ordered: ordered}
	for how, read := range map[string]func(t *testing.T, e *shardExport) error{
		"ordered": func(t *testing.T, e *shardExport) error {
			return e.exportList(t.Context(), listCall{list: list, first: true})
		},
		"related": func(t *testing.T, e *shardExport) error {
			t.Helper()
			r := &relatedExport{shardExport: e, held: map[resource.Ref]bool{}, asked: map[resource.Ref]bool{}}
			return r.fetchObjects(t.Context(), refs)
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newWidgetExport(t, widgetServer(t, names...))
				if err := read(t, e); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, r := range e.Notes.Reasons {
					got = append(got, fmt.Sprint(r.Code, " ", r.Name))
					if r.Next == "" || r.Namespace != "shop" || r.Resource != "widgets.g" {
						t.Errorf("%+v", r)
					}
				}
				want := []string{"READ_FAILED w-403-99", "READ_FAILED w-405-1", "ORDERED_MISSING w-404-1", "READ_FAILED w-500-99"}
				if how == "related" {
					want = slices.Delete(want, 2, 3)
				}
				if !slices.Equal(got, want) {
					t.Errorf("reasons %q, want %q", got, want)
				}
				if err := e.Close(t.Context()); err != nil || e.Result.Objects != 5 {
					t.Errorf("%d objects, %v", e.Result.Objects, err)
				}
			})
		})
	}
}

// TestSingleObjectOfAServerThatIsDown is no fault of the object.
func TestSingleObjectOfAServerThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, healthy := range map[string]bool{"w-500-99": false, "w-401-99": true} {
			s := widgetServer(t, name)
			s.SetHealthy(healthy)
			e := newWidgetExport(t, s)
			r := &relatedExport{shardExport: e, held: map[resource.Ref]bool{}, asked: map[resource.Ref]bool{}}
			err := r.fetchObjects(t.Context(), []resource.Ref{{Resource: "widgets.g", Namespace: "shop", Name: name}})
			if err == nil || len(e.Notes.Reasons) > 0 {
				t.Errorf("%s: %v, %v", name, err, e.Notes.Reasons)
			}
		}
	})
}
