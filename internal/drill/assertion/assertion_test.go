package assertion_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/assertion"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

const (
	source, copied = "bookstore", "restore-test-bookstore"
	password       = "correct-horse-battery"
)

func jobType() kubetest.Type { return kubetest.Type{Resource: kube.Jobs(), Status: true} }

func widgets() kubetest.Type {
	return kubetest.Type{Resource: kube.Resource{Group: "example.com", Version: "v1", Name: "widgets", Singular: "widget", Kind: "Widget", Namespaced: true}, Custom: true}
}

// world is a copy with a database, a Service, a Secret and a custom resource.
func world(t *testing.T) (*kubetest.Server, *assertion.Runner) {
	s := kubetest.Start(t, kubetest.WithTypes(jobType(), widgets()), kubetest.WithPrograms(map[string]kubetest.Program{
		"count": print("1000\n"), "leak": print("the password is " + password), "fail": fail(2, "relation orders does not exist"),
		"long": print(strings.Repeat("x", 70<<10)), "hang": kubetest.Hang(),
	}))
	s.PutNamespaces(copied)
	for i, ready := range []bool{false, true} {
		pod := kubetest.NewPod(copied, fmt.Sprintf("db-%d", i), "db")
		pod.Labels = map[string]string{"app": "db"}
		pod.Status.PodIP = "10.0.0.9"
		if ready {
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		s.Put(pod)
	}
	s.PutJSON(
		`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"db","namespace":"`+copied+`"},"spec":{"selector":{"matchLabels":{"app":"db"}}},"status":{"readyReplicas":2}}`,
		`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","namespace":"`+copied+`"},"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"Synced","status":"True"}]}}`)
	s.Put(&corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: copied, Name: "db"}, Data: map[string][]byte{"password": []byte(password)}})
	return s, &assertion.Runner{
		Client: s.Client(), Namespaces: map[string]string{source: copied}, Look: time.Millisecond,
		Recorded: map[string]assertion.Recorded{"bookstore/orders": {Value: "1000", At: time.UnixMilli(1_700_000_000_000)}, "bookstore/users": {Value: "7"}},
		Labels:   map[string]string{"drill": "one"}, Probe: &definition.Probe{Image: "probe:1"},
	}
}

func print(text string) kubetest.Program {
	return func(e *kubetest.Exec) int {
		_, _ = fmt.Fprint(e.Stdout, text)
		return 0
	}
}

func fail(code int, why string) kubetest.Program {
	return func(e *kubetest.Exec) int {
		_, _ = fmt.Fprint(e.Stderr, why)
		return code
	}
}

func command(words ...string) definition.Assertion {
	return definition.Assertion{Exec: &definition.Exec{Pod: definition.PodChoice{Workload: "statefulset/db"}, Command: words}}
}

func expecting(a definition.Assertion, e definition.Expect) definition.Assertion {
	a.Expect = &e
	return a
}

func equals(text string) definition.Expect { return definition.Expect{Equals: &text} }

