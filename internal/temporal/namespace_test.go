package temporal

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// namespaceServer is a Temporal that has a namespace, lacks it, or does not tell.
type namespaceServer struct {
	server
	has, silent, mayCreate bool
	delay                  int // how many searches fail until a new namespace is known
	created                int
}

func (s *namespaceServer) DescribeNamespace(_ context.Context, in *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	switch {
	case s.silent:
		return nil, status.Error(codes.PermissionDenied, "Request unauthorized.")
	case !s.has:
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(in.GetNamespace())).Err()
	}
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (s *namespaceServer) RegisterNamespace(_ context.Context, in *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	if !s.mayCreate {
		return nil, status.Error(codes.PermissionDenied, "Request unauthorized.")
	}
	if got := in.GetWorkflowExecutionRetentionPeriod().AsDuration(); got != historyRetention {
		return nil, status.Errorf(codes.InvalidArgument, "retention %s", got)
	}
	s.created++
	return &workflowservice.RegisterNamespaceResponse{}, nil
}

func (s *namespaceServer) ListWorkflowExecutions(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if s.delay--; s.delay >= 0 {
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound("default")).Err()
	}
	return &workflowservice.ListWorkflowExecutionsResponse{}, nil
}

// A missing namespace is made only when asked for; without, the error says what to run. What the
// server does not tell keeps no worker from starting.
func TestEnsureNamespace(t *testing.T) {
	for name, tc := range map[string]struct {
		server  *namespaceServer
		create  bool
		created int
		err     string
	}{
		"it is there":           {&namespaceServer{has: true}, true, 0, ""},
		"not told":              {&namespaceServer{silent: true}, true, 0, ""},
		"missing":               {&namespaceServer{mayCreate: true}, false, 0, `no namespace "default": correct temporal.namespace, or let an operator run: temporal operator namespace create --namespace default`},
		"made":                  {&namespaceServer{mayCreate: true, delay: 1}, true, 1, ""},
		"must not be made here": {&namespaceServer{}, true, 0, `create namespace "default"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := connectTo(t, tc.server).EnsureNamespace(t.Context(), tc.create, slog.New(slog.DiscardHandler))
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("got %v, want %q", err, tc.err)
			}
			if tc.server.created != tc.created {
				t.Errorf("%d namespaces made", tc.server.created)
			}
		})
	}
}
