package ebssim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// admin calls the admin API and returns status and body.
func (r rig) admin(t *testing.T, method, path, body, bearer string) (int, string) {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, r.url+"/_sim/"+path, strings.NewReader(body)))
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	return resp.StatusCode, string(must[[]byte](t)(io.ReadAll(resp.Body)))
}

func TestAdminAPI(t *testing.T) {
	r := start(t, nil)
	vol := r.newVolume(t, "app", "db")
	snap := r.newSnapshot(t, vol)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "state", "", 200, `"app":"db"`},
		{"GET", "volumes/" + vol, "", 200, `"dir":"`},
		{"GET", "volumes/vol-none", "", 404, "vol-none"},
		{"GET", "audit?action=CreateVolume", "", 200, `"result":"OK"`},
		{"GET", "audit?since=yesterday", "", 400, "since"},
		{"GET", "limits", "", 200, `"snapshotBase":"50ms"`},
		{"POST", "limits", `{"snapshotInterval": "15s"}`, 200, `"pendingPerAccount":100`},
		{"POST", "limits", `{"snapshotInterval": 15}`, 400, "request body"},
		{"POST", "limits", `{"pendingPerPlanet": 1}`, 400, "pendingPerPlanet"},
		{"POST", "faults", `{"effect": "throttle", "times": 1}`, 200, `"id":"fault-1"`},
		{"POST", "faults", `{"effect": "explode"}`, 400, "fault.effect"},
		{"GET", "faults", "", 200, `"effect":"throttle"`},
		{"DELETE", "faults/fault-1", "", 200, "null"},
		{"DELETE", "faults/fault-1", "", 404, "fault-1"},
		{"DELETE", "faults", "", 200, "null"},
		{"POST", "instances", `{"id": "i-0c", "zone": "eu-central-1c"}`, 200, "null"},
		{"POST", "instances", `{"id": "i-0d", "zone": "mars-1a"}`, 400, "mars-1a"},
		{"DELETE", "instances/i-0c", "", 200, "null"},
		{"POST", "snapshots/" + snap, `{"state": "error"}`, 200, "null"},
		{"POST", "snapshots/" + snap, `{"state": "gone"}`, 400, "gone"},
		{"POST", "snapshots/snap-none", `{"state": "error"}`, 404, "snap-none"},
		{"POST", "recyclebin", `[{"retain": "1h"}]`, 200, "null"},
		{"POST", "users", `{"name": "u", "accessKeyID": "k", "secretAccessKey": "s"}`, 200, "null"},
		{"POST", "users", `{"name": "u"}`, 400, "accessKeyID"},
		{"POST", "roles", `{"name": "r", "trust": {}}`, 400, "trust"},
		{"POST", "issuers", `{}`, 400, "url"},
		{"POST", "clock", `{"advance": "1h"}`, 200, "null"},
		{"DELETE", "volumes/" + vol, "", 200, "null"},
		{"DELETE", "volumes/" + vol, "", 404, vol},
		{"DELETE", "audit", "", 200, "null"},
		{"GET", "audit", "", 200, "[]"},
		{"GET", "nothing", "", 404, ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			status, body := r.admin(t, c.method, c.path, c.body, token)
			if status != c.status || !strings.Contains(body, c.want) {
				t.Fatalf("got %d %s, want %d with %q", status, body, c.status, c.want)
			}
		})
	}
	if l := r.Limits(); l.SnapshotInterval.D() != 15*time.Second || l.PendingPerVolume != 5 {
		t.Fatalf("limits are %+v", l)
	}
}

func TestAdminNeedsItsToken(t *testing.T) {
	r := start(t, nil)
	closed := start(t, func(o *ebssim.Options) { o.AdminToken = "" })
	for _, try := range []struct {
		rig
		bearer string
	}{{r, ""}, {r, "wrong"}, {closed, ""}} {
		if status, _ := try.admin(t, "GET", "state", "", try.bearer); status != http.StatusUnauthorized {
			t.Errorf("%q: status %d", try.bearer, status)
		}
	}
}

// The audit log says who did what to what, and how it ended.
func TestAudit(t *testing.T) {
	r := start(t, nil)
	vol := r.newVolume(t)
	r.newSnapshot(t, vol, "velero.io/backup", "b1")
	status, body := r.admin(t, "GET", "audit?action=CreateSnapshot", "", token)
	var calls []ebssim.Call
	if err := json.Unmarshal([]byte(body), &calls); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	if len(calls) != 1 || calls[0].Result != "OK" || calls[0].Who != "arn:aws:iam::111122223333:user/admin" {
		t.Fatalf("got %+v", calls)
	}
	if p := calls[0].Params; p["VolumeId"] != vol || p["TagSpecification.1.Tag.1.Value"] != "b1" {
		t.Fatalf("got %v", p)
	}
	if strings.Contains(body, adminSec) {
		t.Fatal("the log has a secret")
	}
}