// TestAssertions has a row for each way in which an assertion holds, or does not.
func TestAssertions(t *testing.T) {
	request := func(h definition.HTTP) definition.Assertion { return definition.Assertion{HTTP: &h} }
	object := func(o definition.Object) definition.Assertion { return definition.Assertion{Object: &o} }
	sets := definition.Object{Resource: "statefulsets.apps", Name: "db", Field: "status.readyReplicas"}
	for name, tc := range map[string]struct {
		assertion definition.Assertion
		outcome   evidence.Outcome
		found     string
		detail    string
	}{
		"recorded value":             {expecting(command("count"), definition.Expect{Recorded: "orders"}), evidence.Held, "1000", ""},
		"another value":              {expecting(command("count"), definition.Expect{Recorded: "users"}), evidence.Broken, "1000", "another value"},
		"nothing recorded":           {expecting(command("count"), definition.Expect{Recorded: "books"}), evidence.Broken, "(not read)", "no recorded value bookstore/books"},
		"exact output":               {expecting(command("count"), equals("1000")), evidence.Held, "1000", ""},
		"regular expression":         {expecting(command("count"), definition.Expect{Matches: "^1[0-9]{3}$"}), evidence.Held, "1000", ""},
		"no match":                   {expecting(command("count"), definition.Expect{Matches: "^2"}), evidence.Broken, "1000", "does not match"},
		"success":                    {command("count"), evidence.Held, "1000", ""},
		"failure":                    {command("fail"), evidence.Broken, "(not read)", "relation orders does not exist"},
		"another exit code":          {definition.Assertion{Exec: &definition.Exec{Pod: definition.PodChoice{Name: "db-0"}, Command: []string{"fail"}, ExitCode: 2}}, evidence.Held, "2", ""},
		"exit code missed":           {definition.Assertion{Exec: &definition.Exec{Pod: definition.PodChoice{Name: "db-0"}, Command: []string{"count"}, ExitCode: 2}}, evidence.Broken, "0", "another value"},
		"secret in the output":       {command("leak"), evidence.Held, "the password is [secret db, key password]", ""},
		"secret that was compared":   {expecting(command("leak"), equals("the password is")), evidence.Broken, "the password is [secret db, key password]", "another value"},
		"too long to compare":        {expecting(command("long"), equals("x")), evidence.Broken, "(not read)", "more than 64 KiB"},
		"no such pod":                {definition.Assertion{Exec: &definition.Exec{Pod: definition.PodChoice{Name: "gone"}, Command: []string{"count"}}}, evidence.Broken, "(not read)", "not found"},
		"no pod is ready":            {definition.Assertion{Exec: &definition.Exec{Pod: definition.PodChoice{Labels: map[string]string{"app": "none"}}, Command: []string{"count"}}}, evidence.Broken, "(not read)", "none of the 0 pods"},
		"no such workload":           {definition.Assertion{Exec: &definition.Exec{Pod: definition.PodChoice{Workload: "deployment/gone"}, Command: []string{"count"}}}, evidence.Broken, "(not read)", "not found"},
		"namespace not in the copy":  {definition.Assertion{Namespace: "other", Object: &sets}, evidence.Broken, "(not read)", "no namespace other"},
		"http":                       {request(definition.HTTP{Service: "shop", Port: intstr.Parse("http"), Path: "/health?full=1"}), evidence.Held, "200", ""},
		"http body":                  {expecting(request(definition.HTTP{Service: "shop", Port: intstr.Parse("http"), Path: "/health"}), definition.Expect{Matches: "fine"}), evidence.Held, "all fine", ""},
		"http to a pod":              {request(definition.HTTP{Pod: &definition.PodChoice{Workload: "statefulset/db"}, Port: intstr.Parse("80"), Scheme: "https"}), evidence.Held, "200", ""},
		"http status":                {request(definition.HTTP{Service: "shop", Port: intstr.Parse("http"), Path: "/missing"}), evidence.Broken, "404", "another value"},
		"http status that is wanted": {request(definition.HTTP{Service: "shop", Port: intstr.Parse("http"), Path: "/missing", Status: 404}), evidence.Held, "404", ""},
		"http status before body":    {expecting(request(definition.HTTP{Service: "shop", Port: intstr.Parse("http"), Path: "/missing"}), definition.Expect{Matches: "x"}), evidence.Broken, "(not read)", "status 404, wanted is 200"},
		"http without endpoints":     {request(definition.HTTP{Service: "empty", Port: intstr.Parse("80"), Status: 503}), evidence.Broken, "(not read)", "no endpoints available"},
		"object":                     {object(definition.Object{Resource: "services", Name: "gone"}), evidence.Broken, "(not read)", "not found"},
		"object is there":            {object(definition.Object{Resource: "secrets", Name: "db"}), evidence.Held, "", ""},
		"field":                      {expecting(object(sets), equals("2")), evidence.Held, "2", ""},
		"field differs":              {expecting(object(sets), equals("3")), evidence.Broken, "2", "another value"},
		"no such field":              {expecting(object(definition.Object{Resource: "statefulsets.apps", Name: "db", Field: "status.none"}), equals("3")), evidence.Broken, "(not read)", "no such field"},
		"no such type":               {object(definition.Object{Resource: "gadgets.example.com", Name: "a"}), evidence.Broken, "(not read)", "serves no type"},
		"field of a Secret":          {expecting(object(definition.Object{Resource: "secrets", Name: "db", Field: "data.password"}), equals("")), evidence.Broken, "(not read)", "not read"},
		"condition":                  {definition.Assertion{Condition: &definition.Condition{Resource: "widgets.example.com", Name: "w", Type: "Synced"}}, evidence.Held, "True", ""},
		"condition differs":          {definition.Assertion{Condition: &definition.Condition{Resource: "widgets.example.com", Name: "w", Type: "Ready"}}, evidence.Broken, "False", "another value"},
		"condition that is wanted":   {definition.Assertion{Condition: &definition.Condition{Resource: "widgets.example.com", Name: "w", Type: "Ready", Status: "False"}}, evidence.Held, "False", ""},
		"no such condition":          {definition.Assertion{Condition: &definition.Condition{Resource: "widgets.example.com", Name: "w", Type: "Healthy"}}, evidence.Broken, "(not read)", "no condition Healthy"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := world(t)
			serveApplication(s)
			a := tc.assertion
			a.Name = name
			if a.Namespace == "" {
				a.Namespace = source
			}
			got := r.Run(context.Background(), a)
			if got.Outcome != tc.outcome || got.Found != tc.found || !strings.Contains(got.Detail, tc.detail) || got.Outcome == evidence.Held && got.Detail != "" {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(fmt.Sprintf("%+v", got), password) {
				t.Error("the result has a value of a Secret")
			}
			if got.Operator == evidence.Equals && (got.Outcome == evidence.Held) != (got.Recorded == got.Found) {
				t.Errorf("evidence would refuse it: %+v", got)
			}
		})
	}
}

