package rehearsal

import (
	"context"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Service rehearses restores.
type Service struct {
	Config    *config.Config
	Locations *repository.Locations
	Rules     *resource.Registry
	// Planes starts control planes; nil where the configuration names none.
	Planes controlplane.Provider

	turn chan struct{} // holds one value while a rehearsal runs
	now  func() time.Time
}

// New returns a service that rehearses one restore at a time: the control plane takes half a
// gigabyte, and two would only share the cores.
func New(cfg *config.Config, locations *repository.Locations, rules *resource.Registry, planes controlplane.Provider) *Service {
	return &Service{Config: cfg, Locations: locations, Rules: rules, Planes: planes, turn: make(chan struct{}, 1), now: time.Now}
}

// ProviderOf is the provider that a configuration describes, nil for none. namespace is the
// worker's, and worker the name of the pod that this process runs in, "" outside a cluster.
func ProviderOf(cfg *config.Config, c *kube.Client, namespace, worker string) controlplane.Provider {
	r := cfg.Rehearsal
	switch {
	case r.Pod != nil:
		return &controlplane.Pods{
			Kube: c, Namespace: namespace, Worker: worker, APIServer: r.Pod.APIServer, Etcd: r.Pod.Etcd, Others: r.Pod.Versions,
			PullSecrets: r.Pod.PullSecrets, MemoryLimit: int64(r.Pod.MemoryMiB) << 20,
		}
	case r.APIServer != "":
		return &controlplane.Processes{APIServer: r.APIServer, Etcd: r.Etcd, Others: r.Versions, Root: r.Directory}
	}
	return nil
}

// takeTurn waits until no other rehearsal runs. The caller calls the function that it returns.
func (s *Service) takeTurn(ctx context.Context) (end func(), err error) {
	if s.Planes == nil {
		return nil, failure.Unusable("rehearsal: the worker's configuration names no control plane; set rehearsal.pod to images, or rehearsal.apiServer and rehearsal.etcd to the paths of a kube-apiserver and an etcd")
	}
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
