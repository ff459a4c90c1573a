package assertion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// Recorded is a value that was recorded with the backup: see hook.ReadRecorded.
type Recorded = hook.Recorded

// Runner tries assertions in one copy. It is for one goroutine.
type Runner struct {
	// Client reaches the cluster of the copy.
	Client *kube.Client
	// Namespaces is namespace in the backup → namespace of the copy.
	Namespaces map[string]string
	// Recorded are the values that were recorded with the backup, by namespace/name of the backup.
	Recorded map[string]Recorded
	// Probe is what connections with from: probe come out of; nil if there are none.
	Probe *definition.Probe
	// Labels are put on what is made.
	Labels map[string]string
	// PriorityClass is that of the pods which are made; it may be empty.
	PriorityClass string
	// Progress is called before each attempt, for a heartbeat; it may be nil.
	Progress func(assertion string, attempt int)
	// Look is how long it takes until a pod or Job is looked at again; 0 means 1 s.
	Look time.Duration

	catalog *kube.Catalog
	secrets map[string][]secretValue // by namespace of the copy
}

// attempt is what one try at an assertion came to: the value that it found, or why it found none.
type attempt struct {
	value string
	err   error
}

// Run tries an assertion until it holds or has been tried as often as it may be. It may
// repeat: a probe pod or Job that an attempt before it has made is used. An end of ctx gives
// the outcome NotChecked.
func (r *Runner) Run(ctx context.Context, a definition.Assertion) evidence.Assertion {
	out := evidence.Assertion{
		Name: evidence.Text(a.Name), Type: evidence.AssertionType(a.Type()), Target: evidence.Text(targetOf(&a)),
		Operator: operatorOf(&a), Origin: "user",
	}
	want, err := r.expectation(&a, &out)
	if err != nil {
		out.Outcome, out.Detail, out.Found = evidence.Broken, evidence.Text(err.Error()), notRead
		return out
	}
	for n := 1; ; n++ {
		got, took := r.tryOnce(ctx, &a, n)
		out.Attempts, out.Took = evidence.Count(n), evidence.MillisOf(took)
		if ctx.Err() != nil {
			out.Outcome, out.Detail = evidence.NotChecked, "the drill ended while it was tried"
			return out
		}
		r.judge(ctx, &a, want, got, &out)
		if out.Outcome == evidence.Held || n > a.Retries || poll.Wait(ctx, a.Interval()) != nil {
			return out
		}
	}
}

// notRead stands for a value that could not be read.
const notRead = "(not read)"

func operatorOf(a *definition.Assertion) evidence.Operator {
	switch {
	case a.Expect != nil && a.Expect.Matches != "":
		return "matches"
	case a.Expect != nil, a.Condition != nil, a.HTTP != nil, a.Exec != nil && a.Exec.ExitCode != 0:
		return evidence.Equals
	case a.Object != nil:
		return "exists"
	}
	return "succeeds"
}

// expectation is what the value has to be, and puts it into the result.
func (r *Runner) expectation(a *definition.Assertion, out *evidence.Assertion) (string, error) {
	want := implied(a)
	switch e := a.Expect; {
	case e == nil:
	case e.Recorded != "":
		value, ok := r.Recorded[a.Namespace+"/"+e.Recorded]
		if out.Origin = "backup"; !ok {
			return "", fmt.Errorf("the backup has no recorded value %s/%s: see docs/DRILLS.md on how to record it", a.Namespace, e.Recorded)
		}
		out.RecordedAt, want = evidence.MomentOf(value.At), value.Value
	case e.Matches != "":
		out.Recorded = evidence.Text(e.Matches)
		return e.Matches, nil
	default:
		want = *e.Equals
	}
	want = strings.TrimRight(want, "\r\n")
	out.Recorded = shorten(want)
	return want, nil
}

// implied is what an assertion without expect compares with.
func implied(a *definition.Assertion) string {
	switch {
	case a.Condition != nil:
		return cmp.Or(a.Condition.Status, "True")
	case a.HTTP != nil:
		return fmt.Sprint(cmp.Or(a.HTTP.Status, 200))
	case a.Exec != nil && a.Exec.ExitCode != 0:
		return fmt.Sprint(a.Exec.ExitCode)
	}
	return ""
}

