package controlplane

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Provider starts control planes. It is safe for concurrent use.
type Provider interface {
	// Start starts one and waits until it serves. Nothing of it stays when it fails. What
	// processes that died have left behind is removed first. An error that no retry mends,
	// such as an unknown version, is of package failure.
	Start(ctx context.Context, s Spec) (*Plane, error)
	// Versions are what Spec.Version may be beside "", sorted.
	Versions() []string
}

// Spec is what a control plane is to be like.
type Spec struct {
	// Version is a minor version of Kubernetes, such as "1.38"; "" is the provider's own.
	Version string
	// ServiceRange is the CIDR of Services; "" is DefaultServiceRange.
	ServiceRange string
}

// DefaultServiceRange is kubeadm's.
const DefaultServiceRange = "10.96.0.0/12"

// Plane is a running control plane.
type Plane struct {
	// Config reaches it as its administrator.
	Config *kube.RESTConfig
	// Version is what the API server says of itself, such as "v1.37.2".
	Version string
	// Ended gets an error if a part of it ends before Stop, for want of memory for example; nil
	// if the provider cannot tell.
	Ended <-chan error
	// Stop ends it and removes everything. It may repeat.
	Stop func() (Usage, error)
}

// Usage is what a control plane has cost, as far as the provider can tell.
type Usage struct {
	CPUSeconds  float64
	MemoryBytes int64 // the most of each process, added up
}
