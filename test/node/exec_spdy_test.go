//go:build stack

package node

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/exec"
)

// withoutWebSockets is a client whose way to the API server lets no WebSocket pass, as
// some proxies do; it also counts the SPDY connections.
func (c cluster) withoutWebSockets(t *testing.T) (*kube.Client, *atomic.Int64) {
	t.Helper()
	k, spdy, _ := c.behindProxy(t, false)
	return k, spdy
}

// behindProxy is a client behind a proxy. It counts the SPDY connections, and cut breaks all
// connections there are.
func (c cluster) behindProxy(t *testing.T, webSockets bool) (k *kube.Client, spdy *atomic.Int64, cut func()) {
	t.Helper()
	cfg, err := kube.Config(c.Stack.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg.NextProtos = []string{"http/1.1"} // an upgrade is no matter of HTTP/2
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(c.Stack.APIServer)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	spdy = &atomic.Int64{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !webSockets && strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
			http.Error(w, "no", http.StatusBadRequest)
			return
		case strings.HasPrefix(r.Header.Get("Upgrade"), "SPDY/"):
			spdy.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	var mu sync.Mutex
	var open []net.Conn
	srv.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateNew {
			open = append(open, conn)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	if k, err = kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k, spdy, func() {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			_ = conn.Close()
		}
		open = nil
	}
}

// TestExecOverSPDY shows that commands run, and are ended, where WebSockets do not
// pass.
func TestExecOverSPDY(t *testing.T) {
	t.Parallel()
	c, ns := shellsPod(t, "spdy")
	k, spdy := c.withoutWebSockets(t)
	in := exec.Request{Namespace: ns, Pod: "shells", Command: []string{"sh", "-c", "echo out; echo err >&2; exit 4"}}
	res, err := exec.Run(t.Context(), k, in)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Code != 4 || exit.Stderr != "err" || string(res.Stdout) != "out\n" {
		t.Errorf("%q %v", res.Stdout, err)
	}
	in.Command, in.Timeout = []string{"sleep", "23456"}, 3*time.Second
	var cut *exec.InterruptedError
	if _, err = exec.Run(t.Context(), k, in); !errors.As(err, &cut) || !cut.Ended() {
		t.Errorf("got %v", err)
	}
	if left := running(t, "23456"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	bare := exec.Request{Namespace: ns, Pod: "shells", Container: "bare", Command: []string{"/tools/busybox", "echo", "out"}}
	if res, err = exec.Run(t.Context(), k, bare); err != nil || string(res.Stdout) != "out\n" {
		t.Errorf("without a shell: %q %v", res.Stdout, err)
	}
	bare.Command = []string{"/no/such/program", "--password=hunter2"}
	if _, err = exec.Run(t.Context(), k, bare); !errors.Is(err, exec.ErrNotStarted) || errors.Is(err, exec.ErrUnreachable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a program that is missing: %v", err)
	}
	if spdy.Load() == 0 {
		t.Error("no connection was SPDY")
	}
}

// TestExecMissingProgram shows what is said of a program that is not there, in a
// container with a shell.
func TestExecMissingProgram(t *testing.T) {
	t.Parallel()
	c, ns := shellsPod(t, "missing")
	_, err := exec.Run(t.Context(), c.Kube, exec.Request{Namespace: ns, Pod: "shells", Command: []string{"/no/such/program", "--password=hunter2"}})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Code != 127 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
