package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry/export"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
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
