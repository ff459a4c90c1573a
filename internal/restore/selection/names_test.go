package selection

import (
	"fmt"
	"reflect"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// Looking single objects up selects what a search through the whole index does: a name
// alone is one of any namespace or none.
func TestLookupsAgreeWithSearch(t *testing.T) {
	objs := append([]restoretest.Stored{{Key: "namespaces elsewhere"}, {Key: "namespaces shop"}}, shop...)
	for name, tc := range map[string]struct {
		types, names []string
		objects      int
	}{
		"of any namespace": {[]string{"pods"}, []string{"web"}, 2},
		"of one":           {[]string{"pods"}, []string{"shop/web"}, 1},
		"both ways":        {[]string{"pods"}, []string{"shop/web", "web", "other"}, 3},
		"of none":          {[]string{classes}, []string{"urgent"}, 1},
		"several types":    {[]string{"pods", "jobs.batch", classes}, []string{"web", "sum", "shop/count", "lazy"}, 5},
		"not there":        {[]string{"pods"}, []string{"nothing", "shop/nothing", "nowhere/web"}, 0},
		"another type":     {[]string{"pods"}, []string{"sum"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := restoretest.StoredSession(t, objs, velerov1.RestoreSpec{IncludedResources: tc.types}, tc.names...)
			found := selectionOf(t, s).inventory.Plan(plan.RestoreOptions{})
			unknown := func(string) (filter.Type, bool) { return filter.Type{}, false }
			searched, err := newSelection(t.Context(), s, resource.NewRegistry(), unknown, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := searched.inventory.Plan(plan.RestoreOptions{}); found.Objects != tc.objects || !reflect.DeepEqual(found, want) {
				t.Errorf("looked up\n%+v\nsearched, %d wanted\n%+v", found, tc.objects, want)
			}
		})
	}
}

// A name alone is searched among its type only.
func TestLookupReadsItsTypeOnly(t *testing.T) {
	objs := []restoretest.Stored{{Key: "configmaps shop/settings"}}
	for i := range 20_000 {
		objs = append(objs, restoretest.Stored{Key: fmt.Sprintf("secrets shop/secret-%05d", i), Rest: fmt.Sprintf(`,"data":%q`, fmt.Sprint(i*i))})
	}
	read := func(names ...string) int64 {
		s, src := restoretest.StoredSession(t, objs, velerov1.RestoreSpec{IncludedResources: []string{"configmaps"}}, names...)
		before := src.Read
		selectionOf(t, s)
		return src.Read - before
	}
	if some, all := read("settings"), read(); some > all/2 {
		t.Errorf("read %d bytes of an index of %d", some, all)
	}
}
