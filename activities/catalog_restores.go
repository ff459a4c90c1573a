package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func (c *Catalog) restores(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	sel, err := labels.Parse(in.Selector)
	if err != nil {
		return contract.ReadResult{}, invalid("selector: %w", err)
	}
	stores, err := c.stores(ctx, in.Location)
	if err != nil {
		return contract.ReadResult{}, err
	}
	var rows []contract.RestoreSummary
	for name, st := range stores {
		names, err := st.Dirs(ctx, archive.RestoresDir)
		if err != nil {
			return contract.ReadResult{}, fmt.Errorf("list restores in location %s: %w", name, err)
		}
		docs, err := readDocuments(ctx, st, names, restoreDocument, func(n string) *velerov1.Restore {
			return &velerov1.Restore{ObjectMeta: metav1.ObjectMeta{Name: n}, Status: velerov1.RestoreStatus{Phase: unreadable}}
		})
		if err != nil {
			return contract.ReadResult{}, fmt.Errorf("list restores in location %s: %w", name, err)
		}
		for _, d := range docs {
			if sel.Matches(labels.Set(d.Labels)) {
				rows = append(rows, restoreRow(d))
			}
		}
	}
	key := func(r contract.RestoreSummary) string { return r.Name }
	slices.SortFunc(rows, func(a, b contract.RestoreSummary) int { return strings.Compare(key(a), key(b)) })
	rows, next := page(rows, in.Continue, key)
	return contract.ReadResult{Restores: rows, Continue: next}, nil
}

func restoreRow(d *velerov1.Restore) contract.RestoreSummary {
	return contract.RestoreSummary{
		Name: d.Name, Labels: d.Labels, Backup: d.Spec.BackupName, Phase: string(d.Status.Phase),
		Started: timeOf(d.Status.StartTimestamp), Completed: timeOf(d.Status.CompletionTimestamp),
		Errors: d.Status.Errors, Warnings: d.Status.Warnings,
	}
}

func (c *Catalog) restore(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	doc := &velerov1.Restore{}
	_, st, err := find(ctx, c, in, "restore", restoreDocument(in.Name), doc)
	if err != nil {
		return contract.ReadResult{}, err
	}
	res := contract.ReadResult{Restore: doc}
	l := archive.RestoreLayout{Restore: in.Name}
	if res.Results, err = readResults(ctx, st, l.Results()); err != nil {
		return res, err
	}
	res.Volumes, res.MoreVolumes, err = restoredVolumes(ctx, st, l)
	return res, err
}

// restoreURL signs a file of a restore. The plan of a dry run has no document: it
// is looked for by itself.
func (c *Catalog) restoreURL(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	if in.File == contract.FilePlan {
		return c.planURL(ctx, in)
	}
	_, st, err := find(ctx, c, in, "restore", restoreDocument(in.Name), &velerov1.Restore{})
	if err != nil {
		return contract.ReadResult{}, err
	}
	l := archive.RestoreLayout{Restore: in.Name}
	return presign(ctx, st, in, map[string]string{
		contract.FileLogs: l.Logs(), contract.FileResults: l.Results(), contract.FileResourceList: l.ResourceList(),
	})
}

func (c *Catalog) planURL(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	if err := archive.ValidateName(in.Name); err != nil {
		return contract.ReadResult{}, invalid("name: %w", err)
	}
	stores, err := c.stores(ctx, in.Location)
	if err != nil {
		return contract.ReadResult{}, err
	}
	for _, st := range stores {
		res, err := presign(ctx, st, in, map[string]string{contract.FilePlan: archive.PlanKey(in.Name)})
		if err == nil || kindOf(err) != contract.ErrTypeNotFound {
			return res, err
		}
	}
	return contract.ReadResult{}, notFound("name: no dry run %q", in.Name)
}

func (c *Catalog) locations(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	var res contract.ReadResult
	for i := range c.Config.BackupStorageLocations {
		bsl := &c.Config.BackupStorageLocations[i]
		if in.Name == "" || in.Name == bsl.Name {
			res.Locations = append(res.Locations, c.status(ctx, bsl))
		}
	}
	if len(res.Locations) == 0 {
		_, err := c.Config.Location(in.Name)
		return res, invalid("name: %w", err)
	}
	return res, nil
}

// status asks a location for its root directories, as Velero's validation does.
func (c *Catalog) status(ctx context.Context, bsl *velerov1.BackupStorageLocation) contract.LocationStatus {
	def, err := c.Config.Location("")
	out := contract.LocationStatus{
		Name: bsl.Name, Provider: bsl.Spec.Provider, Bucket: bsl.Spec.ObjectStorage.Bucket, Prefix: bsl.Spec.ObjectStorage.Prefix,
		AccessMode: string(velerov1.BackupStorageLocationAccessModeReadWrite), Phase: string(velerov1.BackupStorageLocationPhaseAvailable),
		Default: err == nil && def.Name == bsl.Name,
	}
	if bsl.Spec.AccessMode != "" {
		out.AccessMode = string(bsl.Spec.AccessMode)
	}
	_, st, err := c.Locations.Get(ctx, bsl.Name)
	if err == nil {
		_, err = st.Dirs(ctx, "")
	}
	if err != nil {
		out.Phase, out.Message = string(velerov1.BackupStorageLocationPhaseUnavailable), err.Error()
	}
	return out
}

func (c *Catalog) check(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	bsl, err := c.Config.Location(in.Name)
	if err != nil {
		return contract.ReadResult{}, invalid("name: %w", err)
	}
	row := c.status(ctx, bsl)
	if row.Phase != string(velerov1.BackupStorageLocationPhaseAvailable) {
		return contract.ReadResult{Locations: []contract.LocationStatus{row}}, nil
	}
	_, st, err := c.Locations.Get(ctx, bsl.Name)
	if err != nil {
		return contract.ReadResult{}, err
	}
	for _, p := range store.Check(ctx, st) {
		row.Capabilities = append(row.Capabilities, contract.Capability{Name: p.Name, OK: p.OK, Detail: p.Detail, Consequence: p.Consequence})
	}
	return contract.ReadResult{Locations: []contract.LocationStatus{row}}, nil
}

func (c *Catalog) server(ctx context.Context, _ contract.ReadInput) (contract.ReadResult, error) {
	cat, err := c.Kube.Discover(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		cat.ServerVersion.GitVersion = "unreachable: " + err.Error()
	}
	return contract.ReadResult{Server: &contract.ServerStatus{
		Version: c.Version, Cluster: c.Config.Cluster, Kubernetes: cat.ServerVersion.GitVersion,
	}}, nil
}
