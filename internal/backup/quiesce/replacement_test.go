package quiesce

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// commandsRun are the commands that ran, each with its pod.
func commandsRun(s *kubetest.Server) []string {
	var out []string
	for pod, ran := range s.Commands() {
		for _, command := range ran {
			out = append(out, strings.TrimPrefix(pod, "n/")+" "+command)
		}
	}
	slices.Sort(out)
	return out
}

// newPod mounts the claim "data", and its container runs.
func newPod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	p := kubetest.NewPod("n", name, "app")
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "r", UID: types.UID("of-" + name), Controller: &yes}}
	p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}}}
	for _, c := range change {
		c(p)
	}
	return p
}

func withOwnHooks(p *corev1.Pod) {
	p.Annotations = map[string]string{"pre.hook.backup.velero.io/command": "own-freeze", "post.hook.backup.velero.io/command": "own-thaw"}
}

func sameOwner(p *corev1.Pod) { p.OwnerReferences[0].UID = "of-p0" }

func podEnded(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }

func crashing(p *corev1.Pod) { kubetest.StopContainers(p, "CrashLoopBackOff") }

func endedForGood(p *corev1.Pod) {
	p.Spec.RestartPolicy = corev1.RestartPolicyNever
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}
}

// plannedPod plans the pod p0, which ran when the backup was planned; each
// call of the function is another attempt at its unit.
func plannedPod(t *testing.T, change func(*backup.PodHooks)) (*kubetest.Server, func() *Quiescer) {
	t.Helper()
	s := newPodCluster(t)
	client := s.Client()
	pod := backup.PodHooks{Namespace: "n", Name: "p0", Owner: "of-p0", Claims: []string{"data"}, Pre: commandsOf("freeze"), Post: commandsOf("thaw")}
	if change != nil {
		change(&pod)
	}
	run := &backup.Run{Staging: repository.NewStaging(memstore.New(), "uid")}
	run.Plan.Volumes.Units = []backup.Unit{{Pods: []backup.PodHooks{pod}}}
	return s, func() *Quiescer {
		q := New(&backup.Service{Kube: client}, run, 0)
		q.times = backup.QuiesceTimes{Before: 200 * time.Millisecond, After: 400 * time.Millisecond, Pause: 10 * time.Millisecond}
		return q
	}
}

func commandsOf(names ...string) (out []hook.Hook) {
	for _, n := range names {
		out = append(out, hook.Hook{Name: n, Container: "app", Command: []string{n}, OnError: velerov1.HookErrorModeFail, Timeout: time.Minute})
	}
	return out
}

func codes(all []report.Reason) string {
	var out []string
	for _, r := range all {
		out = append(out, string(r.Code)+" "+r.Name)
	}
	return strings.Join(out, ", ")
}

