//go:build stack

package stack

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestVeleroBacksUpAndRestores(t *testing.T) {
	s, ctx := shared(t), timeout(t, 5*time.Minute)
	long := strings.Repeat("long-", 11) + "name" // a socket's path may not have 108 bytes
	v, err := s.StartVelero(ctx, VeleroOptions{QPS: 5000, Bucket: "peer", Prefix: "smoke", Namespace: long})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Stop(context.Background()) })
	const ns, object = "/api/v1/namespaces/peer", "/api/v1/namespaces/peer/configmaps/kept"
	apply(t, s, ns, namespaceObject("peer"))
	apply(t, s, object, map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "kept"},
		"data": map[string]string{"value": "42"},
	})
	if err := v.Backup(ctx, "one", "--include-namespaces=peer"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.kube().do(ctx, "DELETE", ns, "", nil); err != nil {
		t.Fatal(err)
	}
	await(t, ctx, "namespace gone", func() bool {
		_, err := s.kube().get(ctx, ns)
		return err != nil && strings.Contains(err.Error(), "404")
	})
	if err := v.Restore(ctx, "one", "--from-backup=one"); err != nil {
		t.Fatal(err)
	}
	if body, err := s.kube().get(ctx, object); err != nil || !strings.Contains(string(body), "42") {
		t.Errorf("restored object: %s %v", body, err)
	}
	if out, err := v.Run(ctx, "version"); err != nil || strings.Count(out, "v1.18.3") != 2 {
		t.Errorf("client and server are not the pinned version: %s %v", out, err)
	}
	if out, err := v.Run(ctx, "backup", "logs", "one"); err != nil || !strings.Contains(out, "configmaps") {
		t.Errorf("backup logs: %v %.200s", err, out)
	}
}

func TestFailedVeleroBackupIsAnError(t *testing.T) {
	s, ctx := shared(t), timeout(t, 5*time.Minute)
	v, err := s.StartVelero(ctx, VeleroOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Stop(context.Background()) })
	err = v.Backup(ctx, "wrong", "--resource-policies-configmap=nowhere")
	if err == nil || !strings.Contains(err.Error(), "FailedValidation") {
		t.Errorf("got %v", err)
	}
}

func TestVelerosRunSideBySide(t *testing.T) {
	s, ctx := shared(t), timeout(t, 5*time.Minute)
	var servers []*Velero
	for _, name := range []string{"velero-a", "velero-b"} {
		v, err := s.StartVelero(ctx, VeleroOptions{Namespace: name, Bucket: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Stop(context.Background()) })
		servers = append(servers, v)
	}
	for _, v := range servers {
		svc, err := s.service(v.service())
		if err != nil {
			t.Fatal(err)
		}
		if !svc.ours() || v.PID != svc.PID {
			t.Errorf("the server of %s ended", v.Namespace)
		}
	}
}

func apply(t *testing.T, s *Stack, path string, object any) {
	t.Helper()
	if err := s.applyObject(t.Context(), path, object); err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, ctx context.Context, what string, done func() bool) {
	t.Helper()
	if err := poll(ctx, what, func() (bool, error) { return done(), nil }); err != nil {
		t.Fatal(err)
	}
}

func phaseOf(object []byte) string {
	var o struct{ Status struct{ Phase string } }
	_ = json.Unmarshal(object, &o)
	return o.Status.Phase
}
