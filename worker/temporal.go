package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// temporalClient is the connection and what the worker asks of it beyond polling.
type temporalClient struct {
	client.Client
	address, namespace string
}

// connect dials Temporal by its standard environment, with the configuration's
// overrides.
func connect(ctx context.Context, cfg *config.Config, l *slog.Logger, m *metrics) (*temporalClient, error) {
	o, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{
		ConfigFilePath: cfg.Temporal.ConfigFile, ConfigFileProfile: cfg.Temporal.Profile,
	})
	if err != nil {
		return nil, fmt.Errorf("temporal connection settings: %w", err)
	}
	if cfg.Temporal.Address != "" {
		o.HostPort = cfg.Temporal.Address
	}
	if cfg.Temporal.Namespace != "" {
		o.Namespace = cfg.Temporal.Namespace
	}
	if o.HostPort == "" {
		o.HostPort = client.DefaultHostPort
	}
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	o.Logger, o.MetricsHandler = log.NewStructuredLogger(l), m.handler()
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("temporal at %s: %w", o.HostPort, err)
	}
	return &temporalClient{Client: c, address: o.HostPort, namespace: o.Namespace}, nil
}

func searchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		contract.SearchCluster:  enums.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchName:     enums.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchPhase:    enums.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchSchedule: enums.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchExpires:  enums.INDEXED_VALUE_TYPE_DATETIME,
	}
}

// ensureSearchAttributes registers what workflows upsert: without them every
// workflow task would fail. Where the server does not let us, it says what to run.
func (t *temporalClient) ensureSearchAttributes(ctx context.Context) error {
	have, err := t.GetSearchAttributes(ctx)
	if err != nil {
		return fmt.Errorf("temporal: list search attributes: %w", err)
	}
	missing := searchAttributes()
	for name := range have.GetKeys() {
		delete(missing, name)
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = t.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: t.namespace, SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("temporal: register search attributes: %w; let an operator run:%s", err, commands(t.namespace, missing))
}

func commands(namespace string, missing map[string]enums.IndexedValueType) string {
	var lines []string
	for name, typ := range missing {
		lines = append(lines, fmt.Sprintf("\n  temporal operator search-attribute create --namespace %s --name %s --type %s", namespace, name, typ))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// startCatalog starts the entity that answers the CLI's reads, if it does not run
// yet: by it the CLI also finds out which clusters there are.
func (t *temporalClient) startCatalog(ctx context.Context, cluster string) error {
	_, err := t.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.CatalogID(cluster), TaskQueue: contract.TaskQueue(cluster),
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            "answers the CLI's reads of cluster " + cluster,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword(contract.SearchCluster).ValueSet(cluster)),
	}, contract.CatalogWorkflow)
	if err != nil {
		return fmt.Errorf("start the catalog of cluster %s: %w", cluster, err)
	}
	return nil
}

// Closed implements activities.Runs.
func (t *temporalClient) Closed(ctx context.Context, workflowID, runID string) (bool, error) {
	res, err := t.DescribeWorkflowExecution(ctx, workflowID, runID)
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("describe workflow %s: %w", workflowID, err)
	}
	status := res.GetWorkflowExecutionInfo().GetStatus()
	return status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}
