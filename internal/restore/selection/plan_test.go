package selection

import (
	"reflect"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/plan"
)

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
