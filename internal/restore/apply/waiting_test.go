package apply

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
)

const webhookDown = `Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https://w.n.svc:443/": no endpoints available for service "w"`

// refuseFor refuses requests until some time after the first one.
func refuseFor(s *kubetest.Server, match kubetest.Match, d time.Duration, code int32, text string) {
	var first time.Time
	s.React(match, func(kubetest.Request) error {
		if first.IsZero() {
			first = time.Now()
		}
		if time.Since(first) > d {
			return nil
		}
		return &kube.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: map[int32]metav1.StatusReason{403: "Forbidden", 500: "InternalError"}[code], Message: text}}
	})
}

// TestObstaclesThatGo: what keeps an object out for a while, and is no fault of its own, is
// waited for.
func TestObstaclesThatGo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code int32
		text string
	}{
		"admission":       {500, webhookDown},
		"conversion":      {500, `conversion webhook for example.com/v1, Kind=Widget failed: Post "https://w.n.svc:443/": connection refused`},
		"not ready":       {503, `admission webhook "w.example.com" denied the request: cache is not synced`},
		"service account": {403, `pods "a" is forbidden: error looking up service account n/default: serviceaccount "default" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kubetest.Start(t, kubetest.WithoutNetwork())
				s.PutNamespaces("n")
				refuseFor(s, kubetest.On("create", kube.ConfigMaps()).Named("a"), 700*time.Millisecond, tt.code, tt.text)
				run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("a", "b")...)
				a := newTestApplier(t, s, run)
				a.obstacles.patience = func(obstacle) time.Duration { return 30 * time.Second }
				for name, rec := range applyAll(t, a, run) {
					if rec.Action != "created" || len(rec.Reasons) > 0 || rec.Waits != "" {
						t.Errorf("%s: %+v", name, rec)
					}
				}
			})
		})
	}
}

// TestObstacleThatStays: one of the objects behind it is tried again, all get a reason that
// says how long, and the next task does not wait again.
func TestObstacleThatStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutNamespaces("n")
		s.Refuse(kubetest.On("create", kube.ConfigMaps()), http.StatusInternalServerError, metav1.StatusReasonInternalError, webhookDown)
		run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("a", "b", "c", "d")...)
		for task := range 2 {
			began, before := time.Now(), s.Count(kubetest.On("create", kube.ConfigMaps()))
			records := applyAll(t, newTestApplier(t, s, run), run)
			for _, rec := range records {
				if rec.Action != "failed" || rec.Waits != "" || !slices.Equal(reasonWords(rec.Reasons), []string{"WEBHOOK_DENIED error"}) ||
					!strings.HasSuffix(rec.Reasons[0].Message, "this restore has waited for 1s") {
					t.Errorf("%+v", rec)
				}
			}
			if took := time.Since(began); len(records) != 4 || took > 10*time.Second {
				t.Errorf("task %d: %d records after %s", task, len(records), took)
			}
			if n := s.Count(kubetest.On("create", kube.ConfigMaps())) - before; task == 1 && n != 15 { // 3 tries of 4 objects, then of one: while it waits there are more
				t.Errorf("%d creates in the next task", n)
			}
		}
	})
}

// TestPatienceBehindServices: a webhook that could not be reached before its Service was
// there gets its time anew.
func TestPatienceBehindServices(t *testing.T) {
	run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("a")...)
	ends := map[plan.Level]time.Time{}
	for _, level := range []plan.Level{plan.Config, plan.Services, plan.CustomResources, plan.Last} {
		end, err := newObstacles(run.Stage, level).waitEnd(t.Context(), "webhook w")
		if err != nil {
			t.Fatal(err)
		}
		ends[level] = end
	}
	if !ends[plan.Config].Equal(ends[plan.Services]) || !ends[plan.CustomResources].Equal(ends[plan.Last]) || !ends[plan.CustomResources].After(ends[plan.Services]) {
		t.Errorf("%v", ends)
	}
	for o, want := range map[obstacle]time.Duration{"namespace n": 10 * time.Minute, "webhook w": 5 * time.Minute, "service account n/default": 30 * time.Second} {
		if o.patience() != want {
			t.Errorf("%s: %s", o, o.patience())
		}
	}
}

// TestStuckNamespace: a namespace that does not go costs its wait once, and the others
// nothing.
func TestStuckNamespace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutNamespaces("n")
		s.PutJSON(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"stuck","deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"finalizers":["kubernetes"]},"status":{"conditions":[{"type":"NamespaceDeletionDiscoveryFailure","status":"True","message":"metrics.k8s.io does not answer"}]}}`)
		objs := append(storedConfigMaps("healthy"),
			restoretest.Stored{Key: "configmaps stuck/a", Rest: storedData}, restoretest.Stored{Key: "configmaps stuck/b", Rest: storedData},
			restoretest.Stored{Key: "namespaces stuck", Rest: `,"apiVersion":"v1","kind":"Namespace"`})
		run := newRun(t, velerov1.RestoreSpec{}, false, objs...)
		healthy := time.Duration(-1)
		began := time.Now()
		s.After(kubetest.On("create", kube.ConfigMaps()).Named("healthy"), func(kubetest.Request, map[string]any) { healthy = time.Since(began) })
		for i, level := range []plan.Level{plan.Config, plan.Namespaces} {
			began := time.Now()
			a := newTestApplier(t, s, run)
			a.level = level
			records := applyAll(t, a, run)
			for _, name := range [][]string{{"a", "b"}, {"stuck"}}[i] {
				rec := records[name]
				if rec.Action != "failed" || !slices.Equal(reasonWords(rec.Reasons), []string{"NAMESPACE_NOT_READY error"}) || !strings.Contains(rec.Reasons[0].Message, "metrics.k8s.io does not answer; this restore has waited for 1s") {
					t.Errorf("%s: %+v", name, rec)
				}
			}
			if took := time.Since(began); i == 1 && took > 500*time.Millisecond {
				t.Errorf("waited %s for the namespace again", took)
			}
		}
		if healthy < 0 || healthy > 500*time.Millisecond {
			t.Errorf("the healthy namespace waited %s", healthy)
		}
	})
}

