package comparison

import (
	"bytes"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Live are the objects of a cluster. A type is listed when the first of its objects is asked
// for, and forgotten object by object, so that memory holds the types at which the walk through
// the backup is, and not the cluster.
type Live struct {
	client *kube.Client
	types  kube.Catalog
	// byNamespace lists namespaces by themselves: there are others, which are nobody's business.
	byNamespace bool
	listed      map[string]map[string][]byte // by "resource/version" or "resource/version/namespace", by "namespace/name"
}

// NewLive are the objects of a control plane that holds nothing but a restored backup.
func NewLive(client *kube.Client, types kube.Catalog) *Live {
	return &Live{client: client, types: types, listed: map[string]map[string][]byte{}}
}

// NewLiveInNamespaces are the objects of a cluster of which the namespaces that are asked for
// belong to the restore.
func NewLiveInNamespaces(client *kube.Client, types kube.Catalog) *Live {
	l := NewLive(client, types)
	l.byNamespace = true
	return l
}

// Serves says that the cluster serves a type in one version or another.
func (l *Live) Serves(gr string) bool { return len(l.types.Versions(gr)) > 0 }

// Take returns an object, nil if it is not there. Each can be taken once.
func (l *Live) Take(ctx context.Context, k archive.Key) (map[string]any, error) {
	id, namespace := k.Resource+"/"+k.Version, ""
	if l.byNamespace {
		namespace = k.Namespace
		id += "/" + namespace
	}
	all, known := l.listed[id]
	if !known {
		var err error
		if all, err = l.list(ctx, k, namespace); err != nil {
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
		return nil, fmt.Errorf("read %s of the cluster: %w", k, err)
	}
	return obj, nil
}

func (l *Live) list(ctx context.Context, k archive.Key, namespace string) (map[string][]byte, error) {
	all := map[string][]byte{}
	res, ok := l.types.InVersion(k.Resource, k.Version)
	if !ok {
		return all, nil
	}
	_, err := l.client.ListAll(ctx, kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: res, Namespace: namespace}}, func(it kube.Item) error {
		all[resource.ObjectName(it.Namespace, it.Name)] = bytes.Clone(it.Raw)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s of the cluster: %w", k.Resource, err)
	}
	return all, nil
}
