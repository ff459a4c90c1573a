package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	volumeGiB = 1
	// loadLimit is how long the driver may take to make the volumes of one backup.
	loadLimit = 5 * time.Minute
)

func volumeNamespace(n int) string { return fmt.Sprintf("volumes-%d", n) }

// loadVolumes makes a namespace of n claims and waits until the CSI driver has made
// their volumes, which have data.
func (b *bench) loadVolumes(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	d, err := b.dynamic()
	if err != nil {
		return err
	}
	start, ns := time.Now(), volumeNamespace(n)
	if _, err := b.h.Kubectl(ctx, "", "create", "namespace", ns); err != nil {
		return err
	}
	claims := d.Resource(schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}).Namespace(ns)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(createWorkers)
	for i := range n {
		group.Go(func() error {
			_, err := claims.Create(gctx, claim(i), metav1.CreateOptions{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := awaitBound(ctx, claims, n); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%8d volumes  %-18s %7.1f s\n", n, "made", time.Since(start).Seconds())
	return b.fill(ctx)
}

func claim(i int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": fmt.Sprintf("data-%03d", i)},
		"spec": map[string]any{
			"storageClassName": stack.EBSClassNow, "accessModes": []any{"ReadWriteOnce"},
			"resources": map[string]any{"requests": map[string]any{"storage": fmt.Sprintf("%dGi", volumeGiB)}},
		},
	}}
}

func awaitBound(ctx context.Context, claims dynamic.ResourceInterface, n int) error {
	for {
		list, err := claims.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		bound := 0
		for _, item := range list.Items {
			if phase, _, _ := unstructured.NestedString(item.Object, "status", "phase"); phase == "Bound" {
				bound++
			}
		}
		if bound == n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d claims are bound: %w", bound, n, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// fill writes into each volume what a snapshot is to hold.
func (b *bench) fill(ctx context.Context) error {
	state, err := b.stack.EBS.State(ctx)
	if err != nil {
		return err
	}
	for _, v := range state.Volumes {
		if err := os.WriteFile(filepath.Join(v.Dir, "data.txt"), []byte(v.ID), 0o600); err != nil {
			return err
		}
	}
	return nil
}
