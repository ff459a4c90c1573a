package export

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// serving serves types of this version, each with the name "type.group".
func serving(groupResources ...string) kubetest.Option {
	var types []kubetest.Type
	for _, gr := range groupResources {
		name, group, _ := strings.Cut(gr, ".")
		types = append(types, kubetest.Type{Resource: kube.Resource{Group: group, Version: "v1", Name: name, Kind: "X", Namespaced: true}, Custom: true})
	}
	return kubetest.WithTypes(types...)
}

// onlyCore withdraws the types of all groups but the core's.
func onlyCore() kubetest.Option {
	var names []string
	for _, t := range kubetest.CommonTypes() {
		if t.Group != "" {
			names = append(names, t.GroupResource())
		}
	}
	return kubetest.WithoutTypes(names...)
}

func TestListNotServed(t *testing.T) {
	t.Parallel()
	notFound := apierrors.NewNotFound(schema.GroupResource{Group: "g", Resource: "widgets"}, "")
	for name, tt := range map[string]struct {
		serves kubetest.Option
		want   report.Code
		tries  int
	}{
		"another group is left":        {serving("others.h"), report.TypeGone, 1},
		"the type is gone":             {serving("gadgets.g"), report.TypeGone, 1},
		"the group does not answer":    {kubetest.WithStaleGroup("g/v1"), report.ListFailed, notServedTries},
		"announced, and never served":  {serving("widgets.g"), report.ListFailed, notServedTries},
		"a group whose name begins so": {serving("widgets.g.h"), report.TypeGone, 1},
		"no group is left":             {onlyCore(), report.TypeGone, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := kubetest.Start(t, kubetest.WithoutNetwork(), tt.serves).Client()
				e := &shardExport{ShardWriter: &backup.ShardWriter{Notes: backup.NewChunkNotes()}, service: &backup.Service{Kube: client}, failures: map[string]int{}, givenUp: map[string]report.Reason{}}
				tries := 1
				for ; errors.Is(e.listFailed(t.Context(), widgets(), listCall{namespace: "shop"}, notFound), errTransient); tries++ {
					if len(e.Notes.Reasons) > 0 {
						t.Fatal("a reason before the last try")
					}
				}
				if tries != tt.tries || len(e.Notes.Reasons) != 1 || e.Notes.Reasons[0].Code != tt.want {
					t.Errorf("after %d tries: %v", tries, e.Notes.Reasons)
				}
				if text := fmt.Sprint(e.Notes.Reasons); !strings.Contains(text, "widgets.g") {
					t.Errorf("the type is not named: %s", text)
				}
			})
		})
	}
}
