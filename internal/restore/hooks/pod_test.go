package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const twoContainers = `{"metadata":{"namespace":"n","name":"p"},"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Running","containerStatuses":[%s]}}`

const (
	aUp   = `{"name":"a","state":{"running":{}}}`
	bUp   = `{"name":"b","state":{"running":{}}}`
	bPull = `{"name":"b","state":{"waiting":{"reason":"ImagePullBackOff"}}}`
)

func decoded[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// hooksFor is a spec of hooks: container, onError and waitTimeout of each.
func hooksFor(t *testing.T, lines ...string) velerov1.RestoreHooks {
	var hooks []string
	for i, line := range lines {
		f := strings.Fields(line)
		hooks = append(hooks, fmt.Sprintf(`{"exec":{"container":%q,"onError":%q,"waitTimeout":%q,"command":["h%d"]}}`, f[0], f[1], f[2], i))
	}
	return decoded[velerov1.RestoreHooks](t, `{"resources":[{"name":"h","postHooks":[`+strings.Join(hooks, ",")+`]}]}`)
}

// drive plays a pod's life: at each second it is as states say; hooks that are chosen
// end as results say, "ok" unless stated. It returns the order of events.
func drive(t *testing.T, p *podRun, spec velerov1.RestoreHooks, states []string, results map[int]string) []string {
	t.Helper()
	began := time.Unix(1000, 0)
	var events []string
	for second, state := range states {
		v := hookView{spec: spec, began: began, until: began.Add(10 * time.Second), now: began.Add(time.Duration(second) * time.Second)}
		if state != "gone" {
			v.pod = decoded[*corev1.Pod](t, state)
		}
		for p.chooseHook(v) {
			end := &p.Runs[p.next]
			end.State = hookRan
			switch {
			case p.blocked != "":
				end.State, end.Text = hookFailed, p.blocked
			case results[p.next] != "":
				end.State, end.Text = hookFailed, results[p.next]
			}
			events = append(events, fmt.Sprintf("%d s: %d %s", second, p.next, end.State))
			if end.State == hookFailed && p.Hooks[p.next].Stops() {
				p.dropWaiting()
			}
		}
		if p.isFinished() {
			break
		}
	}
	return events
}

func TestHooksOfAPod(t *testing.T) {
	up := fmt.Sprintf(twoContainers, aUp+","+bUp)
	half := fmt.Sprintf(twoContainers, aUp+","+bPull)
	none := fmt.Sprintf(twoContainers, "")
	ended := strings.Replace(none, "Running", "Succeeded", 1)
	for name, c := range map[string]struct {
		spec    []string
		states  []string
		results map[int]string
		want    string
		counts  contract.HookCounts
		reasons []string
	}{
		"in order": {
			spec: []string{"a Fail 0s", "b Fail 0s", "a Fail 0s"}, states: []string{none, up},
			want: "1 s: 0 ran, 1 s: 1 ran, 1 s: 2 ran", counts: contract.HookCounts{Attempted: 3},
		},
		"a container does not wait for another": {
			spec: []string{"b Fail 0s", "b Fail 0s", "a Fail 0s"}, states: []string{half, half, up},
			want: "0 s: 2 ran, 2 s: 0 ran, 2 s: 1 ran", counts: contract.HookCounts{Attempted: 3},
		},
		"Fail stops the pod's other hooks": {
			spec: []string{"a Fail 0s", "b Continue 0s", "a Fail 0s"}, states: []string{up}, results: map[int]string{0: "code 1"},
			want: "0 s: 0 failed", counts: contract.HookCounts{Attempted: 1, Failed: 1},
			reasons: []string{"HOOK_FAILED hook h: code 1", "HOOK_SKIPPED 2 hooks were left out"},
		},
		"Continue goes on": {
			spec: []string{"a Continue 0s", "a Fail 0s"}, states: []string{up}, results: map[int]string{0: "code 1"},
			want: "0 s: 0 failed, 0 s: 1 ran", counts: contract.HookCounts{Attempted: 2, Failed: 1},
			reasons: []string{"HOOK_FAILED hook h: code 1"},
		},
		"waitTimeout is each hook's own": {
			spec: []string{"b Continue 2s", "b Continue 0s", "a Continue 0s"}, states: []string{half, half, half, half, up},
			want: "0 s: 2 ran, 2 s: 0 failed, 4 s: 1 ran", counts: contract.HookCounts{Attempted: 3, Failed: 1},
			reasons: []string{"HOOK_FAILED hook h: container b was not up after 2s: it waits to be started (ImagePullBackOff)"},
		},
		"no wait is for ever": {
			spec: []string{"b Continue 0s", "b Continue 1h"}, states: []string{none, none, none, none, none, none, none, none, none, none, none},
			want: "10 s: 0 failed, 10 s: 1 failed", counts: contract.HookCounts{Attempted: 2, Failed: 2},
			reasons: []string{"not up after 10s: it has not been started", "not up after 10s"},
		},
		"a pod that has ended": {
			spec: []string{"a Fail 0s", "a Fail 0s"}, states: []string{ended},
			want: "0 s: 0 failed", counts: contract.HookCounts{Attempted: 1, Failed: 1},
			reasons: []string{"the pod has ended (Succeeded)", "1 hooks were left out"},
		},
		"a pod that goes": {
			spec: []string{"a Continue 0s"}, states: []string{none, "gone"},
			want: "1 s: 0 failed", counts: contract.HookCounts{Attempted: 1, Failed: 1}, reasons: []string{"the pod is gone"},
		},
		"a pod that was never seen": {
			spec: []string{"a Continue 0s"}, states: []string{"gone"},
			want: "0 s: 0 failed", counts: contract.HookCounts{Attempted: 1, Failed: 1}, reasons: []string{"hook of the pod: the pod is gone"},
		},
	} {
		p := &podRun{Namespace: "n", Name: "p"}
		events := strings.Join(drive(t, p, hooksFor(t, c.spec...), c.states, c.results), ", ")
		if events != c.want || !p.isFinished() {
			t.Errorf("%s: %s, want %s", name, events, c.want)
		}
		counts, reasons := p.countOutcomes()
		ok := counts == c.counts && len(reasons) == len(c.reasons)
		for i := range c.reasons {
			ok = ok && strings.Contains(string(reasons[i].Code)+" "+reasons[i].Message, c.reasons[i])
		}
		if !ok {
			t.Errorf("%s: %+v %v, want %+v %q", name, counts, reasons, c.counts, c.reasons)
		}
	}
}

func TestLaterTriesAreForWhatHasNotBegun(t *testing.T) {
	for err, want := range map[error]bool{
		fmt.Errorf("x: %w", exec.ErrNotRunning):                           true,
		fmt.Errorf("x: %w", exec.ErrUnreachable):                          true,
		fmt.Errorf("x: %w", exec.ErrNotRecorded):                          true,
		fmt.Errorf("x: %w", exec.ErrNotStarted):                           false,
		fmt.Errorf("x: %w", exec.ErrNoContainer):                          false,
		fmt.Errorf("x: %w", &exec.ExitError{Code: 1}):                     false,
		fmt.Errorf("x: %w", &exec.InterruptedError{Why: exec.ErrTimeout}): false,
		errors.New("x"): false,
	} {
		if mayBeginLater(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestHookThatWasCutOffIsReported(t *testing.T) {
	p := decoded[*podRun](t, `{"hooks":[{"name":"warm"}],"runs":[{"state":"ran","again":true}]}`)
	counts, reasons := p.countOutcomes()
	if counts.Attempted != 1 || len(reasons) != 1 || reasons[0].Code != report.HookRepeated || reasons[0].IsError() {
		t.Errorf("%+v %v", counts, reasons)
	}
}
