package temporal

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// renewLease renews the lease of an activity with each heartbeat that the server has taken. The
// SDK tells its callers nothing of the answer, but passes their context on.
func renewLease(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	sent := time.Now()
	err := invoke(ctx, method, request, reply, conn, options...)
	if err == nil && method == workflowservice.WorkflowService_RecordActivityTaskHeartbeat_FullMethodName {
		lease.Renew(ctx, sent)
	}
	return err
}
