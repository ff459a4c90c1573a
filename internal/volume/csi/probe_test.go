package csi

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// contentServer is an API server with a snapshotter behind it, which notes on each content what
// a driver says of its snapshot.
type contentServer struct {
	*kubetest.Server
	says map[string]string // status by handle, as JSON; "" is none yet
	slow time.Duration     // how much later each content has its status than the one made before
}

func newContentServer(t *testing.T, says map[string]string) *contentServer {
	t.Helper()
	s := &contentServer{Server: kubetest.Start(t, kubetest.WithoutNetwork()), says: says}
	s.After(s.creations(), func(q kubetest.Request, _ map[string]any) {
		time.AfterFunc(time.Duration(s.Count(s.creations()))*s.slow, func() { s.answer(q.Name) })
	})
	return s
}

func (s *contentServer) creations() kubetest.Match {
	return kubetest.On("create", kube.VolumeSnapshotContents())
}

func (s *contentServer) answer(content string) {
	kubetest.Modify(s.Server, kube.VolumeSnapshotContents(), "", content, func(c *snapshotv1.VolumeSnapshotContent) {
		if status := s.says[*c.Spec.Source.SnapshotHandle]; status != "" {
			_ = json.Unmarshal([]byte(status), &c.Status)
		}
	})
}

// probing is a restore of claims that are filled from snapshots of these handles.
func probing(s *contentServer, times probeTimes, handles ...string) (*Restorer, []*volume.Restore) {
	var all []*volume.Restore
	for _, h := range handles {
		all = append(all, &volume.Restore{
			PV: "pv-" + h, Namespace: "shop", Claim: h, Target: "copy", Disposition: volume.ProvisionBy(volume.MethodCSI), Selected: true,
			Snapshot: &volume.SnapshotPlan{Name: "name-" + h, Handle: h, Driver: "csi.example.org"},
		})
	}
	return &Restorer{Kube: s.Client(), Run: volume.RestoreRun{Name: "r", Backup: "b"}, Window: 4, probe: times}, all
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
				r, all := probing(newContentServer(t, tc.says), times, "h1", "h2")
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
		server := newContentServer(t, map[string]string{"h1": ready, "h2": ready, "h3": ready})
		server.slow = 500 * time.Millisecond
		times := quickProbe()
		times.answer = time.Second
		r, all := probing(server, times, "h1", "h2", "h3")
		if found, err := r.Probe(t.Context(), all); err != nil || len(found.Reasons)+len(found.Refusals) > 0 {
			t.Errorf("%+v %v", found, err)
		}
	})
}

// TestProbeRepeats: contents that an earlier attempt made are used, and what EC2 knows is
// not asked of the driver.
func TestProbeRepeats(t *testing.T) {
	server := newContentServer(t, map[string]string{"h1": `{"readyToUse":true}`})
	r, all := probing(server, quickProbe(), "h1", "h2")
	all[1].Snapshot.Known = true
	for range 2 {
		if found, err := r.Probe(t.Context(), all); err != nil || len(found.Reasons)+len(found.Refusals) > 0 {
			t.Fatalf("%+v %v", found, err)
		}
	}
	if made := server.Count(server.creations()); made != 2 {
		t.Errorf("%d were asked for in two attempts, want the same one twice", made)
	}
	wantContents(t, server, "name-h1")
}

// wantContents wants the cluster to have these contents, and no others.
func wantContents(t *testing.T, s *contentServer, want ...string) {
	t.Helper()
	var got []string
	for _, c := range kubetest.All[snapshotv1.VolumeSnapshotContent](s.Server, kube.VolumeSnapshotContents()) {
		got = append(got, c.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("contents %v, want %v", got, want)
	}
}

// TestSweepContents deletes what no snapshot is bound to, now or in a moment; what stays goes with
// the namespace of its claim.
func TestSweepContents(t *testing.T) {
	server := newContentServer(t, nil)
	server.Put(&snapshotv1.VolumeSnapshot{ObjectMeta: metav1.ObjectMeta{Namespace: "copy", Name: "name-h2"}})
	r, all := probing(server, quickProbe(), "h1", "h2", "h3", "h4")
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
	wantContents(t, server, "name-h2", "name-h3")
	for _, c := range kubetest.All[snapshotv1.VolumeSnapshotContent](server.Server, kube.VolumeSnapshotContents()) {
		if len(c.OwnerReferences) != 1 || c.OwnerReferences[0].Name != "copy" {
			t.Errorf("%s is owned by %+v", c.Name, c.OwnerReferences)
		}
	}
}
