package exec

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// execServer is an API server with one pod, n/p, whose container "app" runs what
// run does. It speaks the WebSocket exec protocol, version 5.
type execServer struct {
	t *testing.T
	// run is the container's runtime. Its error is the runtime's own failure.
	run func(argv []string, stdout, stderr io.Writer, gone <-chan struct{}) (code int, err error)
	// refuse answers an exec before any protocol; may be nil.
	refuse func(w http.ResponseWriter, r *http.Request) bool
	pod    string // JSON of the pod; empty is one that runs
	mu     sync.Mutex
	execs  [][]string
}

// serve starts an HTTP server and a client of it that retries for a second.
func serve(t testing.TB, h http.HandlerFunc) *kube.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{RetryFor: time.Second, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func writeStatus(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
}

const runningPod = `{"metadata":{"name":"p","namespace":"n"},"spec":{"containers":[{"name":"app"},{"name":"late"}]},
"status":{"phase":"Running","containerStatuses":[{"name":"app","state":{"running":{}}},{"name":"late","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}}`

func (s *execServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/api/v1/namespaces/n/pods/p" && s.pod == "":
		fmt.Fprint(w, runningPod)
	case r.URL.Path == "/api/v1/namespaces/n/pods/p":
		fmt.Fprint(w, s.pod)
	case !strings.HasSuffix(r.URL.Path, "/p/exec"):
		writeStatus(w, 404, "NotFound", "no such pod")
	case s.refuse == nil || !s.refuse(w, r):
		s.exec(w, r)
	}
}

func (s *execServer) exec(w http.ResponseWriter, r *http.Request) {
	argv := r.URL.Query()["command"]
	s.mu.Lock()
	s.execs = append(s.execs, argv)
	s.mu.Unlock()
	up := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for { // pings are answered while reading
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	var mu sync.Mutex
	code, err := s.run(argv, &channel{conn, 1, &mu}, &channel{conn, 2, &mu}, gone)
	if err == errBroken {
		return
	}
	_, _ = (&channel{conn, 3, &mu}).Write(execStatus(code, err))
	mu.Lock()
	defer mu.Unlock()
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// errBroken makes the double drop the connection without a status.
var errBroken = fmt.Errorf("broken")

func execStatus(code int, err error) []byte {
	switch {
	case err != nil:
		return []byte(fmt.Sprintf(`{"status":"Failure","reason":"InternalError","message":%q,"code":500}`, "Internal error occurred: "+err.Error()))
	case code != 0:
		return []byte(fmt.Sprintf(`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"%d"}]}}`, code))
	}
	b, _ := json.Marshal(map[string]string{"status": "Success"})
	return b
}

// channel is one of the streams that share a WebSocket.
type channel struct {
	conn *websocket.Conn
	id   byte
	mu   *sync.Mutex
}

func (c *channel) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(p), c.conn.WriteMessage(websocket.BinaryMessage, append([]byte{c.id}, p...))
}

// asShell plays /bin/sh -c 'echo marker $$; exec …': it returns what the shell
// prints first, and the command.
func asShell(argv []string) (first string, command []string) {
	if len(argv) < 4 || argv[0] != "/bin/sh" || !strings.HasPrefix(argv[2], `echo "lifeboat-exec-`) {
		return "", argv
	}
	marker, _, _ := strings.Cut(strings.TrimPrefix(argv[2], `echo "`), " ")
	return marker + " 4242\n", argv[4:]
}

// isEnd reports whether argv is the script that ends a command, and its signal.
func isEnd(argv []string) (signal string, ok bool) {
	if len(argv) == 6 && argv[2] == endScript {
		return argv[4], true
	}
	return "", false
}
