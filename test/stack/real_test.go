//go:build stack

package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain gives all real tests one stack: what they check does not collide.
func TestMain(m *testing.M) {
	if os.Getenv("STACK_TEST_STARTER")+os.Getenv("STACK_TEST_PARENT") != "" {
		os.Exit(m.Run()) // a child that plays the starter
	}
	o := Options{Kwok: true, KwokVolumes: true, SnapshotController: true, TemporalOnDisk: true}
	os.Exit(Main(m, o, func(s *Stack) { os.Setenv(Variable, s.Dir) }))
}

func shared(t *testing.T) *Stack {
	t.Helper()
	s, err := Attach(os.Getenv(Variable))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func timeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestEverythingRuns(t *testing.T) {
	services, err := shared(t).Services()
	if err != nil {
		t.Fatal(err)
	}
	if len(services) != 8 {
		t.Errorf("got %d services, want 8", len(services))
	}
	for _, svc := range services {
		if !svc.Running || !answersOK(t.Context(), svc.Health) {
			t.Errorf("%s is not healthy", svc.Name)
		}
	}
}

func TestPodsBecomeReady(t *testing.T) {
	s, ctx := shared(t), timeout(t, time.Minute)
	web := map[string]any{"name": "web", "image": "example.com/web:1"}
	labels := map[string]string{"app": "web"}
	apply(t, s, "/apis/apps/v1/namespaces/default/deployments/web", map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{
			"replicas": 3, "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     map[string]any{"containers": []any{web}},
			},
		},
	})
	await(t, ctx, "deployment available", func() bool {
		body, _ := s.kube().get(ctx, "/apis/apps/v1/namespaces/default/deployments/web")
		return hasCondition(body, "Available")
	})
}

func TestJobsComplete(t *testing.T) {
	s, ctx := shared(t), timeout(t, time.Minute)
	apply(t, s, "/apis/batch/v1/namespaces/default/jobs/once", map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"name": "once"},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never",
			"containers":    []any{map[string]any{"name": "once", "image": "example.com/once:1"}},
		}}},
	})
	await(t, ctx, "job complete", func() bool {
		body, _ := s.kube().get(ctx, "/apis/batch/v1/namespaces/default/jobs/once")
		return hasCondition(body, "Complete")
	})
}

func TestClaimsAreBound(t *testing.T) {
	s, ctx := shared(t), timeout(t, time.Minute)
	const path = "/api/v1/namespaces/default/persistentvolumeclaims/data"
	apply(t, s, path, map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": "data"},
		"spec": map[string]any{
			"accessModes": []string{"ReadWriteOnce"},
			"resources":   map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	})
	await(t, ctx, "claim bound", func() bool {
		body, _ := s.kube().get(ctx, path)
		return phaseOf(body) == "Bound"
	})
}

func TestBucketsKeepVersions(t *testing.T) {
	s, ctx := shared(t), t.Context()
	for range 2 { // making it twice is no error
		if err := s.NewBucket(ctx, "versions"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.EnableVersioning(ctx, "versions"); err != nil {
		t.Fatal(err)
	}
	if err := s.NewLockBucket(ctx, "locked"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 412} {
		status, answer, err := s.S3.do(ctx, "PUT", "/versions/once", "", fmt.Sprint(i), map[string]string{"If-None-Match": "*"})
		if err != nil || status != want {
			t.Errorf("conditional write %d: got %d %s %v, want %d", i, status, answer, err, want)
		}
	}
}

func TestRestartKeepsPortsAndData(t *testing.T) {
	s, ctx := shared(t), timeout(t, 3*time.Minute)
	for _, name := range []string{"s3", "temporal", "apiserver", "etcd", "kube-controller-manager", "kube-scheduler", "kwok", "snapshot-controller"} {
		t.Run(name, func(t *testing.T) { restartOne(t, ctx, s, name) })
	}
	await(t, ctx, "bucket after restart", func() bool {
		status, _, err := s.S3.do(ctx, "HEAD", "/"+s.S3.Bucket, "", "", nil)
		return err == nil && status == 200
	})
	await(t, ctx, "namespaces after restart", func() bool {
		_, err := s.kube().get(ctx, "/api/v1/namespaces/default")
		return err == nil
	})
}

func restartOne(t *testing.T, ctx context.Context, s *Stack, name string) {
	before, err := s.service(longName(name))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := s.Restart(ctx, name); err != nil {
		t.Fatal(err)
	}
	after, err := s.service(longName(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.1f s", name, time.Since(start).Seconds())
	if after.PID == before.PID || before.ours() {
		t.Error("the old process still runs")
	}
	if after.Health != before.Health || !answersOK(ctx, after.Health) {
		t.Errorf("it does not serve at %s", before.Health)
	}
}

func TestTemporalOnDiskSurvivesRestart(t *testing.T) {
	s, ctx := shared(t), timeout(t, time.Minute)
	temporal := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, s.BinDir()+"/temporal", append(args, "--address", s.Temporal.Address)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := temporal("workflow", "start", "--type", "Any", "--task-queue", "none", "--workflow-id", "kept",
		"--search-attribute", `LifeboatPhase="New"`); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := s.Restart(ctx, "temporal"); err != nil {
		t.Fatal(err)
	}
	if out, err := temporal("workflow", "describe", "--workflow-id", "kept"); err != nil || !strings.Contains(out, "LifeboatPhase") {
		t.Errorf("the workflow is gone: %v: %s", err, out)
	}
}

func TestClientsCanBeCutOff(t *testing.T) {
	s, ctx := shared(t), t.Context()
	p, err := NewProxy(s.APIServer)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	far := s.kube()
	far.server = "https://" + p.Addr()
	if _, err := far.get(ctx, "/version"); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if _, err := far.get(ctx, "/version"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want connection refused", err)
	}
}
