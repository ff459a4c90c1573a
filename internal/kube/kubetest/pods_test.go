package kubetest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// podServer has the pod n/p with the containers app, which runs, and late, which does not.
func podServer(t *testing.T, options ...kubetest.Option) *kubetest.Server {
	t.Helper()
	options = append([]kubetest.Option{kubetest.WithPrograms(map[string]kubetest.Program{
		"fail": kubetest.Exit(7), "hang": kubetest.Hang(), "nap": kubetest.Sleep(time.Millisecond), "survive": kubetest.Survive(),
		"say": func(e *kubetest.Exec) int {
			fmt.Fprint(e.Stdout, strings.Join(e.Command[1:], " "))
			fmt.Fprint(e.Stderr, e.Container)
			return 0
		},
	})}, options...)
	s := kubetest.Start(t, options...)
	pod := kubetest.NewPod("n", "p", "app", "late")
	kubetest.StopContainers(pod, "CrashLoopBackOff")
	pod.Status.ContainerStatuses[0] = kubetest.NewPod("n", "p", "app").Status.ContainerStatuses[0]
	s.Put(pod)
	return s
}

func runCommand(t *testing.T, s *kubetest.Server, r exec.Request) (exec.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r.Namespace, r.Pod = "n", "p"
	return exec.Run(ctx, s.Client(), r)
}

func TestCommands(t *testing.T) {
	for name, options := range map[string][]kubetest.Option{"with a shell": nil, "without a shell": {kubetest.WithoutShell()}} {
		t.Run(name, func(t *testing.T) {
			s := podServer(t, options...)
			if res, err := runCommand(t, s, exec.Request{Command: []string{"say", "a", "b c"}}); err != nil || string(res.Stdout) != "a b c" || string(res.Stderr) != "app" {
				t.Errorf("%q, %q, %v", res.Stdout, res.Stderr, err)
			}
			var exit *exec.ExitError
			if _, err := runCommand(t, s, exec.Request{Command: []string{"fail"}}); !errors.As(err, &exit) || exit.Code != 7 {
				t.Errorf("%v", err)
			}
			if _, err := runCommand(t, s, exec.Request{Command: []string{"nap"}}); err != nil {
				t.Error(err)
			}
			if got := s.Commands()["n/p"]; !slices.Equal(got, []string{"say a b c", "fail", "nap"}) || s.MostCommands() != 1 {
				t.Errorf("ran %q, %d at a time", got, s.MostCommands())
			}
		})
	}
}

