package temporal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/operatorservice/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// server is a Temporal with search attributes, and with what its roles may do to them.
type server struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	mu         sync.Mutex
	attributes []string
	mayList    bool
	room       int // how many more may be added
	columns    int // how many of type Keyword there are in all; 0 means no limit but room
	unknown    int // how many starts are refused because an attribute is not known yet
	away       bool
	started    []*workflowservice.StartWorkflowExecutionRequest
	asked      func() // is called while a start is under way
	polled     bool   // by a worker
}

func (s *server) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	if !s.mayList {
		return nil, status.Error(codes.PermissionDenied, "Request unauthorized.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]enumspb.IndexedValueType{}
	for _, name := range s.attributes {
		out[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: out}, nil
}

func (s *server) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, typ := range in.GetSearchAttributes() {
		if s.columns > 0 && s.room <= 0 && typ == enumspb.INDEXED_VALUE_TYPE_KEYWORD { // the words of server 1.29 to 1.31
			return nil, status.Errorf(codes.InvalidArgument, "Unable to create search attributes: cannot have more than %d search attribute of type %s.", s.columns, typ)
		} else if s.columns > 0 && typ != enumspb.INDEXED_VALUE_TYPE_KEYWORD {
			s.room++ // the other types have columns of their own
		}
	}
	if len(in.GetSearchAttributes()) > s.room {
		return nil, status.Error(codes.PermissionDenied, "Request unauthorized.")
	}
	for name := range in.GetSearchAttributes() {
		s.attributes = append(s.attributes, name)
		s.room--
	}
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func (s *server) ListWorkflowExecutions(_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.attributes, func(name string) bool { return strings.Contains(in.GetQuery(), name) }) {
		return &workflowservice.ListWorkflowExecutionsResponse{}, nil
	}
	return nil, status.Error(codes.InvalidArgument, "invalid query: column name is not a valid search attribute")
}

func (s *server) StartWorkflowExecution(_ context.Context, in *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown--; s.unknown >= 0 {
		return nil, status.Error(codes.InvalidArgument, "Namespace default has no mapping defined for search attribute LifeboatCluster")
	}
	if s.asked != nil {
		s.asked()
	}
	s.started = append(s.started, in)
	return &workflowservice.StartWorkflowExecutionResponse{RunId: "r"}, nil
}

// A Temporal that does not answer is told from a worker that does not, and the connection's own
// words are left out.
func TestWhoIsSilent(t *testing.T) {
	t.Parallel()
	s := &server{}
	c := connectTo(t, s).ForCluster("prod")
	read := func() string {
		return c.readError(t.Context(), contract.ReadInput{Verb: contract.ReadBackups}, 30*time.Second, context.DeadlineExceeded).Error()
	}
	if got := read(); got != "read backups: no answer within 30s: check that the worker of cluster prod runs" {
		t.Error(got)
	}
	s.mu.Lock()
	s.away = true
	s.mu.Unlock()
	if got := read(); got != "read backups: temporal at "+c.Address()+" does not answer" {
		t.Error(got)
	}
}

func (s *server) DescribeTaskQueue(context.Context, *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, status.Error(codes.Unavailable, "connection refused")
	}
	if s.polled {
		poller := &taskqueuepb.PollerInfo{Identity: "w", LastAccessTime: timestamppb.Now()}
		return &workflowservice.DescribeTaskQueueResponse{Pollers: []*taskqueuepb.PollerInfo{poller}}, nil
	}
	return &workflowservice.DescribeTaskQueueResponse{}, nil
}

// A start that was asked for as somebody interrupts is known, so that it can be told that it goes on.
func TestInterruptedStart(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	s := &server{polled: true, asked: func() {
		interrupt()
		time.Sleep(50 * time.Millisecond) // the client has seen it
	}}
	c := connectTo(t, s).ForCluster("prod")
	run, err := c.StartScheduleChange(ctx, contract.ChangeSchedulesInput{Pause: []string{"a"}})
	if err != nil || run.RunID != "r" || len(s.started) != 1 {
		t.Errorf("%+v, %v, %d starts", run, err, len(s.started))
	}
	if _, err := c.StartScheduleChange(ctx, contract.ChangeSchedulesInput{Pause: []string{"a"}}); err == nil || len(s.started) != 1 {
		t.Errorf("started after the interrupt: %v, %d starts", err, len(s.started))
	}
}

func (s *server) GetWorkflowExecutionHistory(context.Context, *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	input, err := converter.GetDefaultDataConverter().ToPayloads(json.RawMessage(`{"spec":{"backupName":"nightly"}}`))
	if err != nil {
		return nil, err
	}
	started := &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: input}}
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: []*historypb.HistoryEvent{{Attributes: started}}}}, nil
}