// TestFinishWaiting: a worker that takes over a task goes on with the objects that wait, and
// counts each once.
func TestFinishWaiting(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("m")
	run := newRun(t, velerov1.RestoreSpec{NamespaceMapping: map[string]string{"n": "m"}}, false, storedConfigMaps("a", "b")...)
	in := contract.ApplyTaskInput{Level: 1, Task: 2}
	staged := []restore.Record{
		{Resource: "configmaps", From: "n/a", Namespace: "m", Name: "a", Action: "created"},
		{Resource: "configmaps", From: "n/b", Namespace: "m", Name: "b", Action: "failed", Waits: "webhook w", Reasons: []report.Reason{report.New(report.WebhookDenied, "down")}},
	}
	if err := run.PutRecords(t.Context(), in, 0, staged); err != nil {
		t.Fatal(err)
	}
	cur := applyCursor{Batch: 1, Waiting: []int{0}}
	if err := newTestApplier(t, s, run).finishWaiting(t.Context(), in, []plan.Range{{From: 0, To: len(run.Arc.Members())}}, &cur); err != nil {
		t.Fatal(err)
	}
	records, err := run.BatchRecords(t.Context(), in, 0)
	if err != nil || len(records) != 2 || cur.Result.Counts != (contract.Counts{Created: 2}) || cur.Result.Errors != 0 || len(cur.Waiting) > 0 {
		t.Errorf("%+v of %+v, %v", cur, records, err)
	}
	if s.Count(kubetest.On("create", kube.ConfigMaps())) != 1 || isWaiting(records) {
		t.Errorf("%+v", records)
	}
}

// TestShedLoad: 429 is never an object's fault, however well the server is.
func TestShedLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutNamespaces("n")
		s.Refuse(kubetest.On("create", kube.ConfigMaps()), http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests, quoted")
		run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("a")...)
		records, err := newTestApplier(t, s, run).applyBatch(t.Context(), plan.Range{From: 0, To: len(run.Arc.Members())})
		if err == nil || strings.Contains(err.Error(), "quoted") {
			t.Errorf("%+v, %v", records, err)
		}
	})
}

// TestPassingFaultOfEtcd: a server error that names no webhook is tried for as long as what
// else passes.
func TestPassingFaultOfEtcd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := kubetest.Start(t, kubetest.WithoutNetwork())
		s.PutNamespaces("n")
		refuseFor(s, kubetest.On("create", kube.ConfigMaps()), 600*time.Millisecond, 500, "etcdserver: leader changed")
		run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("a")...)
		if rec := applyAll(t, newTestApplier(t, s, run), run)["a"]; rec.Action != "created" || len(rec.Reasons) > 0 {
			t.Errorf("%+v", rec)
		}
	})
}

// TestUpdateBehindWebhook: an object that is there keeps its content while the webhook that
// admits the update is down, and gets it when that is up.
func TestUpdateBehindWebhook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			down   time.Duration
			action string
			codes  []string
		}{
			"comes up":   {600 * time.Millisecond, "updated", nil},
			"stays down": {time.Hour, "skipped", []string{"WEBHOOK_DENIED warning"}},
		} {
			s := kubetest.Start(t, kubetest.WithoutNetwork())
			s.PutJSON(liveObject("ConfigMap", "a", "", otherData))
			refuseFor(s, kubetest.On("patch", kube.ConfigMaps()), tt.down, 500, webhookDown)
			run := newRun(t, updatePolicy(), false, storedConfigMaps("a")...)
			if rec := applyAll(t, newTestApplier(t, s, run), run)["a"]; rec.Action != tt.action || !slices.Equal(reasonWords(rec.Reasons), tt.codes) {
				t.Errorf("%s: %+v", name, rec)
			}
		}
	})
}

