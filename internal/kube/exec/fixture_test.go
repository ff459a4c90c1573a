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
	// run is the container's runtime. Its error is the runtime's own failure. A shell that
	// waits for a line is played for it: run gets the command, and only once the line has come.
	run func(argv []string, stdout, stderr io.Writer, gone <-chan struct{}) (code int, err error)
	// held is called when such a shell has told its process id; may be nil. Its error ends it.
	held func() (code int, err error)
	// runWithStdin takes the place of run and plays all shells itself; may be nil. Without a
	// stdin, stdin is nil.
	runWithStdin func(argv []string, stdin io.Reader, stdout, stderr io.Writer) (code int, err error)
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
	reader, writer := io.Pipe()
	defer reader.Close() // nothing is read any more once the command has ended
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.receiveStdin(conn, writer)
	}()
	var stdin io.Reader
	if r.URL.Query().Get("stdin") == "true" {
		stdin = reader
	}
	var mu sync.Mutex
	code, err := s.runAny(argv, stdin, &channel{conn, 1, &mu}, &channel{conn, 2, &mu}, gone)
	if err == errBroken {
		return
	}
	_, _ = (&channel{conn, 3, &mu}).Write(execStatus(code, err))
	mu.Lock()
	defer mu.Unlock()
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// receiveStdin passes on what the client sends until the connection ends; pings are answered
// meanwhile. A real server takes a client's further channels, this one does not.
func (s *execServer) receiveStdin(conn *websocket.Conn, stdin *io.PipeWriter) {
	defer stdin.Close()
	for {
		_, message, err := conn.ReadMessage()
		switch {
		case err != nil:
			return
		case len(message) == 2 && message[0] == 255 && message[1] == 0:
			_ = stdin.Close()
		case len(message) > 0 && message[0] == 0:
			_, _ = stdin.Write(message[1:])
		default:
			s.t.Errorf("the client sent %q", message)
		}
	}
}

// runAny runs a command, and plays a shell that waits for a line. A real shell takes any line
// and does not mind what follows.
func (s *execServer) runAny(argv []string, stdin io.Reader, stdout, stderr io.Writer, gone <-chan struct{}) (int, error) {
	marker, waits := waitingShell(argv)
	switch {
	case s.runWithStdin != nil:
		return s.runWithStdin(argv, stdin, stdout, stderr)
	case waits != (stdin != nil):
		s.t.Errorf("%q has a stdin: %t", argv, stdin != nil)
	case waits:
		fmt.Fprint(stdout, marker+" 4242\n")
		if s.held != nil {
			if code, err := s.held(); code != 0 || err != nil {
				return code, err
			}
		}
		sent, _ := io.ReadAll(stdin) // until the client ends it, or the connection
		if string(sent) != "\n" {
			return 1, nil
		}
		argv = argv[4:]
	}
	return s.run(argv, stdout, stderr, gone)
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

// waitingShell reports whether argv is a shell that becomes its command once it has read a
// line, and its marker.
func waitingShell(argv []string) (marker string, ok bool) {
	first, _ := asShell(argv)
	marker, _, _ = strings.Cut(first, " ")
	return marker, first != "" && strings.HasSuffix(argv[2], ` $$"; read -r line && exec "$@" </dev/null`)
}

// isEnd reports whether argv is the script that ends a command, and its signal.
func isEnd(argv []string) (signal string, ok bool) {
	if len(argv) == 6 && argv[2] == endScript {
		return argv[4], true
	}
	return "", false
}
