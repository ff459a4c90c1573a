// Package kubetest is an API server in memory, for tests of what talks to one.
// It serves a table of types over HTTP, so that a real kube.Client works against
// it: Start(t).Client().
//
// It is stricter than a real server where that finds mistakes of ours: fields and
// parameters that it does not know are refused, not dropped. It runs no
// controllers: a test is the controller, with After and Modify.
package kubetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	"google.golang.org/grpc/test/bufconn"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Server is one API server. All methods may be called concurrently.
type Server struct {
	tb     testing.TB
	http   *httptest.Server
	memory *bufconn.Listener // in place of TCP; may be nil
	scheme *runtime.Scheme   // the Go types that requests are checked against

	noShell bool // of containers

	mu        sync.Mutex
	types     []Type
	objects   map[objectKey]object
	changes   int // the resourceVersion that was given last
	history   []change
	compacted int            // the last resourceVersion that is forgotten
	apart     map[string]int // types of another etcd: how far its revisions are ahead
	made      int            // objects, for their uids
	lists     map[int][]json.RawMessage
	listsMade int
	stale     []string // group versions that are announced and do not answer
	unhealthy bool
	requests  []Request
	reactions []*reaction

	programs     map[string]Program
	processes    map[string]*process // by pid
	commands     map[string][]string // by "namespace/name" of their pod
	commandsNow  int                 // that run
	commandsMost int                 // that ran at the same time
}

// object is one stored object, as JSON decodes it.
type object = map[string]any

type objectKey struct{ resource, namespace, name string }

// Option is a choice made when a Server is started.
type Option func(*Server)

// WithTypes serves further types. One that is served already in the same version
// is replaced.
func WithTypes(types ...Type) Option { return func(s *Server) { s.Serve(types...) } }

// WithoutTypes serves no such types, as a cluster without their definitions. They
// are named as kube.Resource.GroupResource names them.
func WithoutTypes(names ...string) Option {
	return func(s *Server) {
		for _, name := range names {
			s.Withdraw(name)
		}
	}
}

// WithStaleGroup announces a group version, such as "metrics.k8s.io/v1", that does
// not answer.
func WithStaleGroup(groupVersion string) Option {
	return func(s *Server) { s.stale = append(s.stale, groupVersion) }
}

// WithoutNetwork keeps the connections of Client in memory: in a bubble of testing/synctest
// the test then takes none of the time that its clients wait. Commands in pods need a network.
func WithoutNetwork() Option {
	return func(s *Server) { s.memory = bufconn.Listen(64 << 10) }
}

// WithIdentity gives the cluster the namespace kube-system with that uid, by which a
// cluster is told from another.
func WithIdentity(uid string) Option {
	return func(s *Server) {
		s.PutJSON(fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system","uid":%q},"status":{"phase":"Active"}}`, uid))
	}
}

// Start starts a server, which ends with the test. It serves CommonTypes and has
// no objects, not even a namespace.
func Start(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	s := &Server{
		tb: tb, types: CommonTypes(), scheme: runtime.NewScheme(),
		objects: map[objectKey]object{}, lists: map[int][]json.RawMessage{}, apart: map[string]int{},
		programs: map[string]Program{}, processes: map[string]*process{}, commands: map[string][]string{},
	}
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, snapshotv1.AddToScheme} {
		if err := add(s.scheme); err != nil {
			tb.Fatal(err)
		}
	}
	for _, o := range options {
		o(s)
	}
	if s.memory == nil {
		s.http = httptest.NewServer(s)
	} else {
		s.http = &httptest.Server{Listener: s.memory, Config: &http.Server{Handler: s}} //nolint:gosec // nobody else reaches it
		s.http.Start()
	}
	tb.Cleanup(s.http.Close)
	return s
}

// URL is where the server listens.
func (s *Server) URL() string { return s.http.URL }

// Client is a client of the server, which ends with the test. Without options it
// tries again for a second.
func (s *Server) Client(options ...kube.Options) *kube.Client {
	s.tb.Helper()
	o := kube.Options{RetryFor: time.Second}
	if len(options) > 0 {
		o = options[0]
	}
	cfg := &kube.RESTConfig{Host: s.URL()}
	if s.memory != nil {
		cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return s.memory.DialContext(ctx) }
	}
	c, err := kube.New(cfg, o)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(c.Close)
	return c
}

// SetHealthy says what the server answers when it is asked whether it lives and is
// ready.
func (s *Server) SetHealthy(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unhealthy = !yes
}
