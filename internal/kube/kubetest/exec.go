package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Exec is a command that a container runs.
type Exec struct {
	Namespace, Pod, Container string
	// Command is the command itself, without the shell that package exec starts it
	// through to learn its process id.
	Command        []string
	Stdout, Stderr io.Writer
	// Stopped is closed when the command is sent TERM or KILL.
	Stopped <-chan struct{}
}

// process is a running Exec.
type process struct {
	stopped chan struct{}
	stop    sync.Once
}

// serveExec speaks the WebSocket protocol of pods/exec, version 5.
func (s *Server) serveExec(w http.ResponseWriter, r *http.Request, q Request) {
	if err := s.checkExec(q); err != nil {
		writeError(w, err)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer func() { _ = conn.Close() }()
	go func() {
		for { // pings are answered while reading
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	out := &channels{conn: conn}
	code, err := s.runProcess(q, out)
	_, _ = out.writeChannel(3, execStatus(code, err))
	out.closeStreams()
}

// checkExec refuses what cannot run: no pod, no such container, nothing to run it.
func (s *Server) checkExec(q Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pods := Type{Resource: kube.Pods()}
	o, err := s.storedObject(pods, q)
	if err != nil {
		return err
	}
	pod, container := convertObject[corev1.Pod](s, o), q.Query.Get("container")
	named := func(c corev1.Container) bool { return c.Name == container }
	if !slices.ContainsFunc(pod.Spec.Containers, named) && !slices.ContainsFunc(pod.Spec.InitContainers, named) {
		return apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", container, q.Name))
	}
	if s.run == nil {
		return apierrors.NewInternalError(fmt.Errorf("kubetest: see WithExec"))
	}
	return nil
}

// runProcess runs the command of a request, or sends a signal to one that runs.
func (s *Server) runProcess(q Request, out *channels) (int, error) {
	argv := q.Query["command"]
	if signal, pid, ok := asSignal(argv); ok {
		return s.signalProcess(signal, pid), nil
	}
	p, pid := s.newProcess()
	defer s.endProcess(pid)
	marker, command := withoutShell(argv)
	if marker != "" {
		_, _ = out.writeChannel(1, []byte(marker+" "+pid+"\n"))
	}
	return s.run(&Exec{
		Namespace: q.Namespace, Pod: q.Name, Container: q.Query.Get("container"), Command: command,
		Stdout: channel{out, 1}, Stderr: channel{out, 2}, Stopped: p.stopped,
	})
}

func (s *Server) newProcess() (*process, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	p, pid := &process{stopped: make(chan struct{})}, strconv.Itoa(1000+s.made)
	s.processes[pid] = p
	return p, pid
}

func (s *Server) endProcess(pid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.processes, pid)
}

// signalProcess answers as the script that ends commands: 0 when one was alive.
func (s *Server) signalProcess(name, pid string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, alive := s.processes[pid]
	if !alive {
		return 1
	}
	if name != "0" {
		p.stop.Do(func() { close(p.stopped) })
	}
	return 0
}

// withoutShell takes off /bin/sh -c 'echo "marker $$"; exec "$@"' sh.
func withoutShell(argv []string) (marker string, command []string) {
	if len(argv) < 5 || argv[0] != "/bin/sh" || !strings.HasSuffix(argv[2], ` $$"; exec "$@"`) {
		return "", argv
	}
	marker, _, _ = strings.Cut(strings.TrimPrefix(argv[2], `echo "`), " ")
	return marker, argv[4:]
}

// asSignal reads /bin/sh -c SCRIPT sh SIGNAL PID.
func asSignal(argv []string) (signal, pid string, ok bool) {
	if len(argv) != 6 || argv[0] != "/bin/sh" || !strings.HasPrefix(argv[2], "sig=$1 pid=$2 ") {
		return "", "", false
	}
	return argv[4], argv[5], true
}

func execStatus(code int, err error) []byte {
	status := metav1.Status{Status: metav1.StatusSuccess}
	switch {
	case err != nil:
		status = apierrors.NewInternalError(err).ErrStatus
	case code != 0:
		status = metav1.Status{Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: "ExitCode", Message: strconv.Itoa(code)}},
		}}
	}
	raw, _ := json.Marshal(status) // a Status can be encoded
	return raw
}

// channels are the streams that share a WebSocket.
type channels struct {
	mu   sync.Mutex
	conn *websocket.Conn
}

func (c *channels) writeChannel(id byte, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(p), c.conn.WriteMessage(websocket.BinaryMessage, append([]byte{id}, p...))
}

func (c *channels) closeStreams() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// channel is one of the streams: 1 is stdout, 2 stderr.
type channel struct {
	all *channels
	id  byte
}

// Write implements io.Writer.
func (c channel) Write(p []byte) (int, error) { return c.all.writeChannel(c.id, p) }
