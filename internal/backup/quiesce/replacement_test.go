package quiesce

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// podCluster serves pods of namespace n that come and go, and runs commands in them.
type podCluster struct {
	*podAPI
	changing sync.Mutex
	live     map[string]corev1.Pod
}

func (c *podCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir, name := path.Split(r.URL.Path)
	if name == "exec" {
		c.execHook(w, r, path.Base(dir))
		return
	}
	c.changing.Lock()
	defer c.changing.Unlock()
	w.Header().Set("Content-Type", "application/json")
	pod, ok := c.live[name]
	switch {
	case name == "pods":
		list := corev1.PodList{Items: []corev1.Pod{}}
		for _, p := range c.live {
			list.Items = append(list.Items, p)
		}
		_ = json.NewEncoder(w).Encode(list)
	case ok:
		_ = json.NewEncoder(w).Encode(pod)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"not found","code":404}`)
	}
}

func (c *podCluster) set(pods ...corev1.Pod) {
	c.changing.Lock()
	defer c.changing.Unlock()
	c.live = map[string]corev1.Pod{}
	for _, p := range pods {
		c.live[p.Name] = p
	}
}

func (c *podCluster) commands() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for pod, ran := range c.ran {
		for _, command := range ran {
			out = append(out, pod+" "+command)
		}
	}
	slices.Sort(out)
	return out
}

// aPod mounts the claim "data", and its container runs.
func aPod(name string, change ...func(*corev1.Pod)) corev1.Pod {
	yes := true
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, OwnerReferences: []metav1.OwnerReference{{UID: types.UID("of-" + name), Controller: &yes}}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}, Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
		}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "app", ContainerID: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func withOwnHooks(p *corev1.Pod) {
	p.Annotations = map[string]string{"pre.hook.backup.velero.io/command": "own-freeze", "post.hook.backup.velero.io/command": "own-thaw"}
}

func sameOwner(p *corev1.Pod) { p.OwnerReferences[0].UID = "of-p0" }

func podEnded(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }

func waiting(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
}

func overForGood(p *corev1.Pod) {
	p.Spec.RestartPolicy = corev1.RestartPolicyNever
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}
}

// plannedPod is the pod p0 of that cluster, which ran when the backup was planned; each
// call of the function is another attempt at its unit.
func plannedPod(t *testing.T, change func(*backup.PodHooks)) (*podCluster, func() *Quiescer) {
	t.Helper()
	c := &podCluster{podAPI: &podAPI{ran: map[string][]string{}, fails: map[string]bool{}}}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	client, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	pod := backup.PodHooks{Namespace: "n", Name: "p0", Owner: "of-p0", Claims: []string{"data"}, Pre: commandsOf("freeze"), Post: commandsOf("thaw")}
	if change != nil {
		change(&pod)
	}
	run := &backup.Run{Staging: repository.NewStaging(memstore.New(), "uid")}
	run.Plan.Volumes.Units = []backup.Unit{{Pods: []backup.PodHooks{pod}}}
	return c, func() *Quiescer {
		f := New(&backup.Service{Kube: client}, run, 0)
		f.times = backup.QuiesceTimes{Before: 200 * time.Millisecond, After: 400 * time.Millisecond, Pause: 10 * time.Millisecond}
		return f
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
	goesOn := func(p *backup.PodHooks) { p.Pre[0].OnError = velerov1.HookErrorModeContinue }
	for name, tc := range map[string]struct {
		pods    []corev1.Pod
		plan    func(*backup.PodHooks)
		ran     []string
		stopped string
		codes   string
	}{
		"it runs":                       {pods: []corev1.Pod{aPod("p0")}, ran: []string{"p0 freeze", "p0 thaw"}},
		"another with hooks":            {pods: []corev1.Pod{aPod("p1", withOwnHooks)}, ran: []string{"p1 own-freeze", "p1 own-thaw"}},
		"another of its owner":          {pods: []corev1.Pod{aPod("p1", sameOwner)}, ran: []string{"p1 freeze", "p1 thaw"}},
		"another that does not run":     {pods: []corev1.Pod{aPod("p1", sameOwner, waiting)}, stopped: "not found", codes: "HOOK_FAILED p0, HOOK_SKIPPED p0"},
		"another with hooks, not up":    {pods: []corev1.Pod{aPod("p1", withOwnHooks, waiting)}, stopped: "not found", codes: "HOOK_FAILED p0, HOOK_SKIPPED p0"},
		"another that has ended":        {pods: []corev1.Pod{aPod("p1", sameOwner, podEnded)}, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"a stranger without hooks":      {pods: []corev1.Pod{aPod("p1")}, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"nobody":                        {codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"it starts again":               {pods: []corev1.Pod{aPod("p0", waiting)}, stopped: "CrashLoopBackOff", codes: "HOOK_FAILED p0, HOOK_SKIPPED p0"},
		"it has ended":                  {pods: []corev1.Pod{aPod("p0", podEnded, overForGood)}, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"it starts again, Continue":     {pods: []corev1.Pod{aPod("p0", waiting)}, plan: goesOn, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
		"it had no volumes to snapshot": {pods: []corev1.Pod{aPod("p0", waiting)}, plan: func(p *backup.PodHooks) { p.Claims = nil }, codes: "HOOK_SKIPPED p0, HOOK_SKIPPED p0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, attempt := plannedPod(t, tc.plan)
			c.set(tc.pods...)
			f := attempt()
			stopped, err := f.Quiesce(t.Context())
			if err := errors.Join(err, f.Unquiesce(t.Context(), nil)); err != nil {
				t.Fatal(err)
			}
			if why := stopped["n/p0"]; (why != "") != (tc.stopped != "") || !strings.Contains(why, tc.stopped) {
				t.Errorf("stopped %q", stopped)
			}
			if ran := c.commands(); !slices.Equal(ran, tc.ran) || codes(f.AllReasons()) != tc.codes {
				t.Errorf("ran %q, said %q", ran, codes(f.AllReasons()))
			}
		})
	}
}

// TestFreezeOfAPodThatComes waits for the one in its place, and the next attempt unquiesces
// that one if the worker is lost.
func TestFreezeOfAPodThatComes(t *testing.T) {
	c, attempt := plannedPod(t, nil)
	c.set(aPod("p1", sameOwner, waiting))
	time.AfterFunc(50*time.Millisecond, func() { c.set(aPod("p1", sameOwner)) })
	if stopped, err := attempt().Quiesce(t.Context()); err != nil || len(stopped) > 0 {
		t.Fatal(stopped, err)
	}
	if resumed, err := attempt().Resume(t.Context()); !resumed || err != nil {
		t.Fatal(resumed, err)
	}
	if ran := c.commands(); !slices.Equal(ran, []string{"p1 freeze", "p1 thaw"}) {
		t.Errorf("ran %q", ran)
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
		"it returns":     {then: waiting, returns: true},
		"it stays down":  {then: waiting, codes: "HOOK_FAILED p0"},
		"over for good":  {then: overForGood, codes: "HOOK_SKIPPED p0"},
		"the pod is out": {then: podEnded, codes: ""}, // its container still runs
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, attempt := plannedPod(t, nil)
			c.set(aPod("p0"))
			f := attempt()
			if _, err := f.Quiesce(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.set(aPod("p0", tc.then))
			if tc.returns {
				time.AfterFunc(100*time.Millisecond, func() { c.set(aPod("p0")) })
			}
			if err := f.Unquiesce(t.Context(), nil); err != nil || codes(f.AllReasons()) != tc.codes {
				t.Errorf("%v, said %q", err, codes(f.AllReasons()))
			}
			if thawed := slices.Contains(c.commands(), "p0 thaw"); thawed != (tc.codes == "") {
				t.Errorf("thawed %t", thawed)
			}
		})
	}
}

// TestEveryPostHookRuns: the one that unquiesces may come after one that fails.
func TestEveryPostHookRuns(t *testing.T) {
	c, attempt := plannedPod(t, func(p *backup.PodHooks) { p.Post = commandsOf("notify", "thaw") })
	c.set(aPod("p0"))
	c.fails["notify"] = true
	f := attempt()
	if err := f.Unquiesce(t.Context(), nil); err != nil || codes(f.AllReasons()) != "HOOK_FAILED p0" || f.counts.Attempted != 2 || f.counts.Failed != 1 {
		t.Errorf("%v, said %q, %+v", err, codes(f.AllReasons()), f.counts)
	}
	if ran := c.commands(); !slices.Equal(ran, []string{"p0 notify", "p0 thaw"}) {
		t.Errorf("ran %q", ran)
	}
}

// TestFreezesAreCounted: after three in vain there is none more, and the reason says why.
func TestFreezesAreCounted(t *testing.T) {
	c, attempt := plannedPod(t, nil)
	c.set(aPod("p0"))
	for i := range backup.MaxQuiesces {
		f := attempt()
		if _, err := f.Resume(t.Context()); err != nil || f.IsExhausted() || f.IsLast() != (i == backup.MaxQuiesces-1) {
			t.Fatalf("attempt %d: %v, spent %t, last %t", i, err, f.IsExhausted(), f.IsLast())
		}
		_, err := f.Quiesce(t.Context())
		if i == 1 {
			continue // the worker is lost
		}
		if err := errors.Join(err, f.Unquiesce(t.Context(), errors.New("EC2 does not answer"))); err != nil {
			t.Fatal(err)
		}
	}
	f := attempt()
	if _, err := f.Resume(t.Context()); err != nil || !f.IsExhausted() {
		t.Fatalf("%v, spent %t", err, f.IsExhausted())
	}
	if got := f.ExhaustedText(); !strings.Contains(got, "frozen 3 times, and no snapshot came of it: EC2 does not answer") {
		t.Errorf("says %q", got)
	}
	if got := codes(f.AllReasons()); got != "HOOK_REPEATED p0" {
		t.Errorf("of a unit with volumes: %s", got)
	}
	f.FailAllHooks()
	if got := codes(f.AllReasons()); got != "HOOK_REPEATED p0, HOOK_FAILED p0" {
		t.Errorf("of a unit without volumes: %s", got)
	}
}

// TestHooksOfSparedSnapshots: who uses what an attempt before has taken says what went
// wrong with its hooks, whether it got to the end of its quiesce or not.
func TestHooksOfSparedSnapshots(t *testing.T) {
	for name, lost := range map[string]bool{"thawed": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			c, attempt := plannedPod(t, func(p *backup.PodHooks) { p.Pre[0].OnError = velerov1.HookErrorModeContinue })
			c.set(aPod("p0"))
			c.fails["freeze"] = true
			f := attempt()
			_, err := f.Quiesce(t.Context())
			if !lost {
				err = errors.Join(err, f.Unquiesce(t.Context(), errors.New("the store is away")))
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{false: "HOOK_FAILED p0", true: "HOOK_FAILED p0, HOOK_REPEATED p0"}[lost]
			for range 2 { // also what the attempt between knew
				f = attempt()
				resumed, err := f.Resume(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				f.Reuse(resumed)
				if codes(f.AllReasons()) != want || f.counts.Attempted != 2 || f.counts.Failed != 1 {
					t.Errorf("said %q, %+v", codes(f.AllReasons()), f.counts)
				}
			}
		})
	}
}
