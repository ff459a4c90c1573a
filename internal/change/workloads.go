package change

import (
	"bytes"
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/content"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
)

const (
	// readAbove is the share of changed workloads above which it is worth reading them: below the
	// rule's own bound, so that the range of a cluster that scales is taken without that.
	readAbove = 0.3
	// workloadsRead bounds how many are read; the others are taken to be like them.
	workloadsRead = 500
	readsAtOnce   = 16
)

// changedWorkloads is the share of what runs pods that was changed or removed. Where that is
// large, those do not count that differ in their number of replicas alone: autoscalers set it,
// from one night to the next perhaps everywhere.
func changedWorkloads(ctx context.Context, d *Diff, r Reader) (Measure, error) {
	resources := []string{"deployments.apps", "daemonsets.apps", "statefulsets.apps", "cronjobs.batch"}
	m, err := shareOf(Counts.lost, is(resources...))(ctx, d, r)
	if err != nil || m.Value <= readAbove {
		return m, err
	}
	var changed []Object
	for _, resource := range resources[:3:3] {
		changed = append(changed, d.objectsOf(resource, Changed)...)
	}
	read := everyNth(changed, workloadsRead)
	var scaled atomic.Int64
	err = parallel.ForEach(ctx, readsAtOnce, read, func(ctx context.Context, o Object) error {
		only, err := isOnlyScaled(ctx, r, o.Key)
		if only {
			scaled.Add(1)
		}
		return err
	})
	if err != nil || len(read) == 0 {
		return m, err
	}
	before := float64(m.Count) / m.Value
	m.Count -= int64(len(changed)) * scaled.Load() / int64(len(read))
	if m.Value = float64(m.Count) / before; m.Count < fewest {
		m.Value = 0
	}
	return m, nil
}

// everyNth are at most so many of all, from everywhere.
func everyNth(all []Object, most int) []Object {
	if len(all) <= most {
		return all
	}
	some := make([]Object, 0, most)
	for i := range most {
		some = append(some, all[i*len(all)/most])
	}
	return some
}

// isOnlyScaled says that a workload differs in nothing but its number of replicas.
func isOnlyScaled(ctx context.Context, r Reader, k archive.Key) (bool, error) {
	older, err := r.Older(ctx, k)
	if err != nil {
		return false, err
	}
	newer, err := r.Newer(ctx, k)
	if err != nil {
		return false, err
	}
	before, ok := unscaled(k, older)
	after, alsoOK := unscaled(k, newer)
	return ok && alsoOK && before == after, nil
}

// unscaled digests the content of a workload without its number of replicas.
func unscaled(k archive.Key, body []byte) ([content.Size]byte, bool) {
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil {
		return [content.Size]byte{}, false
	}
	if spec, ok := object["spec"].(map[string]any); ok {
		delete(spec, "replicas")
	}
	sorted, err := json.Marshal(object)
	sum, _ := content.Sum(nil, k.Resource, sorted)
	return sum, err == nil
}
