package exec

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// endGrace is the time between TERM and KILL; endGiveUp, counted from TERM,
	// is when a command that survives KILL (another user's, or stuck in the
	// kernel) is given up.
	endGrace  = 3 * time.Second
	endGiveUp = 8 * time.Second
	// endPause is the time between two looks at the processes.
	endPause = 100 * time.Millisecond
)

// endScript sends a signal to every living process of a session and says whether
// there was one. Programs that runtimes exec into a container are leaders of a
// session of their own, so its number is their process id. Processes that nobody
// awaits any more (state Z) do nothing. Only what every shell has built in is used.
// Where /proc is not mounted, the process group is as near as one gets.
const endScript = `sig=$1 pid=$2 n=1
if [ ! -r /proc/self/stat ]; then
  kill "-$sig" "-$pid" 2>/dev/null || kill "-$sig" "$pid" 2>/dev/null
  exit
fi
for f in /proc/[0-9]*/stat; do
  all=
  while read -r line; do all=$all$line; done 2>/dev/null <"$f"
  rest=${all##*") "}
  set -- $rest
  [ "$4" = "$pid" ] || continue
  case $1 in Z|X|x) continue ;; esac
  p=${f#/proc/} p=${p%/stat}
  kill "-$sig" "$p" 2>/dev/null
  n=0
done
exit $n`

// Process is a command that runs in a container. It may be stored.
type Process struct {
	Container string `json:"container"`
	Life      string `json:"life"` // the container's id, another one after a restart
	PID       string `json:"pid"`
}

// End ends a command that a Run has left running because its process died. One
// that has ended, or whose container has, is no error. An *InterruptedError says that
// it may still run.
func End(ctx context.Context, c *kube.Client, namespace, pod string, p Process) error {
	e := &execution{client: c, req: Request{Namespace: namespace, Pod: pod, Container: p.Container, Command: []string{"/bin/sh"}}}
	err := e.checkContainer(ctx)
	if apierrors.IsNotFound(err) || errors.Is(err, ErrNotRunning) || errors.Is(err, ErrNoContainer) || err == nil && e.life != p.Life {
		return nil
	}
	if err != nil {
		return e.wrapError(err)
	}
	out := newOutput(0, "", true)
	out.id = p.PID
	if left := e.endProcess(ctx, out); left != "" {
		return e.wrapError(&InterruptedError{Why: errLeft, Left: left})
	}
	return nil
}

// endProcess makes sure that the command does not run on. The answer is empty when it is
// gone, with all processes of its session; else it is why that is not certain.
func (e *execution) endProcess(ctx context.Context, out *output) string {
	pid := out.processID()
	switch {
	case !out.shell:
		return "the container has no /bin/sh to end it with"
	case pid == "":
		return "it is not known whether it was started"
	}
	if n, err := strconv.Atoi(pid); err != nil || n < 2 {
		return "its process id cannot be read"
	}
	ctx, cancel := context.WithTimeout(ctx, endGiveUp)
	defer cancel()
	killing := time.Now().Add(endGrace)
	signal, left := "TERM", "it survived being killed"
	for {
		alive, err := e.sendSignal(ctx, signal, pid)
		switch {
		case err == nil && !alive:
			return ""
		case err == nil:
			signal = "0" // a look; TERM is sent once, since it may begin a tidy end
			left = "it survived being killed"
		case errors.Is(err, errSignal):
			return "ending it failed: " + err.Error()
		case ctx.Err() == nil:
			left = "ending it failed: " + e.errorText(err) // a broken connection may be back the next time
		}
		if time.Now().After(killing) {
			signal = "KILL"
		}
		if err := poll.Wait(ctx, endPause); err != nil {
			return left
		}
	}
}

// sendSignal sends one signal and reports whether anything of the command was alive.
func (e *execution) sendSignal(ctx context.Context, name, pid string) (bool, error) {
	out := newOutput(maxStderrQuote, "", false)
	err := e.streamCommand(ctx, []string{"/bin/sh", "-c", endScript, "sh", name, pid}, nil, out)
	var exit utilexec.CodeExitError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && exit.Code == 1:
		return false, nil
	case errors.As(err, &exit):
		return false, fmt.Errorf("%w %d", errSignal, exit.Code)
	}
	return false, err
}
