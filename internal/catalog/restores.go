package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func (c *Reader) listRestores(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	sel, err := labels.Parse(in.Selector)
	if err != nil {
		return contract.ReadResult{}, failure.Invalid("selector: %w", err)
	}
	all, err := repository.AskAll(ctx, c.Locations, in.Location, repository.ListTimeout, func(ctx context.Context, a repository.Answer[[]locatedRestore]) ([]locatedRestore, error) {
		return readRestores(ctx, a.Store, sel, a.Location.Name)
	})
	if err != nil {
		return contract.ReadResult{}, err
	}
	rows, unread, err := repository.JoinRows(all, "restores")
	if err != nil {
		return contract.ReadResult{}, err
	}
	slices.SortFunc(rows, func(a, b locatedRestore) int { return strings.Compare(a.key(), b.key()) })
	rows, next := cutPage(rows, in.Continue, locatedRestore.key)
	res := contract.ReadResult{Continue: next, Unread: unread}
	for _, r := range rows {
		res.Restores = append(res.Restores, r.RestoreSummary)
	}
	return res, nil
}

// locatedRestore is a restore with its location, for two locations may have one of a name.
type locatedRestore struct {
	contract.RestoreSummary
	location string
}

func (r locatedRestore) key() string { return r.Name + "/" + r.location }

// readRestores reads the restores of a location that sel selects.
func readRestores(ctx context.Context, st store.Store, sel labels.Selector, location string) ([]locatedRestore, error) {
	names, err := st.Dirs(ctx, layout.RestoresDir)
	if err != nil {
		return nil, err
	}
	docs, err := repository.ReadDocuments(ctx, st, names, repository.RestoreDocumentKey, func(n string) *velerov1.Restore {
		return &velerov1.Restore{ObjectMeta: metav1.ObjectMeta{Name: n}, Status: velerov1.RestoreStatus{Phase: repository.PhaseUnreadable}}
	})
	var rows []locatedRestore
	for _, d := range docs {
		if sel.Matches(labels.Set(d.Labels)) {
			rows = append(rows, locatedRestore{restoreRow(d), location})
		}
	}
	return rows, err
}

func restoreRow(d *velerov1.Restore) contract.RestoreSummary {
	row := contract.RestoreSummary{
		Name: d.Name, Labels: d.Labels, Backup: d.Spec.BackupName, Phase: string(d.Status.Phase),
		Started: timeOf(d.Status.StartTimestamp), Completed: timeOf(d.Status.CompletionTimestamp),
		Errors: d.Status.Errors, Warnings: d.Status.Warnings,
	}
	if sizeOf(row) > bytesInRow {
		row.Labels, row.Cut = nil, true
	}
	return row
}

func (c *Reader) findRestore(ctx context.Context, in contract.ReadInput) (repository.Answer[*velerov1.Restore], []contract.UnreadLocation, error) {
	return repository.FindDocument[velerov1.Restore](ctx, c.Locations, in.Location, in.Name, "restore", repository.RestoreDocumentKey(in.Name))
}

func (c *Reader) readRestore(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	found, unread, err := c.findRestore(ctx, in)
	if err != nil {
		return contract.ReadResult{}, err
	}
	res := contract.ReadResult{Restore: found.Value, Unread: unread}
	l := layout.Restore{Name: in.Name}
	if res.Results, err = readResults(ctx, found.Store, l.Results()); err != nil {
		return res, err
	}
	res.Volumes, res.MoreVolumes, err = restoredVolumes(ctx, found.Store, l)
	return res, err
}

// restoreURL signs a file of a restore. The plan of a dry run has no document: it
// is looked for by itself.
func (c *Reader) restoreURL(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	if in.File == contract.FilePlan {
		return c.planURL(ctx, in)
	}
	found, _, err := c.findRestore(ctx, in)
	if err != nil {
		return contract.ReadResult{}, err
	}
	l := layout.Restore{Name: in.Name}
	return signFile(ctx, found.Location, found.Store, in, map[string]string{
		contract.FileLogs: l.Logs(), contract.FileResults: l.Results(), contract.FileResourceList: l.ResourceList(),
	})
}

func (c *Reader) planURL(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	if err := archive.ValidateName(in.Name); err != nil {
		return contract.ReadResult{}, failure.Invalid("name: %w", err)
	}
	key := layout.PlanKey(in.Name)
	all, err := repository.AskAll(ctx, c.Locations, in.Location, repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[store.Info]) (store.Info, error) {
		return a.Store.Head(ctx, key)
	})
	if err != nil {
		return contract.ReadResult{}, err
	}
	found, _, err := repository.ExactlyOne(all, repository.Query{
		Thing:   fmt.Sprintf("the plan of dry run %q", in.Name),
		Missing: fmt.Sprintf("no dry run %q", in.Name), Remedy: "make one with --dry-run",
	})
	if err != nil {
		return contract.ReadResult{}, err
	}
	return signFile(ctx, found.Location, found.Store, in, map[string]string{contract.FilePlan: key})
}

func (c *Reader) listLocations(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	named, err := c.Locations.Named(in.Name)
	if err != nil {
		return contract.ReadResult{}, err
	}
	res := contract.ReadResult{Locations: make([]contract.LocationStatus, len(named))}
	var group sync.WaitGroup
	for i, bsl := range named {
		group.Go(func() { res.Locations[i] = c.locationStatus(bsl, c.validate(ctx, bsl)) })
	}
	group.Wait()
	return res, nil
}

