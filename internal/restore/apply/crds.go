package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// crdPatience is how long the restore goes on waiting when no further definition
// becomes Established: Velero's documented minute. An API server takes some 5 s.
const crdPatience = time.Minute

// AwaitCRDs waits until the definitions that the restore made or found are served.
// One that does not get there is a reason; its custom resources then have their own,
// and all else is restored. It may repeat: the reasons of the latest attempt count.
func AwaitCRDs(ctx context.Context, r *restore.Service, p *heartbeat.Recorder, in contract.AwaitCRDsInput) (contract.Nothing, error) {
	s, err := r.Planned(ctx, in.Ref)
	if err != nil {
		return contract.Nothing{}, err
	}
	if s.Restore.Isolation != nil {
		return contract.Nothing{}, nil // its definitions were only tried
	}
	var names []string
	err = s.Records(ctx, func(rec restore.Record) error {
		if rec.Resource == resource.CustomResourceDefinitions && rec.Action != string(report.Failed) {
			names = append(names, rec.Name)
		}
		return nil
	})
	if err != nil {
		return contract.Nothing{}, err
	}
	p.WaitsFor(fmt.Sprintf("%d definitions to be served", len(names)))
	pending, err := r.Kube.AwaitEstablished(ctx, names, crdPatience)
	if err != nil {
		return contract.Nothing{}, fmt.Errorf("wait for definitions: %w", err)
	}
	return contract.Nothing{}, s.Stage.PutLatest(ctx, repository.CRDRecordsFile, recordOfReasons(unservedReasons(pending)))
}

// unservedReasons are the reasons of definitions that are not served.
func unservedReasons(pending map[string]string) []report.Reason {
	var out []report.Reason
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		text := fmt.Sprintf("was not Established with its names accepted within %s: %s; its custom resources may be missing", crdPatience, pending[name])
		out = append(out, report.New(report.CRDNotReady, text).At(resource.CustomResourceDefinitions, "", name))
	}
	return out
}
