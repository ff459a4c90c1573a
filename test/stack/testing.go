package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// Variable names the environment variable that makes Shared and Main use a stack
// which `stack up` left running; its value is the stack's directory.
const Variable = "LIFEBOAT_STACK"

// Run starts a stack for a test and stops it in Cleanup. A killed test leaves
// nothing behind (Linux). If the test fails, the logs stay and their place is told.
func Run(t testing.TB, o Options) *Stack {
	t.Helper()
	o.DieWithParent = true
	if o.Stdout == nil {
		o.Stdout = logWriter{t}
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start stack: %v", err)
	}
	t.Cleanup(func() {
		s.out = nil // the test is over: it may not log any more
		if err := s.stopAfter(t.Failed()); err != nil {
			t.Errorf("%v", err)
		}
		if t.Failed() {
			t.Logf("logs of the stack: %s", s.Dir+"/logs")
		}
	})
	return s
}

// Main is the body of a TestMain: one stack for all tests of a package. ready
// gets it before the tests run.
//
//	func TestMain(m *testing.M) {
//		os.Exit(stack.Main(m, stack.Options{}, func(s *stack.Stack) { shared = s }))
//	}
func Main(m *testing.M, o Options, ready func(*Stack)) int {
	if s := attachShared(o); s != nil {
		ready(s)
		return m.Run()
	}
	o.DieWithParent = true
	if o.Stdout == nil {
		o.Stdout = os.Stderr
	}
	s, err := Start(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start stack:", err)
		return 1
	}
	ready(s)
	code := m.Run()
	if err := s.stopAfter(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "logs of the stack:", s.Dir+"/logs")
	}
	return code
}

func (s *Stack) stopAfter(failed bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	wrong := errors.Join(s.deniedCalls(ctx), s.checkOthers(ctx))
	return errors.Join(wrong, s.stop(ctx, logsAfter(failed || wrong != nil)))
}

// checkOthers wants the snapshots of others in the account to be as they were.
func (s *Stack) checkOthers(ctx context.Context) error {
	if s.EBS == nil {
		return nil
	}
	state, err := s.EBS.State(ctx)
	if err != nil {
		return fmt.Errorf("ask the simulator for the snapshots of others: %w", err)
	}
	return state.CheckOthers()
}

// deniedCalls names what the policies of deploy/iam deny to Lifeboat's workers of what they asked
// EC2 and the object store for: with them a worker may do whatever the tests have it do.
func (s *Stack) deniedCalls(ctx context.Context) error {
	denied, err := s.deniedVolumeCalls(ctx)
	if err != nil {
		return fmt.Errorf("ask the simulator what was denied: %w", err)
	}
	requests, err := s.deniedRequests(0)
	if err != nil {
		return fmt.Errorf("read the requests of the object store: %w", err)
	}
	if denied = append(denied, requests...); len(denied) == 0 {
		return nil
	}
	slices.Sort(denied)
	return fmt.Errorf("the policy of deploy/iam denies what the tests need:\n%s", strings.Join(slices.Compact(denied), "\n"))
}

func (s *Stack) deniedVolumeCalls(ctx context.Context) (denied []string, err error) {
	if s.EBS == nil {
		return nil, nil
	}
	calls, err := s.EBS.Audit(ctx, "", time.Time{})
	for _, c := range calls {
		if c.Denied != "" && strings.HasSuffix(c.Who, ":user/"+workerUserName) {
			denied = append(denied, c.Denied)
		}
	}
	return denied, err
}

func attachShared(o Options) *Stack {
	dir := os.Getenv(Variable)
	if dir == "" {
		return nil
	}
	s, err := Attach(dir)
	if err != nil || !s.has(o) {
		return nil
	}
	return s
}

// has tells whether everything the options ask for runs in this stack.
func (s *Stack) has(o Options) bool {
	services, err := s.Services()
	if err != nil || len(services) == 0 || len(o.APIServerArgs)+len(o.TemporalArgs) > 0 {
		return false
	}
	running := map[string]bool{}
	for _, svc := range services {
		running[svc.Name] = svc.Running
	}
	return running["temporal"] && running["kube-apiserver"] && running["versitygw"] &&
		(!o.Kwok || running["kwok"]) && (!o.SnapshotController || running["snapshot-controller"]) &&
		(!o.Node || running["kubelet"]) && o.NodePolicies == running["kube-router"] && s.hasEBS(o, running) &&
		(!o.TemporalOnDisk || exists(s.data("temporal.db"))) && (!o.KwokVolumes || s.bindsClaims())
}

// hasEBS tells whether volumes are as the options ask for.
func (s *Stack) hasEBS(o Options, running map[string]bool) bool {
	if !o.EBS {
		return true
	}
	return o.EBSFrom == nil && !slices.ContainsFunc(o.ebsDrivers(), func(driver string) bool {
		return !running[componentOf("csi-snapshotter", driver)]
	})
}

// bindsClaims tells whether kwok was started with the stages that bind claims.
func (s *Stack) bindsClaims() bool {
	stages, err := os.ReadFile(s.data("kwok-stages.yaml"))
	return err == nil && strings.Contains(string(stages), "PersistentVolumeClaim")
}

type logWriter struct{ t testing.TB }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}

// Inject makes something go wrong until it is spent, end is called or the test is over.
// It ends this fault and no other: tests that run beside this one have theirs.
func (e *EBS) Inject(t testing.TB, fault ebssim.Fault) (end func()) {
	t.Helper()
	made, err := e.AddFault(t.Context(), fault)
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		if err := e.RemoveFault(context.WithoutCancel(t.Context()), made.ID); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}
