package temporal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func searchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		contract.SearchCluster:  enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchName:     enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchPhase:    enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchSchedule: enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		contract.SearchExpires:  enumspb.INDEXED_VALUE_TYPE_DATETIME,
	}
}

// RegisterSearchAttributes registers what workflows upsert: without them every
// workflow task would fail. Where the server does not let us, the error says what an
// operator has to run.
func (c *Connection) RegisterSearchAttributes(ctx context.Context) error {
	registered, err := c.sdk.GetSearchAttributes(ctx)
	if err != nil {
		return fmt.Errorf("temporal: list search attributes: %w", err)
	}
	missing := searchAttributes()
	for name := range registered.GetKeys() {
		delete(missing, name)
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.sdk.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: c.namespace, SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists // another worker was faster
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("temporal: register search attributes: %w; let an operator run:%s", err, createCommands(c.namespace, missing))
}

// createCommands are the lines by which an operator registers what is missing.
func createCommands(namespace string, missing map[string]enumspb.IndexedValueType) string {
	var lines []string
	for name, typ := range missing {
		lines = append(lines, fmt.Sprintf("\n  temporal operator search-attribute create --namespace %s --name %s --type %s", namespace, name, typ))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