// TestHangingCommands: a command ends by a signal, which only a shell can send, and only if
// it heeds signals.
func TestHangingCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		command string
		options []kubetest.Option
		ended   bool
	}{
		"ends":     {command: "hang", ended: true},
		"no shell": {command: "survive", options: []kubetest.Option{kubetest.WithoutShell()}},
	} {
		_, err := runCommand(t, podServer(t, tc.options...), exec.Request{Command: []string{tc.command}, Timeout: 50 * time.Millisecond})
		var cut *exec.InterruptedError
		if !errors.As(err, &cut) || cut.Ended() != tc.ended || !errors.Is(err, exec.ErrTimeout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCommandOfALostWorker: what runs is found by its process id, and only in the container
// in which it runs.
func TestCommandOfALostWorker(t *testing.T) {
	s := podServer(t)
	started, ended := make(chan exec.Process, 1), make(chan error, 1)
	go func() {
		_, err := runCommand(t, s, exec.Request{Command: []string{"hang"}, Started: func(_ context.Context, p exec.Process) error { started <- p; return nil }})
		ended <- err
	}()
	p := <-started
	s.Put(kubetest.NewPod("n", "other", "app"))
	other, _ := kubetest.Get[corev1.Pod](s, kube.Pods(), "n", "other")
	elsewhere := exec.Process{Container: "app", Life: other.Status.ContainerStatuses[0].ContainerID, PID: p.PID}
	if err := exec.End(t.Context(), s.Client(), "n", "other", elsewhere); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended from another pod: %v", err)
	default:
	}
	if err := exec.End(t.Context(), s.Client(), "n", "p", p); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Code != 143 {
		t.Errorf("%v", err)
	}
}

// TestCommandsOverSPDY: who may only create pods/exec is served over SPDY.
func TestCommandsOverSPDY(t *testing.T) {
	s := podServer(t)
	s.Refuse(kubetest.On("exec", kube.Pods()).By(http.MethodGet), http.StatusForbidden, "Forbidden", "no get of pods/exec")
	res, err := runCommand(t, s, exec.Request{Command: []string{"say", "x"}})
	if err != nil || string(res.Stdout) != "x" || string(res.Stderr) != "app" {
		t.Errorf("%q, %q, %v", res.Stdout, res.Stderr, err)
	}
	var exit *exec.ExitError
	if _, err := runCommand(t, s, exec.Request{Command: []string{"fail"}}); !errors.As(err, &exit) || exit.Code != 7 {
		t.Errorf("%v", err)
	}
	var cut *exec.InterruptedError
	if _, err := runCommand(t, s, exec.Request{Command: []string{"hang"}, Timeout: 50 * time.Millisecond}); !errors.As(err, &cut) || !cut.Ended() {
		t.Errorf("%v", err)
	}
	s.Refuse(kubetest.On("exec", kube.Pods()), http.StatusForbidden, "Forbidden", "no create of pods/exec")
	if _, err := runCommand(t, s, exec.Request{Command: []string{"say"}}); !apierrors.IsForbidden(err) || !errors.Is(err, exec.ErrNotStarted) {
		t.Errorf("%v", err)
	}
}

// TestCommandsRecordedFirst: a command whose shell waits for a line runs once that has come, and
// not at all without it.
func TestCommandsRecordedFirst(t *testing.T) {
	for name, spdy := range map[string]bool{"WebSockets": false, "SPDY": true} {
		t.Run(name, func(t *testing.T) {
			s := podServer(t)
			if spdy {
				s.Refuse(kubetest.On("exec", kube.Pods()).By(http.MethodGet), http.StatusForbidden, "Forbidden", "no get of pods/exec")
			}
			away := errors.New("the store is away")
			record := func(context.Context, exec.Process) error { return away }
			if _, err := runCommand(t, s, exec.Request{Command: []string{"say"}, RecordFirst: true, Started: record}); !errors.Is(err, exec.ErrNotRecorded) || !errors.Is(err, away) {
				t.Errorf("not recorded: %v", err)
			}
			record = func(ctx context.Context, p exec.Process) error {
				err := exec.End(ctx, s.Client(), "n", "p", p)
				time.Sleep(100 * time.Millisecond) // until the stream of its shell has ended too
				return err
			}
			if _, err := runCommand(t, s, exec.Request{Command: []string{"say"}, RecordFirst: true, Started: record}); !errors.Is(err, exec.ErrUnreachable) {
				t.Errorf("ended by the next worker: %v", err)
			}
			if len(s.Commands()) > 0 {
				t.Errorf("ran %q", s.Commands())
			}
			res, err := runCommand(t, s, exec.Request{Command: []string{"say", "x"}, RecordFirst: true, Started: func(context.Context, exec.Process) error { return nil }})
			if err != nil || string(res.Stdout) != "x" {
				t.Errorf("recorded: %q, %v", res.Stdout, err)
			}
		})
	}
}

// TestRefusedExecs asks as nobody may: the server does not guess.
func TestRefusedExecs(t *testing.T) {
	s := podServer(t)
	const asked = "?container=app&command=say&stdout=true&stderr=true"
	for query, code := range map[string]int{
		"/n/pods/p/exec" + asked:     http.StatusBadRequest, // no protocol
		"/n/pods/none/exec" + asked:  http.StatusNotFound,
		"/other/pods/p/exec" + asked: http.StatusNotFound,
		"/n/pods/p/exec" + strings.Replace(asked, "container=app", "container=no", 1):   http.StatusBadRequest,
		"/n/pods/p/exec" + strings.Replace(asked, "container=app", "container=late", 1): http.StatusInternalServerError,
		"/n/pods/p/exec" + strings.Replace(asked, "container=app&", "", 1):              http.StatusBadRequest,
		"/n/pods/p/exec" + strings.Replace(asked, "command=say&", "", 1):                http.StatusBadRequest,
		"/n/pods/p/exec" + strings.Replace(asked, "&stderr=true", "", 1):                http.StatusBadRequest,
		"/n/pods/p/exec" + asked + "&tty=true":                                          http.StatusBadRequest,
		"/n/pods/p/exec" + asked + "&stdin=true":                                        http.StatusBadRequest,
	} {
		res, err := http.Get(s.URL() + "/api/v1/namespaces" + query)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != code {
			t.Errorf("%s: %s, want %d", query, res.Status, code)
		}
	}
	if len(s.Commands()) > 0 {
		t.Errorf("ran %q", s.Commands())
	}
}

func TestReplacedPods(t *testing.T) {
	s := podServer(t)
	s.Put(kubetest.NewPod("other", "q", "app"))
	before, _ := kubetest.Get[corev1.Pod](s, kube.Pods(), "n", "p")
	s.ReplacePods("n", kubetest.NewPod("n", "p", "app"), kubetest.NewPod("n", "p2", "app"))
	after, _ := kubetest.Get[corev1.Pod](s, kube.Pods(), "n", "p")
	if before.UID != after.UID || before.Status.ContainerStatuses[0].ContainerID == after.Status.ContainerStatuses[0].ContainerID {
		t.Errorf("uid %s, then %s; its container did not start again", before.UID, after.UID)
	}
	s.ReplacePods("n", kubetest.NewPod("n", "p2", "app"))
	var names []string
	for _, p := range kubetest.All[corev1.Pod](s, kube.Pods()) {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, []string{"p2", "q"}) {
		t.Errorf("pods %q", names)
	}
	if _, err := runCommand(t, s, exec.Request{Command: []string{"say"}}); !apierrors.IsNotFound(err) {
		t.Errorf("in a pod that was replaced: %v", err)
	}
}

// failures records what would fail a test.
type failures struct {
	testing.TB
	texts chan string
}

func (f failures) Errorf(format string, args ...any) { f.texts <- fmt.Sprintf(format, args...) }

func TestUnknownProgramFailsTheTest(t *testing.T) {
	f := failures{TB: t, texts: make(chan string, 1)}
	s := kubetest.Start(f)
	s.Put(kubetest.NewPod("n", "p", "app"))
	var exit *exec.ExitError
	if _, err := runCommand(t, s, exec.Request{Command: []string{"unknown"}}); !errors.As(err, &exit) || exit.Code != 127 {
		t.Errorf("%v", err)
	}
	if text := <-f.texts; !strings.Contains(text, `n/p was to run ["unknown"]`) {
		t.Errorf("failed with %q", text)
	}
}
