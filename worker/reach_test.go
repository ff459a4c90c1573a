package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// What changes is told, in one line with its cause; what stays as it is is not told again.
func TestReachTells(t *testing.T) {
	var log strings.Builder
	r := &reach{log: slog.New(slog.NewTextHandler(&log, nil)), causes: map[string]string{}}
	for _, cause := range []string{"", "", "no such bucket", "no such bucket", "access denied", ""} {
		r.tell(t.Context(), "storage location west", cause)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	want := []string{`level=INFO msg="can be used" what="storage location west"`, `cause="no such bucket"`, `cause="access denied"`, "level=INFO"}
	if len(lines) != len(want) {
		t.Fatalf("told\n%s", log.String())
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			t.Errorf("line %d: %s, want %s", i, lines[i], want[i])
		}
	}
}

// A key of drills that cannot be read is told when the worker starts, and where none is wanted nothing is.
func TestReachTellsOfTheKey(t *testing.T) {
	for name, tc := range map[string]struct {
		key  func(context.Context) (ed25519.PrivateKey, error)
		want string
	}{
		"no key wanted": {nil, ""},
		"a key":         {func(context.Context) (ed25519.PrivateKey, error) { return ed25519.PrivateKey{1}, nil }, `msg="can be used" what="key for the evidence of drills"`},
		"no Secret":     {func(context.Context) (ed25519.PrivateKey, error) { return nil, errors.New("no such secret") }, `cause="no such secret; no drill runs without it: make one with 'lifeboat drill keygen'`},
	} {
		var log strings.Builder
		r := &reach{log: slog.New(slog.NewTextHandler(&log, nil)), causes: map[string]string{}, drillKey: tc.key}
		r.lookForKey(t.Context())
		if !strings.Contains(log.String(), tc.want) || (tc.want == "") != (log.Len() == 0) {
			t.Errorf("%s: %q", name, log.String())
		}
	}
}

// A Temporal that is not there is named, with the field that says where it is.
func TestNoTemporal(t *testing.T) {
	cfg := &config.Config{Cluster: "east", Temporal: config.Temporal{Address: "127.0.0.1:1"}}
	_, _, err := connectTemporal(t.Context(), cfg, temporal.Poller{}, slog.New(slog.DiscardHandler), &export.Telemetry{})
	if err == nil || !strings.Contains(err.Error(), "temporal at 127.0.0.1:1: ") || !strings.Contains(err.Error(), "correct temporal.address") {
		t.Error(err)
	}
}

// A worker looks, at its start and on a period, at the API server, what it may there, and each location, and
// tells each once until it changes.
func TestReachLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := kubetest.Start(t, kubetest.WithoutNetwork())
		api.Handle(kubetest.On("create", kube.Resource{Group: "authorization.k8s.io", Version: "v1", Name: "selfsubjectaccessreviews"}), func(w http.ResponseWriter, r *http.Request) {
			var review authorizationv1.SelfSubjectAccessReview
			if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
				t.Error(err)
			}
			review.Status.Allowed = review.Spec.ResourceAttributes.Verb != "patch"
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(review)
		})
		west := repositorytest.Unreadable(store.ErrAccessDenied)
		locations := repositorytest.Locations(repositorytest.Stores{"default": repositorytest.Holding("b"), "west": west})
		var log strings.Builder
		r := &reach{
			kube: api.Client(), attributes: &temporal.Attributes{}, log: slog.New(slog.NewTextHandler(&log, nil)), causes: map[string]string{},
			reader: &catalog.Reader{Config: locations.Config(), Locations: locations, Snapshots: location.New(locations.Config(), nil)},
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		r.look(ctx)
		go r.watch(ctx)
		first := log.String()
		for _, want := range []string{
			`msg="can be used" what="API server"`,
			`msg="cannot be used" what="permissions in the cluster" cause="the worker may not: patch every type;`,
			`msg="can be used" what="storage location default"`,
			`msg="cannot be used" what="storage location west" cause=`,
		} {
			if !strings.Contains(first, want) {
				t.Errorf("the first look does not tell %s in\n%s", want, first)
			}
		}
		api.SetHealthy(false)
		west.Heal()
		time.Sleep(2 * reachPeriod)
		synctest.Wait()
		later := strings.TrimPrefix(log.String(), first)
		for _, want := range []string{`msg="cannot be used" what="API server"`, `msg="can be used" what="storage location west"`} {
			if strings.Count(later, want) != 1 {
				t.Errorf("the later looks do not tell %s once in\n%s", want, later)
			}
		}
	})
}

// TestValidationFrequency of Velero's document is accepted, and said to have no effect.
func TestValidationFrequency(t *testing.T) {
	var out strings.Builder
	cfg := &config.Config{BackupStorageLocations: make([]velerov1.BackupStorageLocation, 2)}
	cfg.BackupStorageLocations[0].Name, cfg.BackupStorageLocations[1].Name = "west", "east"
	cfg.BackupStorageLocations[0].Spec.ValidationFrequency = &metav1.Duration{Duration: time.Minute}
	openLocations(cfg, nil, slog.New(slog.NewTextHandler(&out, nil)))
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "spec.validationFrequency has no effect") || !strings.Contains(got, "location=west period=2m0s") {
		t.Error(got)
	}
}
