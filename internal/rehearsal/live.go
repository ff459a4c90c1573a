package rehearsal

import (
	"bytes"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// liveObjects are the objects of the control plane. A type is listed when the first of its
// objects is asked for, and forgotten object by object, so that memory holds the types at which
// the walk through the backup is, and not the cluster.
type liveObjects struct {
	client *kube.Client
	types  kube.Catalog
	listed map[string]map[string][]byte // by "resource/version", by "namespace/name"
}

// take returns an object, nil if it is not there. Each can be taken once.
func (l *liveObjects) take(ctx context.Context, k archive.Key) (map[string]any, error) {
	id := k.Resource + "/" + k.Version
	all, known := l.listed[id]
	if !known {
		var err error
		if all, err = l.list(ctx, k); err != nil {
			return nil, err
		}
		l.listed[id] = all
	}
	name := resource.ObjectName(k.Namespace, k.Name)
	raw := all[name]
	if raw == nil {
		return nil, nil
	}
	delete(all, name)
	var obj map[string]any
	if err := json.Unmarshal(raw, &obj); err != nil {
		return nil, fmt.Errorf("read %s of the control plane: %w", k, err)
	}
	return obj, nil
}

func (l *liveObjects) list(ctx context.Context, k archive.Key) (map[string][]byte, error) {
	all := map[string][]byte{}
	res, ok := l.types.InVersion(k.Resource, k.Version)
	if !ok {
		return all, nil
	}
	_, err := l.client.ListAll(ctx, kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: res}}, func(it kube.Item) error {
		all[resource.ObjectName(it.Namespace, it.Name)] = bytes.Clone(it.Raw)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s of the control plane: %w", k.Resource, err)
	}
	return all, nil
}
