package drill

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Copies implements orphan.Drills by the labels that everything of a drill carries.
func (s *Service) Copies(ctx context.Context) ([]orphan.Copy, error) {
	created := map[string]time.Time{}
	for _, of := range []kube.Resource{kube.Namespaces(), kube.Volumes(), kube.VolumeSnapshotContents(), priorityClasses()} {
		err := kube.List(ctx, s.Kube, of, "", s.selectCopies(), func(found metav1.PartialObjectMetadata) error {
			id, at := found.Labels[contract.DrillLabel], found.CreationTimestamp.Time
			if first, known := created[id]; id != "" && (!known || at.Before(first)) {
				created[id] = at
			}
			return nil
		})
		if err != nil && !kube.IsNotFound(err) { // a cluster need not serve snapshots
			return nil, fmt.Errorf("look for copies of drills: %w", err)
		}
	}
	copies := make([]orphan.Copy, 0, len(created))
	for id, at := range created {
		copies = append(copies, orphan.Copy{Drill: id, Created: at})
	}
	return copies, nil
}

// selectCopies selects what drills of this cluster have made.
func (s *Service) selectCopies() string {
	return contract.DrillLabel + "," + contract.DrillClusterLabel + "=" + s.Config.Cluster
}

// RemoveCopy implements orphan.Drills.
func (s *Service) RemoveCopy(ctx context.Context, drill string) (string, error) {
	remains, err := s.TearDown(ctx, contract.TearDownInput{Ref: contract.DrillRef{ID: drill}})
	if err != nil || remains.Total() == 0 {
		return "", err
	}
	first := remains.Names[0]
	return fmt.Sprintf("%s %s (%s), of %d", first.Type, first.Name, first.Detail, remains.Total()), nil
}
