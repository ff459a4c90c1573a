package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/lifeboat-backup/lifeboat/internal/kube/jsonlist"
)

// PatchType is the media type of a patch.
type PatchType string

// The kinds of patches in use. Merge patches work for every type; an apply creates
// what is not there.
const (
	PatchMerge PatchType = "application/merge-patch+json"
	PatchApply PatchType = "application/apply-patch+yaml"
)

// WriteOptions says how to write. The zero value is an ordinary write.
type WriteOptions struct {
	// DryRun lets admission and validation run and writes nothing.
	DryRun bool
	// FieldManager is who owns the written fields.
	FieldManager string
	// Force takes fields from other managers; for PatchApply only.
	Force bool
	// FieldValidation is what the server does about unknown fields: "Ignore",
	// "Warn" (its default) or "Strict". Checking costs it a second decoding.
	FieldValidation string
	// Warn receives the server's warnings: deprecated versions, unknown fields.
	Warn func(text string)
}

// CreateOptions and PatchOptions are WriteOptions.
type (
	CreateOptions = WriteOptions
	PatchOptions  = WriteOptions
)

func (o WriteOptions) queryValues() url.Values {
	q := url.Values{}
	if o.DryRun {
		q.Set("dryRun", "All")
	}
	if o.FieldManager != "" {
		q.Set("fieldManager", o.FieldManager)
	}
	if o.Force {
		q.Set("force", "true")
	}
	if o.FieldValidation != "" {
		q.Set("fieldValidation", o.FieldValidation)
	}
	return q
}

func (o WriteOptions) writeCall(method, path string, body []byte, contentType string) call {
	return call{method: method, path: path, query: o.queryValues(), body: body, contentType: contentType, class: classWrite, warn: o.Warn}
}

// Create posts one object and returns it as the server has stored it. A create
// whose reply was lost is sent again and may then report AlreadyExists.
func (c *Client) Create(ctx context.Context, r Resource, ns string, body []byte, o CreateOptions) ([]byte, error) {
	k := o.writeCall(http.MethodPost, r.urlPath(ns, "", ""), body, acceptJSON)
	k.what = "create " + r.objectRef(ns, nameOf(body))
	return c.callBytes(ctx, k)
}

// nameOf finds the name of an object for an error; unnamed objects have none.
func nameOf(body []byte) string {
	it, err := jsonlist.Scan(body)
	if err != nil {
		return ""
	}
	return string(it.Name)
}

// Patch changes one object and returns the result.
func (c *Client) Patch(ctx context.Context, r Resource, ns, name string, t PatchType, body []byte, o PatchOptions) ([]byte, error) {
	return c.patchObject(ctx, r, ns, name, "", t, body, o)
}

// PatchStatus changes the status of one object and returns the result.
func (c *Client) PatchStatus(ctx context.Context, r Resource, ns, name string, t PatchType, body []byte, o PatchOptions) ([]byte, error) {
	return c.patchObject(ctx, r, ns, name, "status", t, body, o)
}

func (c *Client) patchObject(ctx context.Context, r Resource, ns, name, sub string, t PatchType, body []byte, o PatchOptions) ([]byte, error) {
	k := o.writeCall(http.MethodPatch, r.urlPath(ns, name, sub), body, string(t))
	k.what = "patch " + r.objectRef(ns, name)
	return c.callBytes(ctx, k)
}

// DeleteOptions says how to delete. The zero value deletes at once and leaves
// dependents to the type's default.
type DeleteOptions struct {
	// UID makes the delete conditional: another object of the name is left alone
	// (IsConflict).
	UID string
	// Propagation is "Orphan", "Background" or "Foreground".
	Propagation string
	// GracePeriodSeconds is for pods; nil is their own.
	GracePeriodSeconds *int64
	DryRun             bool
}

// Delete deletes one object; one that is gone is an error that IsNotFound.
func (c *Client) Delete(ctx context.Context, r Resource, ns, name string, o DeleteOptions) error {
	body, err := json.Marshal(o.bodyFields())
	if err != nil {
		return fmt.Errorf("delete %s: %w", r.objectRef(ns, name), err)
	}
	_, err = c.callBytes(ctx, call{
		method: http.MethodDelete, path: r.urlPath(ns, name, ""), body: body, contentType: acceptJSON,
		class: classWrite, what: "delete " + r.objectRef(ns, name),
	})
	return err
}

func (o DeleteOptions) bodyFields() map[string]any {
	b := map[string]any{"kind": "DeleteOptions", "apiVersion": "v1"}
	if o.UID != "" {
		b["preconditions"] = map[string]string{"uid": o.UID}
	}
	if o.Propagation != "" {
		b["propagationPolicy"] = o.Propagation
	}
	if o.GracePeriodSeconds != nil {
		b["gracePeriodSeconds"] = *o.GracePeriodSeconds
	}
	if o.DryRun {
		b["dryRun"] = []string{"All"}
	}
	return b
}