// locationStatus says whether a location can be used; invalid is what a validation has found.
func (c *Reader) locationStatus(bsl *velerov1.BackupStorageLocation, invalid error) contract.LocationStatus {
	def, err := c.Config.Location("")
	out := contract.LocationStatus{
		Name: bsl.Name, Provider: bsl.Spec.Provider, Bucket: bsl.Spec.ObjectStorage.Bucket, Prefix: bsl.Spec.ObjectStorage.Prefix,
		AccessMode: string(velerov1.BackupStorageLocationAccessModeReadWrite), Phase: string(velerov1.BackupStorageLocationPhaseAvailable),
		Default: err == nil && def.Name == bsl.Name, Place: repository.PlaceDigest(bsl),
	}
	if bsl.Spec.AccessMode != "" {
		out.AccessMode = string(bsl.Spec.AccessMode)
	}
	now := time.Now().UTC().Truncate(time.Second)
	out.LastValidated, out.Credentials = &now, credentialsOf(bsl)
	if invalid != nil {
		out.Phase = string(velerov1.BackupStorageLocationPhaseUnavailable)
		out.Reason, out.Message = whyUnavailable(invalid)
	}
	return out
}

// validate finds out whether a location can be used. It writes nothing, for a bucket with a default
// retention would keep each probe; only where a check has found that no backup can be stored does it
// check again, until one can.
func (c *Reader) validate(ctx context.Context, bsl *velerov1.BackupStorageLocation) error {
	if err := c.Locations.Validate(ctx, bsl); err != nil {
		return err
	}
	if !c.hasFailedCheck(bsl.Name) {
		return nil
	}
	_, st, err := c.Locations.Get(ctx, bsl.Name)
	if err != nil {
		return err
	}
	err = neededFailure(store.Check(ctx, st))
	c.rememberCheck(bsl.Name, err)
	return err
}

// neededCapabilities are those without which no backup is stored, or none read back.
var neededCapabilities = []string{"write", "read", "compose"}

// neededFailure is why a location cannot hold backups, by a check.
func neededFailure(all []store.Capability) error {
	for _, one := range all {
		if one.Err != nil && slices.Contains(neededCapabilities, one.Name) {
			return fmt.Errorf("%s: %s: %w", one.Name, one.Consequence, one.Err)
		}
	}
	return nil
}

func (c *Reader) hasFailedCheck(location string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failedChecks[location]
}

func (c *Reader) rememberCheck(location string, failed error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failedChecks == nil {
		c.failedChecks = map[string]bool{}
	}
	c.failedChecks[location] = failed != nil
}

// whyUnavailable says why a location cannot be used, and what to do about it.
func whyUnavailable(err error) (reason, message string) {
	why := store.ReasonOf(err)
	switch {
	case why.Code != "":
		return why.Code, fmt.Sprintf("%s (%v)", why.Text, err)
	case failure.TypeOf(err) != "":
		return store.ReasonConfiguration, err.Error()
	}
	return "", err.Error()
}

// credentialsOf says where a location's credentials come from.
func credentialsOf(bsl *velerov1.BackupStorageLocation) string {
	config := bsl.Spec.Config
	switch ref := bsl.Spec.Credential; {
	case ref != nil:
		return "Secret " + ref.Name + ", key " + ref.Key
	case config["credentialsFile"] != "" && config["profile"] != "":
		return "file " + config["credentialsFile"] + ", profile " + config["profile"]
	case config["credentialsFile"] != "":
		return "file " + config["credentialsFile"]
	case config["profile"] != "":
		return "profile " + config["profile"]
	}
	return "the worker's own"
}

func (c *Reader) checkLocation(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	bsl, err := c.Config.Location(in.Name)
	if err != nil {
		return contract.ReadResult{}, failure.Invalid("name: %w", err)
	}
	row := c.locationStatus(bsl, c.Locations.Validate(ctx, bsl))
	if row.Phase != string(velerov1.BackupStorageLocationPhaseAvailable) {
		return contract.ReadResult{Locations: []contract.LocationStatus{row}}, nil
	}
	_, st, err := c.Locations.Get(ctx, bsl.Name)
	if err != nil {
		return contract.ReadResult{}, err
	}
	all := store.Check(ctx, st)
	c.rememberCheck(bsl.Name, neededFailure(all))
	for _, p := range all {
		row.Capabilities = append(row.Capabilities, contract.Capability{Name: p.Name, OK: p.OK, Detail: p.Detail, Consequence: p.Consequence})
	}
	return contract.ReadResult{Locations: []contract.LocationStatus{row}}, nil
}

func (c *Reader) readServer(ctx context.Context, _ contract.ReadInput) (contract.ReadResult, error) {
	var uid string
	cat, err := c.Kube.Discover(ctx)
	if err == nil {
		uid, err = c.Kube.Identity(ctx)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		cat.ServerVersion.GitVersion = "unreachable: " + err.Error()
	}
	status := &contract.ServerStatus{
		Version: c.Version, Cluster: c.Config.Cluster, Kubernetes: cat.ServerVersion.GitVersion,
		ClusterUID: uid, Configuration: repository.ConfigurationDigest(c.Config),
	}
	if c.MissingAttributes != nil {
		status.MissingSearchAttributes = c.MissingAttributes()
	}
	return contract.ReadResult{Server: status}, nil
}
