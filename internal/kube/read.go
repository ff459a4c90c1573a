package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// List decodes every object of a type into T and hands it to fn, page by page,
// with ListAll's checks. namespace is empty for all; selector is a label
// selector, empty for all. An error of fn ends the list and is wrapped. T is
// decoded as encoding/json does it: fields that T lacks are dropped, so a T
// that was read is not to be written back whole; patch instead.
func List[T any](ctx context.Context, c *Client, r Resource, namespace, selector string, fn func(T) error) error {
	return listDecoded(ctx, c, r, namespace, selector, func(_ Item, o T) error { return fn(o) })
}

// ListMap lists as List does and returns the objects by "namespace/name", or by
// name alone when the type is cluster-scoped. It is for types of which a cluster
// has thousands at most: all are held in memory.
func ListMap[T any](ctx context.Context, c *Client, r Resource, namespace, selector string) (map[string]T, error) {
	out := map[string]T{}
	err := listDecoded(ctx, c, r, namespace, selector, func(it Item, o T) error {
		out[report.ObjectName(it.Namespace, it.Name)] = o
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// listDecoded lists and decodes.
func listDecoded[T any](ctx context.Context, c *Client, r Resource, namespace, selector string, fn func(Item, T) error) error {
	req := ListAllRequest{ListRequest: ListRequest{Resource: r, Namespace: namespace, LabelSelector: selector}}
	_, err := c.ListAll(ctx, req, func(it Item) error {
		o, err := decodeObject[T](it.Raw)
		if err != nil {
			return fmt.Errorf("decode %s: %w", r.objectRef(it.Namespace, it.Name), err)
		}
		return fn(it, o)
	})
	return err
}

// Read fetches one object and decodes it into T. One that is not there is an
// error that IsNotFound.
func Read[T any](ctx context.Context, c *Client, r Resource, namespace, name string) (T, error) {
	raw, err := c.Get(ctx, r, namespace, name)
	if err != nil {
		var none T
		return none, err
	}
	o, err := decodeObject[T](raw)
	if err != nil {
		return o, fmt.Errorf("decode %s: %w", r.objectRef(namespace, name), err)
	}
	return o, nil
}

// Make creates o and returns it as the server has stored it, with its uid. A
// create whose reply was lost is sent again and may then be an error that
// IsAlreadyExists. o has to carry its apiVersion and kind.
func Make[T any](ctx context.Context, c *Client, r Resource, namespace string, o *T, w WriteOptions) (T, error) {
	var made T
	body, err := json.Marshal(o)
	if err != nil {
		return made, fmt.Errorf("encode %s: %w", r.objectRef(namespace, ""), err)
	}
	raw, err := c.Create(ctx, r, namespace, body, w)
	if err != nil {
		return made, err
	}
	if made, err = decodeObject[T](raw); err != nil {
		return made, fmt.Errorf("decode %s: %w", r.objectRef(namespace, ""), err)
	}
	return made, nil
}

// decodeObject reads one object. The decoder's words may quote a value; objects are
// named by the callers, so the field's name is enough.
func decodeObject[T any](raw []byte) (T, error) {
	var o T
	err := json.Unmarshal(raw, &o)
	var bad *json.UnmarshalTypeError
	if errors.As(err, &bad) {
		return o, fmt.Errorf("field %s cannot hold a %s", bad.Field, bad.Value)
	}
	return o, err
}
