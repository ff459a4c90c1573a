package temporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// searchAttribute is one that runs are found by.
type searchAttribute struct {
	name string
	typ  enumspb.IndexedValueType
}

// searchAttributes are all of them, the most useful first: a server may have room for some.
func searchAttributes() []searchAttribute {
	return []searchAttribute{
		{contract.SearchCluster, enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		{contract.SearchName, enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		{contract.SearchPhase, enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		{contract.SearchExpires, enumspb.INDEXED_VALUE_TYPE_DATETIME},
		{contract.SearchSchedule, enumspb.INDEXED_VALUE_TYPE_KEYWORD},
	}
}

// Attributes knows which search attributes the server lacks. Runs go on without those.
type Attributes struct {
	conn *Connection
	log  *slog.Logger

	mu      sync.Mutex
	missing []string
}

// Missing are the names of the search attributes that the server lacked at the last look.
func (a *Attributes) Missing() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.missing
}

// RegisterAttributes registers what is missing, where it may: a namespace's writer may not,
// and a server that keeps visibility in SQL has ten columns of a type for everybody. What
// stays missing is told in the log, with what an operator has to run.
func (c *Connection) RegisterAttributes(ctx context.Context, log *slog.Logger) *Attributes {
	a := &Attributes{conn: c, log: log}
	a.setMissing(c.lackingAttributes(ctx, true))
	return a
}

// Look asks again for what was missing, which an operator may have registered since.
func (a *Attributes) Look(ctx context.Context) {
	if len(a.Missing()) > 0 {
		a.setMissing(a.conn.lackingAttributes(ctx, false))
	}
}

// setMissing keeps what is missing, and tells it where it has changed.
func (a *Attributes) setMissing(missing []searchAttribute, cause error) {
	var names []string
	for _, m := range missing {
		names = append(names, m.name)
	}
	a.mu.Lock()
	changed := !slices.Equal(names, a.missing)
	a.missing = names
	a.mu.Unlock()
	switch {
	case changed && len(names) > 0:
		a.log.Warn("search attributes are missing: runs go on without them and cannot be searched by them in Temporal",
			"missing", names, "error", cause, "remedy", "an operator runs: "+createCommands(a.conn.namespace, missing))
	case changed:
		a.log.Info("all search attributes are registered")
	}
}

// lackingAttributes are the search attributes that the server lacks, after registering those
// that it takes, and why it took no others.
func (c *Connection) lackingAttributes(ctx context.Context, register bool) (missing []searchAttribute, cause error) {
	listed, listErr := c.listAttributes(ctx)
	for _, want := range searchAttributes() {
		switch {
		case listErr == nil && listed[want.name] || listErr != nil && c.knowsAttribute(ctx, want.name):
			continue
		case register:
			err := c.addAttribute(ctx, want)
			if err == nil {
				continue
			}
			cause = err
		}
		missing = append(missing, want)
	}
	return missing, cause
}

// listAttributes are the names of the namespace's own search attributes. Servers that keep
// visibility in SQL list them here only, and not in GetSearchAttributes.
func (c *Connection) listAttributes(ctx context.Context) (map[string]bool, error) {
	res, err := c.sdk.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: c.namespace})
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for name := range res.GetCustomAttributes() {
		found[name] = true
	}
	return found, nil
}

// knowsAttribute asks by a search, which whoever may read the namespace may do: Temporal
// Cloud and narrow roles refuse the list.
func (c *Connection) knowsAttribute(ctx context.Context, name string) bool {
	_, err := c.sdk.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: "WorkflowId = 'none' AND " + name + " IS NULL", PageSize: 1,
	})
	return err == nil
}

func (c *Connection) addAttribute(ctx context.Context, want searchAttribute) error {
	_, err := c.sdk.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: c.namespace, SearchAttributes: map[string]enumspb.IndexedValueType{want.name: want.typ},
	})
	var exists *serviceerror.AlreadyExists // another worker was faster
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("register search attribute %s: %w", want.name, err)
}

// createCommands are what an operator runs to register what is missing. Temporal Cloud has a
// command of its own.
func createCommands(namespace string, missing []searchAttribute) string {
	var commands, cloud []string
	for _, m := range missing {
		commands = append(commands, fmt.Sprintf("temporal operator search-attribute create --namespace %s --name %s --type %s", namespace, m.name, m.typ))
		cloud = append(cloud, fmt.Sprintf("--sa %s=%s", m.name, m.typ))
	}
	return strings.Join(commands, "; ") + "; in Temporal Cloud: tcld namespace search-attributes add --namespace " + namespace + " " + strings.Join(cloud, " ")
}
