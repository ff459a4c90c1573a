package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

const (
	// crdPatience is how long the restore goes on waiting when no further definition
	// becomes Established: Velero's documented minute. An API server takes some 5 s.
	crdPatience = time.Minute
)

// AwaitCRDs waits until the definitions that the restore made or found are served.
// One that does not get there is a reason; its custom resources then have their own,
// and all else is restored. It may repeat: the reasons are overwritten.
func (r *Restore) AwaitCRDs(ctx context.Context, _ *heartbeat.Recorder, in contract.AwaitCRDsInput) (contract.Nothing, error) {
	s, err := r.planned(ctx, in.Ref)
	if err != nil {
		return contract.Nothing{}, err
	}
	var names []string
	err = s.records(ctx, func(rec record) error {
		if rec.Resource == resource.CustomResourceDefinitions && rec.Action != string(report.Failed) {
			names = append(names, rec.Name)
		}
		return nil
	})
	if err != nil {
		return contract.Nothing{}, err
	}
	pending, err := r.Kube.AwaitEstablished(ctx, names, crdPatience)
	if err != nil {
		return contract.Nothing{}, fmt.Errorf("wait for definitions: %w", err)
	}
	return contract.Nothing{}, s.stage.Put(ctx, repository.CRDRecordsFile, notServed(pending))
}

// notServed are the reasons of definitions that are not served.
func notServed(pending map[string]string) []record {
	out := []record{}
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		r := report.New(report.CRDNotReady, fmt.Sprintf("was not Established with its names accepted within %s: %s; its custom resources may be missing", crdPatience, pending[name])).
			At(resource.CustomResourceDefinitions, "", name)
		out = append(out, record{Reasons: []report.Reason{r}})
	}
	return out
}

// willServe says that the restore makes a type's definition, and with it a version.
// The name of a definition is the type's resource and group.
func (l *lookup) willServe(gr, version string) bool {
	if !l.has(resource.CustomResourceDefinitions, "", gr) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	versions, known := l.versions[gr]
	if !known {
		versions = l.definition(gr)
		l.versions[gr] = versions
	}
	return slices.Contains(versions, version)
}

// definition reads the versions that a stored definition serves.
func (l *lookup) definition(gr string) (versions []string) {
	raw, _, err := l.s.arc.Read(l.ctx, archive.Key{Resource: resource.CustomResourceDefinitions, Name: gr})
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string `json:"name"`
				Served bool   `json:"served"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err != nil || json.Unmarshal(raw, &crd) != nil {
		l.note(err) // what cannot be decoded is the definition's own failure
		return nil
	}
	for _, v := range crd.Spec.Versions {
		if v.Served {
			versions = append(versions, v.Name)
		}
	}
	return versions
}
