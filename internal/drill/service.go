package drill

import (
	"context"
	"crypto/ed25519"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// Service holds what the steps of a drill depend on.
type Service struct {
	Config *config.Config
	// Namespace is the one of the worker's pod: its Secrets are there, and from there it comes into
	// a copy.
	Namespace string
	Kube      *kube.Client
	Locations *repository.Locations
	Restore   *restore.Service
	// Snapshots reach EC2, where the teardown looks for volumes; nil looks nowhere.
	Snapshots *location.Set
	// Key reads the key by which evidence is signed; nil where the configuration names none.
	Key func(context.Context) (ed25519.PrivateKey, error)
	// APIServer is its address as host:port, as pods of the cluster know it; "" where the worker is none.
	APIServer string
	// Checklist answers the production checklist; it is another use case's. nil answers nothing.
	Checklist func(context.Context) ([]contract.Check, error)
	// Software is the version of the program.
	Software string
}

// copyOf is the restore of a drill that is planned.
func (s *Service) copyOf(ctx context.Context, ref contract.DrillRef) (*restore.Run, error) {
	return s.Restore.Planned(ctx, ref.Restore)
}
