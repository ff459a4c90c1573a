package assertion

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/connect"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
)

// sendRequest sends the GET of an http. Its value is the body, or the status where that is all
// that is asked for.
func (r *Runner) sendRequest(ctx context.Context, namespace string, a *definition.Assertion) attempt {
	send := r.getByProxy
	if a.NeedsProbe() {
		send = r.getByProbe
	}
	answer, err := send(ctx, namespace, a)
	want := cmp.Or(a.HTTP.Status, 200)
	switch {
	case err != nil:
		return attempt{err: err}
	case a.Expect == nil:
		return attempt{value: strconv.Itoa(answer.Status)}
	case answer.Status != want:
		return attempt{err: fmt.Errorf("the answer has status %d, wanted is %d", answer.Status, want)}
	case answer.Cut && a.Expect.Matches == "":
		return attempt{err: fmt.Errorf("the body has more than %d KiB: compare a part of it by a regular expression", mostOutput>>10)}
	}
	return attempt{value: string(answer.Body)}
}

func (r *Runner) getByProxy(ctx context.Context, namespace string, a *definition.Assertion) (connect.Response, error) {
	at := connect.Endpoint{Resource: kube.Services(), Namespace: namespace, Name: a.HTTP.Service, Port: a.HTTP.Port.String(), TLS: a.HTTP.Scheme == "https"}
	if a.HTTP.Pod != nil {
		pod, err := r.choosePod(ctx, namespace, a.HTTP.Pod)
		if err != nil {
			return connect.Response{}, err
		}
		at.Resource, at.Name = kube.Pods(), pod.Name
	}
	return connect.Get(ctx, r.Client, at, cmp.Or(a.HTTP.Path, "/"), mostOutput)
}

// address is the host and port of a Service or pod in the pods' network.
func (r *Runner) address(ctx context.Context, namespace, service string, choice *definition.PodChoice) (string, error) {
	if choice == nil {
		return service + "." + namespace + ".svc", nil
	}
	pod, err := r.choosePod(ctx, namespace, choice)
	if err != nil {
		return "", err
	}
	if pod.Status.PodIP == "" {
		return "", fmt.Errorf("pod %s has no address yet", pod.Name)
	}
	return pod.Status.PodIP, nil
}

// getScript sends a GET and prints the body; the headers go to stderr. Its arguments are the
// URL and a number of seconds. Not every wget has -T: that of Debian's busybox-static ends with a
// segmentation fault.
const getScript = `if command -v curl >/dev/null 2>&1
then exec curl -sS -k -m "$2" -D /dev/stderr -o - -- "$1"
fi
limit=
timeout 1 true 2>/dev/null && limit="timeout $2"
case "$1" in
https*) exec $limit wget --no-check-certificate -S -O - "$1" ;;
*) exec $limit wget -S -O - "$1" ;;
esac`

// getByProbe sends the request out of the probe pod.
func (r *Runner) getByProbe(ctx context.Context, namespace string, a *definition.Assertion) (connect.Response, error) {
	host, err := r.address(ctx, namespace, a.HTTP.Service, a.HTTP.Pod)
	if err != nil {
		return connect.Response{}, err
	}
	at := fmt.Sprintf("%s://%s%s", cmp.Or(a.HTTP.Scheme, "http"), net.JoinHostPort(host, a.HTTP.Port.String()), cmp.Or(a.HTTP.Path, "/"))
	result, err := r.runInProbe(ctx, namespace, a.AttemptTimeout(), "sh", "-c", getScript, "sh", at)
	status := statusIn(result.Stderr)
	if status == 0 {
		return connect.Response{}, cmp.Or(err, errors.New("the probe got no answer with a status"))
	}
	return connect.Response{Status: status, Body: result.Stdout, Cut: result.Cut}, nil // curl and wget end with a code for some statuses
}

// statusIn is the last status in the headers that curl and wget print, 0 if there is none.
func statusIn(headers []byte) int {
	found := regexp.MustCompile(`(?m)^\s*HTTP/[0-9.]+ ([0-9]{3})`).FindAllSubmatch(headers, -1)
	if len(found) == 0 {
		return 0
	}
	status, _ := strconv.Atoi(string(found[len(found)-1][1]))
	return status
}

// runInProbe runs a command in the probe pod, with a number of seconds as its last argument
// that is shorter than what bounds the command.
func (r *Runner) runInProbe(ctx context.Context, namespace string, timeout time.Duration, command ...string) (exec.Result, error) {
	pod, err := r.readyProbe(ctx, namespace)
	if err != nil {
		return exec.Result{}, err
	}
	seconds := math.Max(1, math.Floor(timeout.Seconds()*0.9))
	return exec.Run(ctx, r.Client, exec.Request{
		Namespace: namespace, Pod: pod, Command: append(command, strconv.Itoa(int(seconds))), Timeout: timeout, MaxOutput: mostOutput,
	})
}

// connectScript connects and closes. Not every nc has -z: busybox's may have -e instead, which has to be last.
// Its arguments are host, port and a number of seconds.
const connectScript = `said=$(nc -z -w "$3" "$1" "$2" 2>&1 </dev/null) && exit
case "$said" in
*option*) exec nc -w "$3" "$1" "$2" -e true </dev/null ;;
esac
echo "$said" >&2
exit 1`

// connectPort connects by a port-forward, or out of the probe pod.
func (r *Runner) connectPort(ctx context.Context, namespace string, a *definition.Assertion) error {
	if !a.NeedsProbe() {
		pod, err := r.choosePod(ctx, namespace, a.TCP.Pod)
		if err != nil {
			return err
		}
		return connect.Port(ctx, r.Client, namespace, pod.Name, a.TCP.Port)
	}
	host, err := r.address(ctx, namespace, a.TCP.Service, a.TCP.Pod)
	if err != nil {
		return err
	}
	result, err := r.runInProbe(ctx, namespace, a.AttemptTimeout(), "sh", "-c", connectScript, "sh", host, strconv.Itoa(int(a.TCP.Port)))
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("no connection from the probe to port %d: %s", a.TCP.Port, cmp.Or(strings.TrimSpace(string(result.Stderr)), exit.Error()))
	}
	return err
}
