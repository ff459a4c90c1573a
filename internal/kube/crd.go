package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// A CRD is established within some 10 ms on one API server and some 5 s
	// where several run.
	establishedFirst = 50 * time.Millisecond
	establishedMax   = time.Second
)

func crdResource() Resource {
	return Resource{Group: "apiextensions.k8s.io", Version: "v1", Name: "customresourcedefinitions", Kind: "CustomResourceDefinition"}
}

// WaitEstablished waits until the CRDs ("widgets.example.com") are Established
// with their names accepted. When ctx ends first the error is ErrNotEstablished
// and says of each pending CRD what it waits for.
func (c *Client) WaitEstablished(ctx context.Context, crdNames []string) error {
	pending, err := c.AwaitEstablished(ctx, crdNames, math.MaxInt64)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("wait for CRDs: %s: %w: %w", describePending(pending), ErrNotEstablished, err)
	}
	return err
}

// AwaitEstablished waits for CRDs as WaitEstablished does, but gives up once none
// of the pending has become Established for as long as patience. Those are returned
// by name, with what each waits for. Only pauses between looks count, not the time
// that an unavailable server takes to answer.
func (c *Client) AwaitEstablished(ctx context.Context, crdNames []string, patience time.Duration) (map[string]string, error) {
	pending := map[string]string{}
	for _, name := range crdNames {
		pending[name] = "not found"
	}
	wait, idle := establishedFirst, time.Duration(0)
	for len(pending) > 0 {
		before := len(pending)
		if err := c.checkCRDs(ctx, pending); err != nil {
			return pending, err
		}
		if len(pending) < before {
			idle = 0
		}
		if len(pending) == 0 || idle >= patience {
			break
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return pending, err
		}
		idle += wait
		wait = min(2*wait, establishedMax)
	}
	return pending, nil
}

// checkCRDs takes the established out of pending and notes what the others
// lack. One list serves any number of them; the schemas are never decoded.
func (c *Client) checkCRDs(ctx context.Context, pending map[string]string) error {
	req := ListRequest{Resource: crdResource()}
	if len(pending) == 1 {
		for name := range pending {
			req.FieldSelector = "metadata.name=" + name
		}
	}
	for {
		page, err := c.ListPage(ctx, req, func(it Item) error {
			if _, ok := pending[it.Name]; !ok {
				return nil
			}
			lack, err := crdLacks(it.Raw)
			if pending[it.Name] = lack; lack == "" {
				delete(pending, it.Name)
			}
			return err
		})
		if err != nil || page.Continue == "" {
			return err
		}
		req.Continue = page.Continue
	}
}

// crdLacks says what keeps a CRD from being served; empty when nothing does.
func crdLacks(raw []byte) (string, error) {
	var o conditions
	if err := json.Unmarshal(raw, &o); err != nil {
		return "", fmt.Errorf("read conditions of a CRD: %w", err)
	}
	lacks := map[string]string{"NamesAccepted": "names not yet accepted", "Established": "not yet established"}
	for _, c := range o.Status.Conditions {
		if _, ok := lacks[c.Type]; ok && c.Status == "True" {
			delete(lacks, c.Type)
		} else if ok && c.Message != "" {
			lacks[c.Type] = c.Reason + ": " + c.Message
		}
	}
	if why, ok := lacks["NamesAccepted"]; ok {
		return why, nil
	}
	return lacks["Established"], nil
}

func describePending(pending map[string]string) string {
	var parts []string
	for name, lack := range pending {
		parts = append(parts, name+" ("+lack+")")
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
