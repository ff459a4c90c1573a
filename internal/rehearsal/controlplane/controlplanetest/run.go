package controlplanetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
)

// Run runs the suite. newProvider gives a provider, and what of its control planes there is
// at the moment (directories, processes, pods), by name.
func Run(t *testing.T, newProvider func(t *testing.T) (controlplane.Provider, func() []string)) {
	for name, test := range map[string]func(*testing.T, controlplane.Provider, func() []string){
		"serves an empty cluster": testServes, "keeps two apart": testTwo, "leaves nothing": testLeavesNothing,
		"a cancelled start leaves nothing": testCancelled, "refuses an unknown version": testUnknownVersion,
	} {
		t.Run(name, func(t *testing.T) {
			p, left := newProvider(t)
			test(t, p, left)
			if all := left(); len(all) > 0 {
				t.Errorf("left over: %q", all)
			}
		})
	}
}

func start(t *testing.T, p controlplane.Provider, s controlplane.Spec) (*controlplane.Plane, *kube.Client) {
	t.Helper()
	plane, err := p.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(plane.Config, kube.Options{RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return plane, client
}

func stop(t *testing.T, plane *controlplane.Plane) {
	t.Helper()
	for range 2 { // it may repeat
		if _, err := plane.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
}

const configMap = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"default"},"data":{"k":"v"}}`

// testServes: what an administrator writes is there, and nobody else gets in.
func testServes(t *testing.T, p controlplane.Provider, _ func() []string) {
	plane, client := start(t, p, controlplane.Spec{})
	defer stop(t, plane)
	if !strings.HasPrefix(plane.Version, "v1.") {
		t.Errorf("version %q", plane.Version)
	}
	if _, err := client.Create(t.Context(), kube.ConfigMaps(), "default", []byte(configMap), kube.CreateOptions{}); err != nil {
		t.Errorf("create: %v", err)
	}
	if _, err := client.Get(t.Context(), kube.ConfigMaps(), "default", "a"); err != nil {
		t.Errorf("read back: %v", err)
	}
	stranger := *plane.Config
	stranger.CertData, stranger.KeyData = nil, nil
	other, err := kube.New(&stranger, kube.Options{RetryFor: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Get(t.Context(), kube.ConfigMaps(), "default", "a"); !kube.IsUnauthorized(err) {
		t.Errorf("without a certificate: %v", err)
	}
}

// testTwo: two control planes of one provider share nothing.
func testTwo(t *testing.T, p controlplane.Provider, _ func() []string) {
	first, client := start(t, p, controlplane.Spec{})
	defer stop(t, first)
	second, other := start(t, p, controlplane.Spec{})
	defer stop(t, second)
	if _, err := client.Create(t.Context(), kube.ConfigMaps(), "default", []byte(configMap), kube.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Get(t.Context(), kube.ConfigMaps(), "default", "a"); !kube.IsNotFound(err) {
		t.Errorf("read in the other: %v", err)
	}
}

// testLeavesNothing: a stopped control plane does not answer.
func testLeavesNothing(t *testing.T, p controlplane.Provider, left func() []string) {
	plane, client := start(t, p, controlplane.Spec{})
	if len(left()) == 0 {
		t.Error("nothing of a running control plane is seen: the suite could not tell what it leaves")
	}
	stop(t, plane)
	if err := client.Ping(t.Context()); err == nil {
		t.Error("it still answers")
	}
}

func testCancelled(t *testing.T, p controlplane.Provider, _ func() []string) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.Start(ctx, controlplane.Spec{}); err == nil {
		t.Error("it started within 0.3 s")
	}
}

func testUnknownVersion(t *testing.T, p controlplane.Provider, _ func() []string) {
	_, err := p.Start(t.Context(), controlplane.Spec{Version: "1.2"})
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "kubernetesVersion") {
		t.Errorf("error %v", err)
	}
}