// TestTypeThatIsServedLate: a custom resource whose definition the restore has brought waits
// for the API server to show its type.
func TestTypeThatIsServedLate(t *testing.T) {
	t.Parallel()
	widgets := kubetest.Type{Resource: kube.Resource{Group: "example.com", Version: "v1", Name: "widgets", Kind: "Widget", Namespaced: true}}
	for name, served := range map[string]bool{"late": true, "never": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kubetest.Start(t, kubetest.WithoutNetwork())
				s.PutNamespaces("n")
				run := newRun(t, velerov1.RestoreSpec{}, false,
					restoretest.Stored{Key: "customresourcedefinitions.apiextensions.k8s.io widgets.example.com", Rest: definitionOf},
					restoretest.Stored{Key: "widgets.example.com n/o", Rest: `,"apiVersion":"example.com/v1","kind":"Widget"`},
					restoretest.Stored{Key: "gadgets.example.com n/g", Rest: `,"apiVersion":"example.com/v1","kind":"Gadget"`})
				a := newTestApplier(t, s, run)
				a.level = plan.CustomResources
				if served {
					time.AfterFunc(300*time.Millisecond, func() { s.Serve(widgets) })
				}
				records := applyAll(t, a, run)
				if rec := records["o"]; (rec.Action == "created") != served || !served && !slices.Equal(reasonWords(rec.Reasons), []string{"TYPE_NOT_SERVED error"}) {
					t.Errorf("%+v", rec)
				}
				if rec := records["g"]; rec.Action != "failed" || strings.Contains(rec.Reasons[0].Message, "waited") {
					t.Errorf("%+v", rec)
				}
			})
		})
	}
}

// TestObstacleOf tells what passes from what does not.
func TestObstacleOf(t *testing.T) {
	for text, err := range map[obstacle]error{
		"":            errors.New("no"),
		"namespace n": fmt.Errorf("create: %w", &terminatingError{"n", "finalizers"}),
		"webhook w":   &kube.StatusError{ErrStatus: metav1.Status{Code: 500, Message: `failed calling webhook "w"`}},
	} {
		if got := obstacleOf(err); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
}

// TestObstaclesText: whoever looks at a restore is told what it waits for.
func TestObstaclesText(t *testing.T) {
	for want, obstacles := range map[string][]obstacle{
		"":                       nil,
		"namespace n":            {"namespace n", "namespace n"},
		"namespace n and 1 more": {"webhook w", "namespace n", "webhook w"},
	} {
		b := &batch{}
		for _, o := range obstacles {
			b.waiting = append(b.waiting, &attempt{obstacle: o})
		}
		if got := b.obstaclesText(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestDeferred: what a webhook keeps out for longer than it is waited for is left, where its pods may come
// with a later level, and comes then; each object counts once, also where a worker dies in between.
func TestDeferred(t *testing.T) {
	t.Parallel()
	for name, up := range map[string]bool{"the webhook comes up": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kubetest.Start(t, kubetest.WithoutNetwork())
				s.PutNamespaces("n")
				s.Refuse(kubetest.On("create", kube.ConfigMaps()).Named("a"), http.StatusInternalServerError, metav1.StatusReasonInternalError, webhookDown)
				run := newRun(t, velerov1.RestoreSpec{}, false, storedConfigMaps("a", "b")...)
				in, all := contract.ApplyTaskInput{Level: 1, Task: 2, Defer: true}, []plan.Range{wholeArchive(run)}
				first := newTestApplier(t, s, run)
				first.defers = true
				records, err := first.applyBatch(t.Context(), all[0])
				if err != nil || run.PutRecords(t.Context(), in, 0, records) != nil {
					t.Fatal(err)
				}
				cur := applyCursor{Batch: 1, Waiting: []int{0}}
				if err := first.finishWaiting(t.Context(), in, all, &cur); err != nil {
					t.Fatal(err)
				}
				if cur.Result.Counts != (contract.Counts{Created: 1}) || cur.Result.Errors != 0 || cur.Result.Deferred != 1 {
					t.Errorf("before: %+v", cur.Result)
				}
				want := contract.ApplyResult{Counts: contract.Counts{Failed: 1}, Errors: 1, Records: 1}
				if up {
					s.Calm()
					want = contract.ApplyResult{Counts: contract.Counts{Created: 1}, Records: 1}
				}
				for range 2 { // the second is that of a worker that takes over before the first has told
					cur = applyCursor{}
					if err := newTestApplier(t, s, run).applyDeferred(t.Context(), in, all, &cur); err != nil {
						t.Fatal(err)
					}
					if cur.Result != want {
						t.Errorf("%+v, want %+v", cur.Result, want)
					}
				}
				if records, err = run.BatchRecords(t.Context(), in, 0); err != nil || len(records) != 2 || isWaiting(records) {
					t.Errorf("%+v, %v", records, err)
				}
			})
		})
	}
}