// TestFreezeOfAPodThatIsGone: what was to be quiesced when the backup was planned is not
// snapshotted unquiesced, whoever has taken its place.
func TestFreezeOfAPodThatIsGone(t *testing.T) {
	continues := func(p *backup.PodHooks) { p.Pre[0].OnError = velerov1.HookErrorModeContinue }
	for name, tc := range map[string]struct {
		pods    []*corev1.Pod
		plan    func(*backup.PodHooks)
		ran     []string
		stopped string
		codes   string
	}{
		"it runs":                       {pods: []*corev1.Pod{newPod("p0")}, ran: []string{"p0 freeze", "p0 thaw"}},
		"another with hooks":            {pods: []*corev1.Pod{newPod("p1", withOwnHooks)}, ran: []string{"p1 own-freeze", "p1 own-thaw"}},
		"another of its owner":          {pods: []*corev1.Pod{newPod("p1", sameOwner)}, ran: []string{"p1 freeze", "p1 thaw"}},
		"another that does not run":     {pods: []*corev1.Pod{newPod("p1", sameOwner, crashing)}, stopped: "not found", codes: "HOOK_FAILED p0, HOOK_SKIPPED p0"},
		"another with hooks, not up":    {pods: []*corev1.Pod{newPod("p1", withOwnHooks, crashing)}, stopped: "not found", codes: "HOOK_FAILED p0, HOOK_SKIPPED p0"},
		"another that has ended":        {pods: []*corev1.Pod{newPod("p1", sameOwner, podEnded)}, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"another without hooks":         {pods: []*corev1.Pod{newPod("p1")}, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"none":                          {codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"it starts again":               {pods: []*corev1.Pod{newPod("p0", crashing)}, stopped: "CrashLoopBackOff", codes: "HOOK_FAILED p0, HOOK_SKIPPED p0"},
		"it has ended":                  {pods: []*corev1.Pod{newPod("p0", podEnded, endedForGood)}, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"it starts again, Continue":     {pods: []*corev1.Pod{newPod("p0", crashing)}, plan: continues, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"it had no volumes to snapshot": {pods: []*corev1.Pod{newPod("p0", crashing)}, plan: func(p *backup.PodHooks) { p.Claims = nil }, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, attempt := plannedPod(t, tc.plan)
			s.ReplacePods("n", tc.pods...)
			q := attempt()
			stopped, err := q.Quiesce(t.Context())
			if err := errors.Join(err, q.Unquiesce(t.Context(), nil)); err != nil {
				t.Fatal(err)
			}
			if why := stopped["n/p0"]; (why != "") != (tc.stopped != "") || !strings.Contains(why, tc.stopped) {
				t.Errorf("stopped %q", stopped)
			}
			if ran := commandsRun(s); !slices.Equal(ran, tc.ran) || codes(q.AllReasons()) != tc.codes {
				t.Errorf("ran %q, reasons %q", ran, codes(q.AllReasons()))
			}
		})
	}
}

// TestFreezeOfAPodThatComes waits for the one in its place, and the next attempt unquiesces
// that one if the worker is lost.
func TestFreezeOfAPodThatComes(t *testing.T) {
	s, attempt := plannedPod(t, nil)
	s.ReplacePods("n", newPod("p1", sameOwner, crashing))
	time.AfterFunc(50*time.Millisecond, func() { s.ReplacePods("n", newPod("p1", sameOwner)) })
	if stopped, err := attempt().Quiesce(t.Context()); err != nil || len(stopped) > 0 {
		t.Fatal(stopped, err)
	}
	if resumed, err := attempt().Resume(t.Context()); !resumed || err != nil {
		t.Fatal(resumed, err)
	}
	if ran := commandsRun(s); !slices.Equal(ran, []string{"p1 freeze", "p1 thaw"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestThawOfAContainerOutOfReach: what has begun is thawed whenever its node is back, and what
// has not is no reason to hold up the backup for as long.
func TestThawOfAContainerOutOfReach(t *testing.T) {
	wrong := func(p *backup.PodHooks) { p.Pre[0].Container = "nope" }
	for name, tc := range map[string]struct {
		change func(*backup.PodHooks)
		thawed bool
	}{
		"frozen":             {thawed: true},
		"the freeze ran not": {change: wrong},
		"nothing to freeze":  {change: func(p *backup.PodHooks) { p.Pre = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, attempt := plannedPod(t, tc.change)
			s.ReplacePods("n", newPod("p0"))
			q := attempt()
			q.times.Before, q.times.After = 50*time.Millisecond, 20*time.Second
			if _, err := q.Quiesce(t.Context()); err != nil {
				t.Fatal(err)
			}
			away := kubetest.On("exec", kube.Pods())
			if tc.thawed {
				away = away.Times(20) // two a try, 10 ms apart
			}
			s.Refuse(away, http.StatusInternalServerError, metav1.StatusReasonInternalError, "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused")
			began := time.Now()
			if err := q.Unquiesce(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > q.times.After/2 {
				t.Errorf("the backup was held up for %s", took)
			}
			if thawed := slices.Contains(commandsRun(s), "p0 thaw"); thawed != tc.thawed {
				t.Errorf("thawed %t", thawed)
			}
		})
	}
}

// TestThawOfAContainerThatIsDown: a file system stays quiesced over a restart of its
// container.
func TestThawOfAContainerThatIsDown(t *testing.T) {
	for name, tc := range map[string]struct {
		then    func(*corev1.Pod)
		returns bool
		codes   string
	}{
		"it returns":     {then: crashing, returns: true},
		"it stays down":  {then: crashing, codes: "HOOK_FAILED p0"},
		"over for good":  {then: endedForGood, codes: "HOOK_SKIPPED p0"},
		"the pod is out": {then: podEnded, codes: ""}, // its container still runs
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, attempt := plannedPod(t, nil)
			s.ReplacePods("n", newPod("p0"))
			q := attempt()
			if _, err := q.Quiesce(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.ReplacePods("n", newPod("p0", tc.then))
			if tc.returns {
				time.AfterFunc(100*time.Millisecond, func() { s.ReplacePods("n", newPod("p0")) })
			}
			if err := q.Unquiesce(t.Context(), nil); err != nil || codes(q.AllReasons()) != tc.codes {
				t.Errorf("%v, reasons %q", err, codes(q.AllReasons()))
			}
			if thawed := slices.Contains(commandsRun(s), "p0 thaw"); thawed != (tc.codes == "") {
				t.Errorf("thawed %t", thawed)
			}
		})
	}
}

// TestEveryPostHookRuns: the one that unquiesces may come after one that fails.
func TestEveryPostHookRuns(t *testing.T) {
	s, attempt := plannedPod(t, func(p *backup.PodHooks) { p.Post = commandsOf("notify", "thaw") })
	s.ReplacePods("n", newPod("p0"))
	s.SetProgram("notify", kubetest.Exit(1))
	q := attempt()
	if err := q.writeJournal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.Unquiesce(t.Context(), nil); err != nil || codes(q.AllReasons()) != "HOOK_FAILED p0" || q.counts.Attempted != 2 || q.counts.Failed != 1 {
		t.Errorf("%v, reasons %q, %+v", err, codes(q.AllReasons()), q.counts)
	}
	if ran := commandsRun(s); !slices.Equal(ran, []string{"p0 notify", "p0 thaw"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestFreezesAreCounted: after three in vain there is none more, and the reason says why.
func TestFreezesAreCounted(t *testing.T) {
	s, attempt := plannedPod(t, nil)
	s.ReplacePods("n", newPod("p0"))
	for i := range backup.MaxQuiesces {
		q := attempt()
		if _, err := q.Resume(t.Context()); err != nil || q.IsExhausted() || q.IsLast() != (i == backup.MaxQuiesces-1) {
			t.Fatalf("attempt %d: %v, exhausted %t, last %t", i, err, q.IsExhausted(), q.IsLast())
		}
		_, err := q.Quiesce(t.Context())
		if i == 1 {
			continue // the worker is lost
		}
		if err := errors.Join(err, q.Unquiesce(t.Context(), errors.New("EC2 does not answer"))); err != nil {
			t.Fatal(err)
		}
	}
	q := attempt()
	if _, err := q.Resume(t.Context()); err != nil || !q.IsExhausted() {
		t.Fatalf("%v, exhausted %t", err, q.IsExhausted())
	}
	if got := q.ExhaustedText(); !strings.Contains(got, "frozen 3 times, and no snapshot came of it: EC2 does not answer") {
		t.Errorf("text %q", got)
	}
	if got := codes(q.AllReasons()); got != "HOOK_REPEATED p0" {
		t.Errorf("of a unit with volumes: %s", got)
	}
	q.FailAllHooks()
	if got := codes(q.AllReasons()); got != "HOOK_REPEATED p0, HOOK_FAILED p0" {
		t.Errorf("of a unit without volumes: %s", got)
	}
}

// TestHooksOfReusedSnapshots: an attempt that uses the snapshots of another reports what went
// wrong with the hooks of that one, whether its worker got to unquiesce the pods or not.
func TestHooksOfReusedSnapshots(t *testing.T) {
	for name, lost := range map[string]bool{"thawed": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			s, attempt := plannedPod(t, func(p *backup.PodHooks) { p.Pre[0].OnError = velerov1.HookErrorModeContinue })
			s.ReplacePods("n", newPod("p0"))
			s.SetProgram("freeze", kubetest.Exit(1))
			q := attempt()
			_, err := q.Quiesce(t.Context())
			if !lost {
				err = errors.Join(err, q.Unquiesce(t.Context(), errors.New("the store is away")))
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{false: "HOOK_FAILED p0", true: "HOOK_FAILED p0, HOOK_REPEATED p0"}[lost]
			for range 2 { // the second attempt finds what the first one knew
				q = attempt()
				resumed, err := q.Resume(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				q.Reuse(resumed)
				if codes(q.AllReasons()) != want || q.counts.Attempted != 2 || q.counts.Failed != 1 {
					t.Errorf("reasons %q, %+v", codes(q.AllReasons()), q.counts)
				}
			}
		})
	}
}
