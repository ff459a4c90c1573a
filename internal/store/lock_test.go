package store_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// What HEAD leaves out is asked for by itself, but only where there can be a lock: in a bucket
// with versions.
func TestCheckUnlocked(t *testing.T) {
	t.Parallel()
	const tomorrow, yesterday = "2099-01-01T00:00:00Z", "2019-01-01T00:00:00Z"
	none := func(w http.ResponseWriter) { refuse(w, http.StatusNotFound, "NoSuchObjectLockConfiguration") }
	denied := func(w http.ResponseWriter) { refuse(w, http.StatusForbidden, "AccessDenied") }
	for name, tc := range map[string]struct {
		head            map[string]string // headers of the answer to HEAD
		retention, hold func(http.ResponseWriter)
		asked           int
		want            error
	}{
		"no versions":           {nil, nil, nil, 0, nil},
		"versions suspended":    {map[string]string{"X-Amz-Version-Id": "null"}, nil, nil, 0, nil},
		"compliance":            {map[string]string{"X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date": tomorrow}, nil, nil, 0, store.ErrLocked},
		"hold":                  {map[string]string{"X-Amz-Object-Lock-Legal-Hold": "ON"}, nil, nil, 0, store.ErrLocked},
		"ended":                 {map[string]string{"X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": yesterday}, nil, nil, 0, nil},
		"no lock":               {map[string]string{"X-Amz-Version-Id": "v1"}, none, none, 2, nil},
		"bucket without":        {map[string]string{"X-Amz-Version-Id": "v1"}, func(w http.ResponseWriter) { refuse(w, http.StatusBadRequest, "InvalidRequest") }, none, 1, nil},
		"retention denied":      {map[string]string{"X-Amz-Version-Id": "v1"}, denied, none, 1, store.ErrLockUnknown},
		"hold denied":           {map[string]string{"X-Amz-Version-Id": "v1"}, none, denied, 2, store.ErrLockUnknown},
		"store does not answer": {map[string]string{"X-Amz-Version-Id": "v1"}, func(w http.ResponseWriter) { refuse(w, http.StatusServiceUnavailable, "SlowDown") }, none, 3, store.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, asked := newRecorder(t), 0
			rec.answer = func(w http.ResponseWriter, r request) bool {
				switch r.op + "?" + r.query {
				case "HeadObject?":
					for k, v := range tc.head {
						w.Header().Set(k, v)
					}
					return false
				case "GetObject?retention=":
					tc.retention(w)
				case "GetObject?legal-hold=":
					tc.hold(w)
				default:
					return false
				}
				asked++
				return true
			}
			_, err := rec.open(t, nil).CheckUnlocked(t.Context(), "backups/b/velero-backup.json")
			if tc.want != nil {
				wantIs(t, err, tc.want)
			} else if err != nil {
				t.Error(err)
			}
			if asked != tc.asked {
				t.Error(fmt.Errorf("asked for locks %d times, want %d", asked, tc.asked))
			}
		})
	}
}
