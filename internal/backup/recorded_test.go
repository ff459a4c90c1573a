package backup

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func TestRecordedValues(t *testing.T) {
	run := &Run{Staging: repository.NewStaging(memstore.New(), "uid")}
	run.Plan.Volumes.Units = []Unit{{Pods: []PodHooks{{Name: "db-0", Record: "orders"}}}, {Pods: []PodHooks{{Name: "b"}}}, {}}
	for i, name := range []string{"shop/orders", "shop/users"} {
		result := UnitResult{Recorded: map[string]hook.Recorded{name: {Value: "1000"}}}
		if err := repository.CreateStaged(t.Context(), run.Staging, repository.UnitSnapshotFile(i), &result); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := run.recordedValues(t.Context()); err != nil || len(got) != 2 || got["shop/orders"].Value != "1000" {
		t.Errorf("recorded %v, %v", got, err)
	}
	run.Plan.Volumes.Units = run.Plan.Volumes.Units[1:]
	if got, err := run.recordedValues(t.Context()); err != nil || got != nil {
		t.Errorf("no pod asks for it: %v, %v", got, err)
	}
}
