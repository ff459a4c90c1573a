package csi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/inprocess"
)

// contentServer keeps contents, as far as a probe uses them, and says about each what
// a driver would.
type contentServer struct {
	says map[string]string // status by handle, as JSON; "" is none yet
	slow time.Duration     // how much later each content has its status than the one made before
	snap map[string]bool   // names of VolumeSnapshots that there are

	mu      sync.Mutex
	objects map[string]snapshotv1.VolumeSnapshotContent
	made    int
	ready   map[string]time.Time // when a content has its status
}

func (s *contentServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.Contains(r.URL.Path, "/volumesnapshots/"):
		if !s.snap[name] {
			s.status(w, http.StatusNotFound, "NotFound")
			return
		}
		fmt.Fprintf(w, `{"metadata":{"name":%q}}`, name)
	case r.Method == http.MethodPost:
		s.create(w, r)
	case r.Method == http.MethodDelete:
		delete(s.objects, name)
		s.status(w, http.StatusOK, "")
	default:
		list := snapshotv1.VolumeSnapshotContentList{}
		for name, c := range s.objects {
			if time.Now().Before(s.ready[name]) {
				c.Status = nil
			}
			list.Items = append(list.Items, c)
		}
		_ = json.NewEncoder(w).Encode(list)
	}
}

func (s *contentServer) create(w http.ResponseWriter, r *http.Request) {
	var c snapshotv1.VolumeSnapshotContent
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		s.status(w, http.StatusBadRequest, "BadRequest")
		return
	}
	if _, there := s.objects[c.Name]; there {
		s.status(w, http.StatusConflict, "AlreadyExists")
		return
	}
	if status := s.says[*c.Spec.Source.SnapshotHandle]; status != "" {
		_ = json.Unmarshal([]byte(status), &c.Status)
	}
	s.objects[c.Name] = c
	s.made++
	s.ready[c.Name] = time.Now().Add(time.Duration(s.made) * s.slow)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(c)
}

func (s *contentServer) status(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}

// withoutNetwork is how to reach a server that is played by a handler, in virtual time too.
func withoutNetwork(h http.Handler) *kube.RESTConfig {
	return &kube.RESTConfig{Host: "http://kubernetes.test", Transport: handlerTransport{h}}
}

type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return inprocess.Do(h, r)
}