// tryOnce is one attempt, within its timeout. The time of its request for a namespace that is
// not part of the copy is none.
func (r *Runner) tryOnce(ctx context.Context, a *definition.Assertion, n int) (attempt, time.Duration) {
	if r.Progress != nil {
		r.Progress(a.Name, n)
	}
	namespace, ok := r.Namespaces[a.Namespace]
	if !ok {
		return attempt{err: fmt.Errorf("the copy has no namespace %s: it is not in the backup, or the drill leaves it out", a.Namespace)}, 0
	}
	limited, cancel := context.WithTimeoutCause(ctx, a.AttemptTimeout(), fmt.Errorf("no answer within %s", a.AttemptTimeout()))
	defer cancel()
	start := time.Now()
	got := r.look(limited, namespace, a, n)
	return got, time.Since(start)
}

func (r *Runner) look(ctx context.Context, namespace string, a *definition.Assertion, n int) attempt {
	switch {
	case a.Exec != nil:
		return r.runCommand(ctx, namespace, a)
	case a.HTTP != nil:
		return r.sendRequest(ctx, namespace, a)
	case a.TCP != nil:
		return attempt{err: r.connectPort(ctx, namespace, a)}
	case a.Job != nil:
		return r.runJob(ctx, namespace, a, n)
	case a.Object != nil:
		return r.readObject(ctx, namespace, a.Object)
	case a.Condition != nil:
		return r.readCondition(ctx, namespace, a.Condition)
	}
	return attempt{err: errors.New("it does not say what to look at")}
}

// judge compares what was found. Values of Secrets are taken out of what is told.
func (r *Runner) judge(ctx context.Context, a *definition.Assertion, want string, got attempt, out *evidence.Assertion) {
	hide := r.hider(ctx, r.Namespaces[a.Namespace])
	value := strings.TrimRight(got.value, "\r\n")
	held, detail := compareValue(out.Operator, want, value)
	if got.err != nil {
		held, detail = false, hide(got.err.Error())
	}
	out.Outcome, out.Detail = evidence.Broken, evidence.Text(detail)
	if held {
		out.Outcome, out.Detail = evidence.Held, ""
	}
	out.Found = shorten(hide(value))
	if out.Operator == evidence.Equals && a.Expect == nil || held && out.Operator == evidence.Equals {
		out.Found = shorten(value) // what the user wrote down, or a status
	}
	if !held && (got.err != nil && value == "" || out.Operator == evidence.Equals && out.Found == out.Recorded) {
		out.Found = notRead
	}
}

// compareValue reports whether a value is what is wanted, and why it is not.
func compareValue(operator evidence.Operator, want, value string) (bool, string) {
	switch operator {
	case evidence.Equals:
		return value == want, "another value was found than is recorded"
	case "matches":
		expression, err := regexp.Compile(want)
		if err != nil {
			return false, "the regular expression: " + err.Error()
		}
		return expression.MatchString(value), "the regular expression does not match what was found"
	}
	return true, ""
}

// targetOf says where an assertion looks.
func targetOf(a *definition.Assertion) string {
	switch {
	case a.Exec != nil:
		return fmt.Sprintf("%s in %s of %s", a.Exec.Command[0], describePod(&a.Exec.Pod), a.Namespace)
	case a.HTTP != nil:
		return fmt.Sprintf("%s://%s:%s%s in %s", cmp.Or(a.HTTP.Scheme, "http"), describeEndpoint(a.HTTP.Service, a.HTTP.Pod), a.HTTP.Port.String(), cmp.Or(a.HTTP.Path, "/"), a.Namespace)
	case a.TCP != nil:
		return fmt.Sprintf("port %d of %s in %s", a.TCP.Port, describeEndpoint(a.TCP.Service, a.TCP.Pod), a.Namespace)
	case a.Job != nil:
		return fmt.Sprintf("%s in %s", a.Job.Image, a.Namespace)
	case a.Object != nil:
		return strings.TrimSpace(fmt.Sprintf("%s %s/%s %s", a.Object.Resource, a.Namespace, a.Object.Name, a.Object.Field))
	case a.Condition != nil:
		return fmt.Sprintf("%s %s/%s condition %s", a.Condition.Resource, a.Namespace, a.Condition.Name, a.Condition.Type)
	}
	return a.Namespace
}
