package exec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// countingServer counts how often the command has run; signals are no commands.
func countingServer(ran *atomic.Int32) *execServer {
	return &execServer{run: func(argv []string, _, _ io.Writer, _ <-chan struct{}) (int, error) {
		if _, ok := isEnd(argv); ok {
			return 1, nil
		}
		ran.Add(1)
		return 0, nil
	}}
}

// A command whose process is recorded first begins once that is done, and has all of its
// time then.
func TestRunRecordsFirst(t *testing.T) {
	t.Parallel()
	var ran atomic.Int32
	s := countingServer(&ran)
	var noted Process
	res, err := runIn(t, s, Request{Timeout: time.Second, RecordFirst: true, Started: func(_ context.Context, p Process) error {
		time.Sleep(1100 * time.Millisecond)
		if ran.Load() > 0 {
			t.Error("the command ran before it was recorded")
		}
		noted = p
		return nil
	}})
	if err != nil || ran.Load() != 1 || noted.PID != "4242" || len(res.Stdout) > 0 {
		t.Errorf("ran %d times, noted %+v, printed %q, %v", ran.Load(), noted, res.Stdout, err)
	}
}

// The timeout counts from when the command runs, and ends it then.
func TestRunRecordsFirstAndTimesOut(t *testing.T) {
	t.Parallel()
	s := &execServer{}
	s.run = func(argv []string, _, _ io.Writer, gone <-chan struct{}) (int, error) {
		if _, ok := isEnd(argv); ok {
			return 1, nil
		}
		<-gone
		return 0, errBroken
	}
	_, err := runIn(t, s, Request{Timeout: 200 * time.Millisecond, RecordFirst: true, Started: func(context.Context, Process) error { return nil }})
	var cut *InterruptedError
	if !errors.As(err, &cut) || !cut.Ended() || !errors.Is(err, ErrTimeout) {
		t.Errorf("error %v", err)
	}
}

// Whatever happens before the record is written, the command has not run, and the error says
// so with its cause.
func TestRunWithoutRecordRunsNothing(t *testing.T) {
	t.Parallel()
	away, stop := errors.New("the store is away"), errors.New("the worker stops")
	for name, c := range map[string]struct {
		started func(ctx context.Context, stop func()) error
		held    func() (int, error)
		lasts   time.Duration // of the lease; 0 is a minute
		want    []error
	}{
		"the record fails": {
			started: func(context.Context, func()) error { return away },
			want:    []error{ErrNotRecorded, away},
		},
		"the record takes too long": {
			started: func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() },
			want:    []error{ErrNotRecorded, context.DeadlineExceeded},
		},
		"the caller ends meanwhile": {
			started: func(ctx context.Context, stop func()) error { stop(); return context.Cause(ctx) },
			want:    []error{ErrNotRecorded, stop},
		},
		"the process stood still meanwhile": {
			lasts:   100 * time.Millisecond,
			started: func(context.Context, func()) error { time.Sleep(200 * time.Millisecond); return nil },
			want:    []error{ErrNotRecorded, lease.ErrExpired},
		},
		"the connection breaks": {
			held: func() (int, error) { return 0, errBroken },
			started: func(context.Context, func()) error {
				time.Sleep(200 * time.Millisecond)
				return nil
			},
			want: []error{ErrUnreachable},
		},
		"the container ends": {
			held: func() (int, error) { return 137, nil },
			started: func(context.Context, func()) error {
				time.Sleep(200 * time.Millisecond)
				return nil
			},
			want: []error{ErrUnreachable},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ran atomic.Int32
			s := countingServer(&ran)
			s.t, s.held = t, c.held
			ctx, cancel := context.WithCancelCause(t.Context())
			ctx, end := lease.Begin(ctx, cmp.Or(c.lasts, time.Minute))
			defer end()
			lease.Renew(ctx, time.Now())
			_, err := Run(ctx, serve(t, s.ServeHTTP), Request{
				Namespace: "n", Pod: "p", Command: []string{"x"}, RecordFirst: true,
				Started: func(ctx context.Context, _ Process) error { return c.started(ctx, func() { cancel(stop) }) },
			})
			for _, want := range append(c.want, ErrNotStarted) {
				if !errors.Is(err, want) {
					t.Errorf("error %v is not %v", err, want)
				}
			}
			var cut *InterruptedError
			if errors.As(err, &cut) || ran.Load() > 0 {
				t.Errorf("ran %d times: %v", ran.Load(), err)
			}
			awaitNoStdin(t)
		})
	}
}

// A shell that does not answer, or in whose time the caller ends, has run nothing.
func TestRunUnansweredShellRunsNothing(t *testing.T) {
	t.Parallel()
	silent := &execServer{t: t, runWithStdin: func(_ []string, stdin io.Reader, _, _ io.Writer) (int, error) {
		sent, _ := io.ReadAll(stdin)
		if len(sent) > 0 {
			t.Errorf("it was sent %q", sent)
		}
		return 1, nil
	}}
	_, err := runIn(t, silent, Request{RecordFirst: true, Timeout: 100 * time.Millisecond})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "did not answer within 100ms") {
		t.Errorf("at the timeout: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = Run(ctx, serve(t, silent.ServeHTTP), Request{Namespace: "n", Pod: "p", Command: []string{"x"}, RecordFirst: true})
	if !errors.Is(err, ErrNotStarted) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("at the end of the caller: %v", err)
	}
	awaitNoStdin(t)
}

// A connection that breaks once the line was sent leaves a command that may run, and it is ended.
func TestRunBrokenAfterRelease(t *testing.T) {
	signals := 0
	s := &execServer{}
	s.run = func(argv []string, _, _ io.Writer, _ <-chan struct{}) (int, error) {
		if _, ok := isEnd(argv); ok {
			signals++
			return 1, nil
		}
		return 0, errBroken
	}
	_, err := runIn(t, s, Request{RecordFirst: true, Started: func(context.Context, Process) error { return nil }})
	var cut *InterruptedError
	if !errors.As(err, &cut) || !cut.Ended() || errors.Is(err, ErrNotStarted) || signals != 1 {
		t.Errorf("%v after %d signals", err, signals)
	}
	awaitNoStdin(t)
}

// A container without a shell knows no moment at which a command is there and has not begun.
func TestRunWithoutShellRecordsNothing(t *testing.T) {
	s := &execServer{t: t, runWithStdin: func(argv []string, stdin io.Reader, stdout, _ io.Writer) (int, error) {
		if argv[0] == "/bin/sh" {
			return 127, nil
		}
		if stdin != nil {
			t.Error("the command has a stdin")
		}
		_, err := io.WriteString(stdout, "out")
		return 0, err
	}}
	res, err := runIn(t, s, Request{RecordFirst: true, Started: func(context.Context, Process) error { return errors.New("called") }})
	if err != nil || string(res.Stdout) != "out" {
		t.Errorf("%q, %v", res.Stdout, err)
	}
}

// awaitNoStdin fails the test if a goroutine waits for a stdin that nobody ends any more.
func awaitNoStdin(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(text, "(*commandStdin).Read") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("a goroutine is left:\n%s", text)
		}
	}
}
