package schedule_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// FuzzDocuments: whatever lies in the bucket, the other schedules are told of and run.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"name":"a","cluster":"prod","uid":"u","spec":{"schedule":"@every 1s","template":{}}}`), []byte(`{"name":"a","uid":"u","accounted":"0001-01-01T00:00:00Z"}`), []byte(`{}`))
	f.Add([]byte(`{"name":"a","cluster":"prod","uid":"u","spec":{"schedule":"0 2 * * *"}}`), []byte(`{"name":"a","uid":"u","slots":[{"due":"2026-01-01T00:00:00Z","outcome":"running"},{}]}`), []byte(`{"runs":[{},{}]}`))
	f.Add([]byte("{"), []byte("["), []byte("1"))
	f.Fuzz(func(t *testing.T, definition, runs, turns []byte) {
		w := newWorld(t)
		w.apply(daily("good"))
		w.st.Set(layout.Schedules{Cluster: "prod"}.Key("a"), definition)
		w.st.Set(layout.Schedules{Cluster: "prod"}.RunsKey("a"), runs)
		w.st.Set(layout.TurnsKey("prod"), turns)
		if all, err := w.Status(t.Context(), ""); err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		w.ensure()
		_ = w.Account(t.Context()) // of the damaged one it may tell
		begun := w.begin("good", "2026-03-02T02:00:00Z", "2026-03-02T02:00:00Z")
		turn, err := w.TakeTurn(t.Context(), contract.TakeTurnInput{Schedule: "good", Due: begun.Slot.Due, Run: begun.Slot.Run})
		if begun.Backup == nil || err != nil || !turn.Taken {
			t.Errorf("%+v %+v %v", begun, turn, err)
		}
	})
}
