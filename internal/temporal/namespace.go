package temporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// historyRetention is how long the histories of ended runs are kept in a namespace that we
	// make. Backups do not need them: the bucket has what became of each.
	historyRetention = 7 * 24 * time.Hour
	// namespaceVisible is how long a server may take until all its parts know a new namespace:
	// they read the list every ten seconds.
	namespaceVisible = time.Minute
)

// EnsureNamespace fails where the server has no namespace of the connection's name, with what
// an operator has to run; with create it makes it. A server that does not tell whether there is
// one, as narrow roles and Temporal Cloud's keys are answered, is believed to have it.
func (c *Connection) EnsureNamespace(ctx context.Context, create bool, log *slog.Logger) error {
	exists, err := c.hasNamespace(ctx)
	switch {
	case err != nil || exists:
		return nil //nolint:nilerr // what cannot be told is no reason not to start: polling tells
	case !create:
		return fmt.Errorf("temporal at %s has no namespace %q: correct temporal.namespace, or let an operator run: temporal operator namespace create --namespace %s --retention %s, or set temporal.createNamespace",
			c.address, c.namespace, c.namespace, historyRetention)
	}
	_, err = c.sdk.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: c.namespace, Description: "Lifeboat backups", WorkflowExecutionRetentionPeriod: durationpb.New(historyRetention),
	})
	var taken *serviceerror.NamespaceAlreadyExists // another worker was faster
	if err != nil && !errors.As(err, &taken) {
		return fmt.Errorf("create namespace %q in temporal at %s: %w", c.namespace, c.address, explainError(err))
	}
	log.Info("namespace created in Temporal", "namespace", c.namespace, "retention", historyRetention.String())
	return c.awaitNamespace(ctx)
}

func (c *Connection) hasNamespace(ctx context.Context) (bool, error) {
	_, err := c.sdk.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.namespace})
	var missing *serviceerror.NamespaceNotFound
	if errors.As(err, &missing) {
		return false, nil
	}
	return err == nil, err
}

// awaitNamespace waits until a search in the namespace is answered, which is what the first
// steps of a worker are.
func (c *Connection) awaitNamespace(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, namespaceVisible)
	defer cancel()
	for {
		_, err := c.sdk.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowId = 'none'", PageSize: 1})
		if err == nil {
			return nil
		}
		if poll.Wait(ctx, time.Second) != nil {
			return fmt.Errorf("wait for namespace %q: %w", c.namespace, explainError(err))
		}
	}
}