// probing is a restore of claims that are filled from snapshots of these handles.
func probing(t *testing.T, s *contentServer, times probeTimes, handles ...string) (*Restorer, []*volume.Restore) {
	t.Helper()
	s.objects, s.ready = map[string]snapshotv1.VolumeSnapshotContent{}, map[string]time.Time{}
	client, err := kube.New(withoutNetwork(s), kube.Options{RetryFor: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var all []*volume.Restore
	for _, h := range handles {
		all = append(all, &volume.Restore{
			PV: "pv-" + h, Namespace: "shop", Claim: h, Target: "copy", Disposition: volume.ProvisionBy(volume.MethodCSI), Selected: true,
			Snapshot: &volume.SnapshotPlan{Name: "name-" + h, Handle: h, Driver: "csi.example.org"},
		})
	}
	return &Restorer{Kube: client, Run: volume.RestoreRun{Name: "r", Backup: "b"}, Window: 4, probe: times}, all
}

func quickProbe() probeTimes {
	return probeTimes{answer: 1500 * time.Millisecond, insist: 300 * time.Millisecond, pause: 20 * time.Millisecond}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	times := quickProbe()
	const ready, late = `{"readyToUse":true}`, `{"readyToUse":false}`
	gone := `{"readyToUse":false,"error":{"message":"Failed to check and update snapshot content: can not find snapshot for snapshotID h2"}}`
	broken := `{"readyToUse":false,"error":{"message":"rpc error: code = Internal desc = no credentials"}}`
	for name, tc := range map[string]struct {
		says    map[string]string
		kind    string
		text    string
		reasons []string
		least   time.Duration
	}{
		"found":              {map[string]string{"h1": ready, "h2": ready}, "", "", nil, 0},
		"found, not ready":   {map[string]string{"h1": ready, "h2": late}, "", "", nil, 0},
		"missing":            {map[string]string{"h1": ready, "h2": gone}, contract.ErrTypeNotFound, "claim shop/h2: the driver csi.example.org does not find snapshot h2", nil, times.insist},
		"in trouble":         {map[string]string{"h1": ready, "h2": broken}, "", "", []string{"no credentials"}, times.answer},
		"no answer":          {map[string]string{"h1": ready}, "", "", []string{"no answer after 1.5s"}, times.answer},
		"missing and silent": {map[string]string{"h2": gone}, contract.ErrTypeNotFound, "snapshot h2", nil, times.answer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &contentServer{says: tc.says}
				r, all := probing(t, server, times, "h1", "h2")
				began := time.Now()
				found, err := r.Probe(t.Context(), all)
				if took := time.Since(began); took < tc.least || took > tc.least+time.Second {
					t.Errorf("took %s, want %s", took, tc.least)
				}
				if tc.kind != "" {
					if kind, text := refusalsOf(found); err != nil || kind != tc.kind || !strings.Contains(text, tc.text) || !strings.Contains(text, "--restore-volumes=false") {
						t.Errorf("%v, %s: %s", err, kind, text)
					}
					return
				}
				if err != nil || len(found.Reasons) != len(tc.reasons) || len(found.Refusals) > 0 {
					t.Fatalf("%+v, %v", found, err)
				}
				for i, want := range tc.reasons {
					if got := found.Reasons[i]; got.Code != report.SnapshotUnchecked || !strings.Contains(got.Message, want) || got.Name != "h2" || got.Namespace != "copy" {
						t.Errorf("%+v", got)
					}
				}
			})
		})
	}
}

// TestProbeIsPatient: a snapshotter that has much to do is waited for as long as it
// goes on answering.
func TestProbeIsPatient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ready = `{"readyToUse":true}`
		server := &contentServer{says: map[string]string{"h1": ready, "h2": ready, "h3": ready}, slow: 500 * time.Millisecond}
		times := quickProbe()
		times.answer = time.Second
		r, all := probing(t, server, times, "h1", "h2", "h3")
		if found, err := r.Probe(t.Context(), all); err != nil || len(found.Reasons)+len(found.Refusals) > 0 {
			t.Errorf("%+v %v", found, err)
		}
	})
}

// TestProbeRepeats: contents that an earlier attempt made are used, and what EC2 knows is
// not asked of the driver.
func TestProbeRepeats(t *testing.T) {
	server := &contentServer{says: map[string]string{"h1": `{"readyToUse":true}`}}
	r, all := probing(t, server, quickProbe(), "h1", "h2")
	all[1].Snapshot.Known = true
	for range 2 {
		if found, err := r.Probe(t.Context(), all); err != nil || len(found.Reasons)+len(found.Refusals) > 0 {
			t.Fatalf("%+v %v", found, err)
		}
	}
	if server.made != 1 {
		t.Errorf("%d made", server.made)
	}
}

// TestSweepContents deletes what no snapshot is bound to, now or in a moment.
func TestSweepContents(t *testing.T) {
	server := &contentServer{says: map[string]string{"h1": `{}`, "h2": `{}`, "h3": `{}`}, snap: map[string]bool{"name-h2": true}}
	r, all := probing(t, server, quickProbe(), "h1", "h2", "h3", "h4")
	for i := range all[:3] {
		c := r.restoredContent(all[i])
		if i == 2 {
			c.Spec.VolumeSnapshotRef.UID = "bound"
		}
		if _, err := kube.Make(t.Context(), r.Kube, kube.VolumeSnapshotContents(), "", c, kube.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := r.Sweep(t.Context(), all, nil); err != nil {
			t.Fatal(err)
		}
	}
	if left := strings.Join(slices.Sorted(maps.Keys(server.objects)), " "); left != "name-h2 name-h3" {
		t.Errorf("left %s", left)
	}
}
