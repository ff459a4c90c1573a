package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// listTurns is how often each kind of list is made; medians are compared.
const listTurns = 9

// listRow is how long the lists of all objects of a backup take, in seconds.
type listRow struct {
	Objects      int
	Plain, Exact float64
}

// lists compares lists of one revision, as a backup makes them, with plain ones, by turns, of
// memorySize objects. Before each turn something else is written, so that the revision is new.
func (b *bench) lists(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx, stack.Options{}, nil); err != nil {
		return err
	}
	s := size{Objects: memorySize, Bytes: 1500, Namespaces: 50}
	if _, err := b.load(ctx, s); err != nil {
		return err
	}
	cfg, err := kube.Config(b.stack.Kubeconfig, "")
	if err != nil {
		return err
	}
	c, err := kube.New(cfg, kube.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	took := map[bool][]float64{}
	for turn := range 2 * listTurns {
		exact := turn%2 == 1
		body := fmt.Appendf(nil, `{"metadata":{"labels":{"turn":"t%d"}}}`, turn)
		if _, err := c.Patch(ctx, kube.Namespaces(), "", "default", kube.PatchMerge, body, kube.PatchOptions{}); err != nil {
			return err
		}
		start := time.Now()
		n, err := listAll(ctx, c, exact)
		if err != nil || n < s.Objects {
			return fmt.Errorf("listed %d of %d objects: %w", n, s.Objects, err)
		}
		took[exact] = append(took[exact], time.Since(start).Seconds())
	}
	b.listed = listRow{Objects: s.Objects, Plain: median(took[false]), Exact: median(took[true])}
	return b.save()
}

// listAll lists both types. At one revision it is asked for before the types are counted, as a
// backup does, which has the caches of the types reach it.
func listAll(ctx context.Context, c *kube.Client, exact bool) (n int, err error) {
	all := []kube.Resource{kube.ConfigMaps(), kube.Secrets()}
	at := ""
	if exact {
		if at, err = c.Revision(ctx); err != nil {
			return 0, err
		}
	}
	for _, r := range all {
		if _, err := c.RevisionOf(ctx, r); err != nil {
			return 0, err
		}
	}
	for _, r := range all {
		req := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r}}
		if exact {
			req.ResourceVersion, req.ResourceVersionMatch = at, kube.Exact
		}
		if _, err := c.ListAll(ctx, req, func(kube.Item) error { n++; return nil }); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (r listRow) table(out io.Writer) {
	if r.Objects > 0 {
		fmt.Fprintf(out, "lists of %d objects, medians of %d by turns: plain %.2f s, of one revision %.2f s\n\n", r.Objects, listTurns, r.Plain, r.Exact)
	}
}
