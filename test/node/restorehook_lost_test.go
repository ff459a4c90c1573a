//go:build stack

package node

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// twoSteps are two hooks. The second one's command says so if another of its kind still runs, and
// ends when the test lets it.
const twoSteps = `
resources:
- name: steps
  postHooks:
  - exec: {command: [sh, -c, "echo first >>/data/log"]}
  - exec:
      execTimeout: 1h
      command:
      - sh
      - -c
      - |
        : <target>
        for p in $(cat /data/processes); do kill -0 $p && echo beside >>/data/log; done
        echo $$ >>/data/processes
        echo begun >>/data/log
        until test -e /data/go; do sleep 0.2; done
        echo over >>/data/log
`

// s3Holding is an S3 server in front of the stack's. It holds the first write that has the
// process of a hook, before that server has it or, behind, before the worker knows.
func s3Holding(t *testing.T, behind bool) (address string, held <-chan struct{}) {
	t.Helper()
	reached, over := make(chan struct{}, 1), make(chan struct{})
	var done atomic.Bool // the next worker's writes pass
	hold := func() {
		if done.CompareAndSwap(false, true) {
			reached <- struct{}{}
			<-over
		}
	}
	next := http.DefaultTransport.(*http.Transport).Clone()
	srv := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", strings.TrimPrefix(shared.S3.Endpoint, "http://")
			r.Out.Host = r.In.Host // signatures cover it
		},
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			record, err := isRecord(r)
			if err != nil {
				return nil, err
			}
			if record && !behind {
				hold()
			}
			res, err := next.RoundTrip(r)
			if record && behind {
				hold()
			}
			return res, err
		}),
	})
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(over) })
	return srv.Listener.Addr().String(), reached
}

// isRecord reports whether a request writes the process of the second hook in the Pod plain.
func isRecord(r *http.Request) (bool, error) {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/plain.json") {
		return false, nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte(`"state":"ran"`)) && bytes.Contains(body, []byte(`"left":`)), err
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestRestoreHooksAfterWorkerDied kills the worker at any moment of the second hook: the first is
// not run again, the second is, never beside the lost worker's command, and the restore says so.
func TestRestoreHooksAfterWorkerDied(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		held, behind bool
		began        int // commands of the second hook
	}{
		"before its process is recorded": {held: true, began: 1},
		"before it is told to begin":     {held: true, behind: true, began: 1},
		"while it runs":                  {began: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := harness.Options{Cluster: fmt.Sprintf("lost-%t-%t", tc.held, tc.behind)}
			var held <-chan struct{}
			if tc.held {
				options.S3, held = s3Holding(t, tc.behind)
			}
			c := on(t, shared, binaries(t), options)
			worker := c.newWorker(t)
			backup, source, target := hookedBackup(t, c, strings.Split(hooked, "---")[1])
			run := c.restoreWithHooks(t, "restore-"+source, backup, source, target, twoSteps, false)
			log := c.podLog(t, target, "plain")
			if !tc.held {
				awaitLog(t, log, "first\nbegun\n")
				worker.Kill()
			} else {
				awaitHeld(t, held)
				waiting := running(t, ": "+target)
				worker.Kill()
				awaitLog(t, log, "own\nfirst\n")
				if len(waiting) == 0 {
					t.Error("no shell waits to become the command")
				}
				within(t, 5*time.Second, "the shell that waits ends with the worker", func() error { // none takes over by then
					if left := running(t, ": "+target); len(left) > 0 {
						return fmt.Errorf("it runs: %q", left)
					}
					return nil
				})
			}
			c.newWorker(t)
			awaitLog(t, log, "own\nfirst\n"+strings.Repeat("begun\n", tc.began))
			c.exec(t, target, "plain", "touch", "/data/go")
			res := restored(t, run)
			if want := (contract.HookCounts{Attempted: 2}); res.Phase != "Completed" || res.Hooks != want || res.Errors > 0 {
				t.Errorf("%+v", res)
			}
			reasonsHave(t, res, "HOOK_REPEATED")
			if got := c.exec(t, target, "plain", "cat", "/data/log"); got != "own\nfirst\n"+strings.Repeat("begun\n", tc.began)+"over" {
				t.Errorf("what happened: %q", got)
			}
		})
	}
}

func (c cluster) newWorker(t *testing.T) *harness.Worker {
	t.Helper()
	worker, err := c.StartWorker(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Kill)
	return worker
}

func awaitHeld(t *testing.T, held <-chan struct{}) {
	t.Helper()
	select {
	case <-held:
	case <-time.After(patience):
		t.Fatal("no process of a hook is recorded")
	}
}

// awaitLog waits until a Pod's file /data/log ends in a text.
func awaitLog(t *testing.T, log func() string, end string) {
	t.Helper()
	within(t, patience, "the hook runs", func() error {
		if text, err := os.ReadFile(log()); err != nil || !strings.HasSuffix(string(text), end) {
			return fmt.Errorf("log %q %v", text, err)
		}
		return nil
	})
}