// A restore that Temporal's own program has started has its backup in its input only.
func TestBackupOfARestoreWithoutMemo(t *testing.T) {
	c := connectTo(t, &server{}).ForCluster("prod")
	for _, s := range []State{{Run: Run{Kind: KindRestore}}, {Run: Run{Kind: KindRestore}, Backup: "known"}, {Run: Run{Kind: KindBackup}}} {
		want := s.Backup
		if s.Kind == KindRestore && want == "" {
			want = "nightly"
		}
		if c.findBackupName(t.Context(), &s); s.Backup != want {
			t.Errorf("%+v, want %s", s, want)
		}
	}
}

// temporalServer is what a client of this package talks to.
type temporalServer interface {
	workflowservice.WorkflowServiceServer
	operatorservice.OperatorServiceServer
}

func connectTo(t *testing.T, s temporalServer) *Connection {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(g, s)
	operatorservice.RegisterOperatorServiceServer(g, s)
	go func() { _ = g.Serve(l) }() // ends with Stop
	t.Cleanup(g.Stop)
	conn, err := Connect(t.Context(), Options{Address: l.Addr().String(), Env: variables{"TEMPORAL_CONFIG_FILE": "/does/not/exist"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// What the server lacks and does not take is known and told, with what an operator has to run;
// nothing of it keeps a worker from starting.
func TestRegisterAttributes(t *testing.T) {
	all := []string{contract.SearchCluster, contract.SearchName, contract.SearchPhase, contract.SearchExpires, contract.SearchSchedule}
	for name, tc := range map[string]struct {
		server *server
		want   []string
	}{
		"an administrator":                          {&server{mayList: true, room: 5}, nil},
		"room for two":                              {&server{mayList: true, room: 2}, all[2:]},
		"a writer, all there":                       {&server{mayList: true, attributes: all}, nil},
		"a writer, none there":                      {&server{mayList: true}, all},
		"neither list nor add, all there":           {&server{attributes: all}, nil},
		"neither list nor add, two there":           {&server{attributes: all[:2]}, all[2:]},
		"neither list nor add, none there":          {&server{}, all},
		"may add what it may not list, three there": {&server{attributes: all[:3], room: 5}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			a := connectTo(t, tc.server).RegisterAttributes(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
			if got := a.Missing(); !slices.Equal(got, tc.want) {
				t.Errorf("missing %v, want %v", got, tc.want)
			}
			for _, missing := range tc.want {
				if !strings.Contains(log.String(), "search-attribute create --namespace default --name "+missing) {
					t.Errorf("no command for %s in %s", missing, log.String())
				}
			}
			if len(tc.want) == 0 && log.Len() > 0 {
				t.Errorf("told %s", log.String())
			}
		})
	}
}

// A namespace of a server with SQL visibility has ten columns of type Keyword, which others may
// use. The worker registers as many as there is room for, the most useful ones, goes on without
// the rest, and says how many columns there are and how many are missing.
func TestFullColumns(t *testing.T) {
	for free, want := range map[int][]string{
		0: {contract.SearchCluster, contract.SearchName, contract.SearchPhase, contract.SearchSchedule},
		2: {contract.SearchPhase, contract.SearchSchedule},
		3: {contract.SearchSchedule},
		4: nil,
	} {
		var log strings.Builder
		s := &server{mayList: true, columns: 10, room: free}
		a := connectTo(t, s).RegisterAttributes(t.Context(), slog.New(slog.NewTextHandler(&log, nil)))
		if got := a.Missing(); !slices.Equal(got, want) {
			t.Errorf("%d free: missing %v, want %v", free, got, want)
		}
		told := fmt.Sprintf("namespace default has 10 columns for search attributes of type Keyword, of which 0 are free and %d are needed", len(want))
		counted := fmt.Sprintf("%d of 5 search attributes are missing", len(want))
		if line := log.String(); strings.Contains(line, told) != (len(want) > 0) || strings.Contains(line, counted) != (len(want) > 0) {
			t.Errorf("%d free: told %q", free, line)
		}
	}
}

// What an operator registers later is used from the next look on.
func TestAttributesRegisteredLater(t *testing.T) {
	s := &server{}
	a := connectTo(t, s).RegisterAttributes(t.Context(), slog.New(slog.DiscardHandler))
	s.mu.Lock()
	for _, want := range searchAttributes() {
		s.attributes = append(s.attributes, want.name)
	}
	s.mu.Unlock()
	if a.Look(t.Context()); len(a.Missing()) > 0 {
		t.Errorf("missing %v", a.Missing())
	}
}

// An attribute that was registered just now is unknown for a while: the catalog's start waits
// for it. Where it is missing the catalog goes without.
func TestStartCatalogAttributes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		unknown int
		missing []string
		carries bool
	}{
		"known":             {carries: true},
		"not known at once": {unknown: 1, carries: true},
		"missing":           {missing: []string{contract.SearchCluster}},
	} {
		s := &server{unknown: tc.unknown}
		err := connectTo(t, s).ForCluster("prod").StartCatalog(t.Context(), tc.missing)
		if err != nil || len(s.started) != 1 || len(s.started[0].GetSearchAttributes().GetIndexedFields()) > 0 != tc.carries {
			t.Errorf("%s: %v, %v", name, err, s.started)
		}
	}
}