// serveApplication answers what the API server's proxy is asked.
func serveApplication(s *kubetest.Server) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.Contains(path, "services/empty:80/"):
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no endpoints available for service \"empty\"","reason":"ServiceUnavailable","code":503}`)
		case strings.HasSuffix(path, "/services/shop:http/proxy/health"), strings.HasSuffix(path, "/pods/https:db-1:80/proxy/"):
			_, _ = fmt.Fprint(w, "all fine\n")
		default:
			http.Error(w, "no such page", http.StatusNotFound)
		}
	}
	s.Handle(kubetest.On("", kube.Services()).Sub("proxy"), answer)
	s.Handle(kubetest.On("", kube.Pods()).Sub("proxy"), answer)
}

// TestRetries tries until it holds, and no longer than it may.
func TestRetries(t *testing.T) {
	s, r := world(t)
	var attempts []int
	r.Progress = func(_ string, n int) {
		if attempts = append(attempts, n); n == 3 {
			s.SetProgram("late", print("here"))
		}
	}
	s.SetProgram("late", kubetest.Exit(1))
	a := command("late")
	a.Name, a.Namespace, a.Retries, a.RetryInterval.Duration = "late", source, 5, time.Millisecond
	if got := r.Run(context.Background(), a); got.Outcome != evidence.Held || got.Attempts != 3 || len(attempts) != 3 {
		t.Errorf("after %v: %+v", attempts, got)
	}
	a = command("fail")
	a.Name, a.Namespace, a.Retries, a.RetryInterval.Duration = "fail", source, 2, time.Millisecond
	if got := r.Run(context.Background(), a); got.Outcome != evidence.Broken || got.Attempts != 3 {
		t.Errorf("%+v", got)
	}
}

// TestTimeout bounds an attempt, and tells an end of the drill from one of the attempt.
func TestTimeout(t *testing.T) {
	_, r := world(t)
	a := command("hang")
	a.Name, a.Namespace, a.Timeout.Duration = "hang", source, 30*time.Millisecond
	if got := r.Run(context.Background(), a); got.Outcome != evidence.Broken || got.Detail == "" {
		t.Errorf("an attempt that hangs: %+v", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := r.Run(ctx, a); got.Outcome != evidence.NotChecked {
		t.Errorf("a drill that has ended: %+v", got)
	}
}

// TestSecretsUnread tells nothing that may hold a secret if it cannot know what is one.
func TestSecretsUnread(t *testing.T) {
	t.Parallel()
	s, r := world(t)
	s.Refuse(kubetest.On("list", kube.Secrets()), http.StatusForbidden, metav1.StatusReasonForbidden, "no")
	a := command("leak")
	a.Name, a.Namespace = "leak", source
	if got := r.Run(context.Background(), a); got.Outcome != evidence.Held || strings.Contains(got.Found, password) || !strings.Contains(got.Found, "withheld") {
		t.Errorf("%+v", got)
	}
}

// TestJob runs Jobs that succeed, fail, and do not end.
func TestJob(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end     batchv1.JobConditionType
		expect  *definition.Expect
		outcome evidence.Outcome
		detail  string
	}{
		"complete":     {batchv1.JobComplete, nil, evidence.Held, ""},
		"log":          {batchv1.JobComplete, &definition.Expect{Matches: "all 12 checks"}, evidence.Held, ""},
		"log differs":  {batchv1.JobComplete, &definition.Expect{Matches: "13"}, evidence.Broken, "does not match"},
		"failed":       {batchv1.JobFailed, nil, evidence.Broken, "the Job has failed: Because: it did"},
		"does not end": {"", nil, evidence.Broken, "has not ended"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := world(t)
			s.After(kubetest.On("create", kube.Jobs()), func(q kubetest.Request, answer map[string]any) { endJob(s, tc.end, answer) })
			s.Handle(kubetest.On("get", kube.Pods()).Sub("log"), func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "all 12 checks "+password) })
			a := definition.Assertion{Name: name, Namespace: source, Job: &definition.Job{Image: "check:1", EnvFromSecrets: []string{"db"}}, Expect: tc.expect}
			a.Timeout.Duration = time.Minute
			if tc.end == "" {
				a.Timeout.Duration = 700 * time.Millisecond
			}
			got := r.Run(context.Background(), a)
			if got.Outcome != tc.outcome || !strings.Contains(got.Detail, tc.detail) || strings.Contains(got.Found, password) {
				t.Errorf("%+v", got)
			}
			for _, job := range kubetest.All[batchv1.Job](s, kube.Jobs()) {
				if job.Labels["drill"] != "one" || job.Labels[contract.DrillPartLabel] == "" || job.Namespace != copied || *job.Spec.BackoffLimit != 0 {
					t.Errorf("the Job: %+v", job)
				}
			}
		})
	}
}

// endJob plays the controller of Jobs.
func endJob(s *kubetest.Server, end batchv1.JobConditionType, answer map[string]any) {
	meta, _ := answer["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	pod := kubetest.NewPod(copied, name+"-x", "assertion")
	pod.Labels = map[string]string{batchv1.JobNameLabel: name}
	s.Put(pod)
	if end == "" {
		return
	}
	kubetest.Modify(s, kube.Jobs(), copied, name, func(j *batchv1.Job) {
		j.Status.Conditions = []batchv1.JobCondition{{Type: end, Status: corev1.ConditionTrue, Reason: "Because", Message: "it did"}}
	})
}

// TestProbe connects out of the probe pod, which is made once.
func TestProbe(t *testing.T) {
	s, r := world(t)
	s.After(kubetest.On("create", kube.Pods()), func(q kubetest.Request, answer map[string]any) {
		kubetest.Modify(s, kube.Pods(), copied, "lifeboat-probe", func(p *corev1.Pod) {
			kubetest.StartContainers(p)
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		})
	})
	var commands [][]string
	s.SetProgram("sh", func(e *kubetest.Exec) int {
		commands = append(commands, e.Command)
		switch joined := strings.Join(e.Command, " "); {
		case strings.Contains(joined, "http://shop."+copied+".svc:8080/ok"):
			_, _ = fmt.Fprint(e.Stderr, "  HTTP/1.1 301 Moved\n  HTTP/1.1 200 OK\n")
			_, _ = fmt.Fprint(e.Stdout, "hello")
			return 0
		case strings.Contains(joined, "http://10.0.0.9:8080/gone"):
			_, _ = fmt.Fprint(e.Stderr, "HTTP/1.1 410 Gone\r\nwget: server returned error: HTTP/1.1 410 Gone\n")
			return 1
		case strings.Contains(joined, "nc -z") && strings.Contains(joined, "5432"):
			return 0
		}
		_, _ = fmt.Fprint(e.Stderr, "connection refused")
		return 1
	})
	pod := &definition.PodChoice{Workload: "statefulset/db"}
	for name, tc := range map[string]struct {
		a       definition.Assertion
		outcome evidence.Outcome
		found   string
		detail  string
	}{
		"body":    {expecting(definition.Assertion{HTTP: &definition.HTTP{Service: "shop", Port: intstr.Parse("8080"), Path: "/ok", From: "probe"}}, equals("hello")), evidence.Held, "hello", ""},
		"status":  {definition.Assertion{HTTP: &definition.HTTP{Pod: pod, Port: intstr.Parse("8080"), Path: "/gone", Status: 410, From: "probe"}}, evidence.Held, "410", ""},
		"refused": {definition.Assertion{HTTP: &definition.HTTP{Pod: pod, Port: intstr.Parse("9"), From: "probe"}}, evidence.Broken, "(not read)", "connection refused"},
		"port":    {definition.Assertion{TCP: &definition.TCP{Service: "db", Port: 5432, From: "probe"}}, evidence.Held, "", ""},
		"closed":  {definition.Assertion{TCP: &definition.TCP{Pod: pod, Port: 9, From: "probe"}}, evidence.Broken, "(not read)", "connection refused"},
	} {
		tc.a.Name, tc.a.Namespace = name, source
		if got := r.Run(context.Background(), tc.a); got.Outcome != tc.outcome || got.Found != tc.found || !strings.Contains(got.Detail, tc.detail) {
			t.Errorf("%s: %+v\nafter %q", name, got, commands)
		}
	}
	probe, there := kubetest.Get[corev1.Pod](s, kube.Pods(), copied, "lifeboat-probe")
	if !there || probe.Labels["drill"] != "one" || *probe.Spec.AutomountServiceAccountToken || !*probe.Spec.SecurityContext.RunAsNonRoot {
		t.Errorf("the probe: %+v", probe)
	}
}
