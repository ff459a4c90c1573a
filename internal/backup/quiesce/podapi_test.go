package quiesce

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// podAPI is an API server with pods in which commands run.
type podAPI struct {
	pods  int
	took  time.Duration // by a command
	start time.Time

	mu      sync.Mutex
	now     int // commands that run
	most    int
	lists   int
	gets    int
	ran     map[string][]string // by pod
	onStart func(commands int)
	fails   map[string]bool // commands that end with code 1
}

func (s *podAPI) up(i int) bool { return time.Since(s.start) > time.Duration(i)*time.Millisecond }

func (s *podAPI) pod(i int) string {
	status := ""
	if s.up(i) {
		status = `{"name":"app","containerID":"c","state":{"running":{}}}`
	}
	return fmt.Sprintf(`{"metadata":{"namespace":"n","name":"p%d"},"spec":{"containers":[{"name":"app"}]},"status":{"phase":"Running","containerStatuses":[%s]}}`, i, status)
}

func (s *podAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var i int
	path := r.URL.Path
	switch n, _ := fmt.Sscanf(path, "/api/v1/namespaces/n/pods/p%d", &i); {
	case strings.HasSuffix(path, "/exec"):
		s.execHook(w, r, fmt.Sprintf("p%d", i))
	case n == 1:
		s.count(&s.gets)
		fmt.Fprint(w, s.pod(i))
	case r.URL.Query().Get("labelSelector") == "velero.io/restore-name=r":
		s.count(&s.lists)
		var items []string
		for i := range s.pods {
			items = append(items, s.pod(i))
		}
		fmt.Fprintf(w, `{"items":[%s]}`, strings.Join(items, ","))
	default:
		http.Error(w, path, http.StatusTeapot)
	}
}

func (s *podAPI) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

func (s *podAPI) execHook(w http.ResponseWriter, r *http.Request, pod string) {
	argv := r.URL.Query()["command"]
	up := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	send := func(channel byte, text string) {
		_ = conn.WriteMessage(websocket.BinaryMessage, append([]byte{channel}, text...))
	}
	if !strings.HasPrefix(argv[2], `echo "`) { // the script that ends a command: it is gone
		send(3, `{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"1"}]}}`)
		_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
		return
	}
	marker, _, _ := strings.Cut(strings.TrimPrefix(argv[2], `echo "`), " ")
	send(1, marker+" 77\n")
	s.run(pod, argv[4])
	if s.fails[argv[4]] {
		send(3, `{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"1"}]}}`)
	} else {
		send(3, `{"status":"Success"}`)
	}
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

func (s *podAPI) run(pod, command string) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.ran[pod] = append(s.ran[pod], command)
	commands := 0
	for _, list := range s.ran {
		commands += len(list)
	}
	s.mu.Unlock()
	if s.onStart != nil {
		s.onStart(commands)
	}
	time.Sleep(s.took)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
}
