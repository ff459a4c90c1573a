package hooks

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// podServer serves many pods that come up one by one, and runs commands in them.
type podServer struct {
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

func (s *podServer) up(i int) bool { return time.Since(s.start) > time.Duration(i)*time.Millisecond }

func (s *podServer) pod(i int) string {
	status := ""
	if s.up(i) {
		status = `{"name":"app","containerID":"c","state":{"running":{}}}`
	}
	return fmt.Sprintf(`{"metadata":{"namespace":"n","name":"p%d"},"spec":{"containers":[{"name":"app"}]},"status":{"phase":"Running","containerStatuses":[%s]}}`, i, status)
}

func (s *podServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var i int
	path := r.URL.Path
	switch n, _ := fmt.Sscanf(path, "/api/v1/namespaces/n/pods/p%d", &i); {
	case strings.HasSuffix(path, "/exec"):
		s.exec(w, r, fmt.Sprintf("p%d", i))
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

func (s *podServer) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

func (s *podServer) exec(w http.ResponseWriter, r *http.Request, pod string) {
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

func (s *podServer) run(pod, command string) {
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

// hookedPods is a restore that made n pods with two hooks each.
func hookedPods(t *testing.T, n int) (*podServer, func() *hookRun) {
	t.Helper()
	s := &podServer{pods: n, took: 20 * time.Millisecond, start: time.Now(), ran: map[string][]string{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	client, err := kube.New(&kube.RESTConfig{Host: srv.URL}, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	b := memstore.New()
	ses := &restore.Run{St: b, Stage: repository.NewStaging(b, "uid")}
	ses.Restore.Name = "r"
	ses.Restore.Spec.Hooks = hooksFor(t, "app Fail 0s", "app Fail 0s")
	var records []restore.Record
	for i := range n {
		records = append(records, restore.Record{Resource: "pods", Kind: "Pod", Namespace: "n", Name: fmt.Sprintf("p%d", i), Action: "created", Hooks: 2})
	}
	records = append(records, restore.Record{Resource: "pods", Kind: "Pod", Namespace: "n", Name: "failed", Action: "failed", Hooks: 2})
	if err := ses.Stage.Put(t.Context(), repository.RecordsDir+"00.json", records); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	return s, func() *hookRun {
		h := &hookRun{r: &restore.Service{Kube: client}, s: ses, began: began, until: began.Add(time.Minute)}
		if err := h.load(t.Context()); err != nil {
			t.Fatal(err)
		}
		return h
	}
}

func TestHooksOfManyPods(t *testing.T) {
	s, newRun := hookedPods(t, 200)
	h := newRun()
	if err := h.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := h.finish(t.Context())
	if want := (contract.HookCounts{Attempted: 400}); err != nil || res.Hooks != want || res.Errors+res.Warnings > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if len(s.ran) != 200 {
		t.Errorf("%d pods had hooks run", len(s.ran))
	}
	for pod, commands := range s.ran {
		if !slices.Equal(commands, []string{"h0", "h1"}) {
			t.Errorf("%s ran %q", pod, commands)
		}
	}
	if s.most > hooksAtOnce || s.most < hooksAtOnce/2 {
		t.Errorf("%d commands at a time", s.most)
	}
	// A look before each command is Exec's; waiting for many is a list.
	if s.gets > 400+2*hookLookSingly || s.lists == 0 {
		t.Errorf("%d gets, %d lists", s.gets, s.lists)
	}
}

func TestHooksGoOnWhereALostWorkerWas(t *testing.T) {
	s, newRun := hookedPods(t, 30)
	ctx, kill := context.WithCancel(t.Context())
	s.onStart = func(commands int) {
		if commands == 25 {
			kill()
		}
	}
	if err := newRun().run(ctx); err == nil {
		t.Fatal("the first worker was not lost")
	}
	s.mu.Lock()
	first := 0
	for _, list := range s.ran {
		first += len(list)
	}
	s.mu.Unlock()
	h := newRun()
	if err := h.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := h.finish(t.Context())
	if want := (contract.HookCounts{Attempted: 60}); err != nil || res.Hooks != want || res.Errors > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	total := 0
	for pod, commands := range s.ran {
		total += len(commands)
		if got := slices.Compact(slices.Clone(commands)); !slices.Equal(got, []string{"h0", "h1"}) || len(commands) > 3 {
			t.Errorf("%s ran %q", pod, commands)
		}
	}
	// A hook that was about to begin is reported too: nobody can tell.
	if again := total - 60; again > res.Warnings || res.Warnings > hooksAtOnce || first < 25 || first > 25+hooksAtOnce {
		t.Errorf("%d commands ran again, %d are reported, %d at first", again, res.Warnings, first)
	}
}
