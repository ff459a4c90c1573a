package temporal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
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

// lackingAttributes are the search attributes that the server lacks, and why it took no others.
type lackingAttributes struct {
	missing []searchAttribute
	cause   error
	columns map[string]int // how many the namespace has of a type that is used up, by the type's name
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
// and a server that keeps visibility in SQL has ten columns of a type for all users of a
// namespace. What stays missing is told in the log, with what an operator has to run.
func (c *Connection) RegisterAttributes(ctx context.Context, log *slog.Logger) *Attributes {
	a := &Attributes{conn: c, log: log}
	a.setMissing(c.findLacking(ctx, true))
	return a
}

// Look asks again for what was missing, which an operator may have registered since.
func (a *Attributes) Look(ctx context.Context) {
	if len(a.Missing()) > 0 {
		a.setMissing(a.conn.findLacking(ctx, false))
	}
}

// setMissing keeps what is missing, and tells it where it has changed.
func (a *Attributes) setMissing(l lackingAttributes) {
	var names []string
	for _, m := range l.missing {
		names = append(names, m.name)
	}
	a.mu.Lock()
	changed := !slices.Equal(names, a.missing)
	a.missing = names
	a.mu.Unlock()
	switch {
	case changed && len(names) > 0:
		found := len(searchAttributes()) - len(names)
		a.log.Warn(fmt.Sprintf("%d of %d search attributes are missing: runs go on without them and cannot be searched by them in Temporal", len(names), found+len(names)),
			"missing", names, "error", l.cause, "remedy", l.remedy(a.conn.namespace))
	case changed:
		a.log.Info("all search attributes are registered")
	}
}

// findLacking registers the search attributes that the server takes, if it is to, and finds
// those that it lacks.
func (c *Connection) findLacking(ctx context.Context, register bool) lackingAttributes {
	listed, listErr := c.listAttributes(ctx)
	l := lackingAttributes{columns: map[string]int{}}
	for _, want := range searchAttributes() {
		switch {
		case listErr == nil && listed[want.name] || listErr != nil && c.knowsAttribute(ctx, want.name):
			continue
		case register:
			err := c.addAttribute(ctx, want)
			if err == nil {
				continue
			}
			l.cause = err
			if typ, columns := usedUp(err); columns > 0 {
				l.columns[typ] = columns
			}
		}
		l.missing = append(l.missing, want)
	}
	return l
}

// usedUp reads from the server's refusal which type has no free column, and how many columns
// of it there are. It is what a server says that keeps visibility in SQL.
func usedUp(err error) (typ string, columns int) {
	found := regexp.MustCompile(`cannot have more than (\d+) search attributes? of type (\w+)`).FindStringSubmatch(err.Error())
	if found == nil {
		return "", 0
	}
	columns, _ = strconv.Atoi(found[1]) // digits; too many of them are 0 columns, as without the text
	return found[2], columns
}

// remedy is what an operator does: frees columns where there are none, then registers what is
// missing.
func (l lackingAttributes) remedy(namespace string) string {
	var steps []string
	for _, typ := range slices.Sorted(maps.Keys(l.columns)) {
		needed := 0
		for _, m := range l.missing {
			if m.typ.String() == typ {
				needed++
			}
		}
		steps = append(steps, fmt.Sprintf("namespace %[1]s has %[2]d columns for search attributes of type %[3]s, of which 0 are free and %[4]d are needed: "+
			"an operator frees %[4]d (temporal operator search-attribute remove --namespace %[1]s --name NAME) or gives Lifeboat a namespace of its own", namespace, l.columns[typ], typ, needed))
	}
	return strings.Join(append(steps, "an operator runs: "+createCommands(namespace, l.missing)), "; then ")
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
