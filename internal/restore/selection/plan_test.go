package selection

import (
	"reflect"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

// TestMistypedMapping: a mapping that nothing follows is no reason to write over originals.
func TestMistypedMapping(t *testing.T) {
	for name, tc := range map[string]struct {
		mapping map[string]string
		policy  velerov1.PolicyType
		refused bool
	}{
		"mistyped, update":    {map[string]string{"shop": "copy", "shpo": "other"}, velerov1.PolicyTypeUpdate, true},
		"mistyped, none":      {map[string]string{"shpo": "copy"}, velerov1.PolicyTypeNone, false}, // a warning tells
		"mistyped, by itself": {map[string]string{"shpo": "copy"}, "", false},
		"right, update":       {map[string]string{"shop": "copy"}, velerov1.PolicyTypeUpdate, false},
		"no mapping, update":  {nil, velerov1.PolicyTypeUpdate, false},
	} {
		s, _ := restoretest.StoredSession(t, shop, velerov1.RestoreSpec{NamespaceMapping: tc.mapping, ExistingResourcePolicy: tc.policy})
		err := selectionOf(t, s).checkMapping()
		if refused := err != nil && failure.TypeOf(err) == failure.TypeOf(failure.Invalid("x")) && strings.Contains(err.Error(), "spec.namespaceMapping[shpo]"); refused != tc.refused || err != nil && !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTouchedMembersAreReadOnce(t *testing.T) {
	tasks := func(ranges ...plan.Range) plan.LevelPlan {
		return plan.LevelPlan{Tasks: []plan.Task{{Ranges: ranges}}}
	}
	got := touchedMembers(plan.RestorePlan{Levels: []plan.LevelPlan{
		tasks(plan.Range{From: 7, To: 9}, plan.Range{From: 1, To: 3}),
		tasks(plan.Range{From: 2, To: 5}, plan.Range{From: 5, To: 6}, plan.Range{From: 7, To: 8}),
	}})
	if want := []plan.Range{{From: 1, To: 6}, {From: 7, To: 9}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if touchedMembers(plan.RestorePlan{}) != nil {
		t.Error("an empty plan touches nothing")
	}
}
