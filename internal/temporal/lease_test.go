package temporal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// TestRenewLease: a heartbeat that the server has taken renews the lease from when it was sent;
// one that it refused, or another request, does not.
func TestRenewLease(t *testing.T) {
	const heartbeat = workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName
	for name, tc := range map[string]struct {
		method string
		err    error
		lasts  time.Duration // from the beginning
	}{
		"taken":           {heartbeat, nil, 6*time.Second + 8*time.Second},
		"refused":         {heartbeat, errors.New("unavailable"), 8 * time.Second},
		"another request": {workflowservice.WorkflowService_DescribeNamespace_FullMethodName, nil, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := lease.Begin(t.Context(), 8*time.Second)
				defer end()
				begun := time.Now()
				time.Sleep(6 * time.Second)
				err := renewLease(ctx, tc.method, nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
					time.Sleep(time.Second)
					return tc.err
				})
				if !errors.Is(err, tc.err) {
					t.Errorf("got %v", err)
				}
				<-ctx.Done()
				if took := time.Since(begun); took != tc.lasts {
					t.Errorf("the lease has lasted %s, want %s", took, tc.lasts)
				}
			})
		})
	}
}
