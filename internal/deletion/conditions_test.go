package deletion

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// A backup that somebody holds is not deleted by anybody, and one that was chosen because
// its time was over only if that is still so.
func TestDeleteUnderConditions(t *testing.T) {
	expired := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		said string // beside the backup
		in   contract.DeleteBackupInput
		kind string // of the refusal
		text string
	}{
		"by name":                  {},
		"held":                     {`{"name":"b","uid":"u","hold":"audit"}`, contract.DeleteBackupInput{}, contract.ErrTypeDenied, "backup b is held: audit; 'lifeboat backup release b' ends that"},
		"an earlier one was held":  {said: `{"name":"b","uid":"other","hold":"audit"}`},
		"released":                 {said: `{"name":"b","uid":"u","hold":""}`},
		"the one that was chosen":  {in: contract.DeleteBackupInput{UID: "u"}},
		"another one":              {"", contract.DeleteBackupInput{UID: "v"}, contract.ErrTypeNotFound, "there is another of the name now, with the uid u"},
		"expired":                  {in: contract.DeleteBackupInput{ExpiredAt: expired}},
		"not yet expired":          {"", contract.DeleteBackupInput{ExpiredAt: expired.Add(-time.Second)}, contract.ErrTypeDenied, "it expires at 2026-03-02T00:00:00Z"},
		"given more time":          {`{"name":"b","uid":"u","expires":"2027-01-01T00:00:00Z"}`, contract.DeleteBackupInput{ExpiredAt: expired}, contract.ErrTypeDenied, "it expires at 2027-01-01T00:00:00Z"},
		"given more time, by name": {said: `{"name":"b","uid":"u","expires":"2027-01-01T00:00:00Z"}`},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			st.Set(layout.Backup{Name: "b"}.Metadata(), []byte(`{"metadata":{"name":"b","uid":"u"},"status":{"phase":"Completed","completionTimestamp":"2026-03-01T00:00:00Z","expiration":"2026-03-02T00:00:00Z"}}`))
			if c.said != "" {
				st.Set(layout.RetentionKey("b"), []byte(c.said))
			}
			r := &Runner{Kube: cluster(t, "ours"), Snapshots: snapshotLocations(), Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
			c.in.Name = "b"
			_, err := r.PlanDelete(t.Context(), c.in)
			if failure.TypeOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %s %s", err, c.kind, c.text)
			}
			if st.Has(layout.Tombstone("b")) != (c.kind == "") {
				t.Error("a deletion that is refused leaves a tombstone")
			}
		})
	}
}
