package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Open validates the input, finds the backup and opens it. A tarball that Velero made is cut
// into seekable chunks first. It may repeat: chunks are overwritten.
func (r *Service) Open(ctx context.Context, p *heartbeat.Recorder, in contract.OpenArchiveInput) (contract.OpenedArchive, error) {
	if err := validateRestore(in.Restore); err != nil {
		return contract.OpenedArchive{}, err
	}
	from, unread, err := r.findBackup(ctx, in.Restore)
	if err != nil {
		return contract.OpenedArchive{}, err
	}
	incomplete, err := incompleteReasons(ctx, from)
	if err != nil {
		return contract.OpenedArchive{}, err
	}
	corrupt, err := corruptReasons(ctx, from, in.Restore.AllowCorrupt)
	if err != nil {
		return contract.OpenedArchive{}, err
	}
	work, st, unkept, err := r.workspace(ctx, from, in)
	if err != nil {
		return contract.OpenedArchive{}, err
	}
	if err := errors.Join(r.checkNameFree(ctx, st, in), checkDryRun(ctx, st, in.Restore)); err != nil {
		return contract.OpenedArchive{}, err
	}
	bound, err := binding.Begin(ctx, r.Kube, r.Locations, work, st)
	if err != nil {
		return contract.OpenedArchive{}, err
	}
	doc := openDoc{Restore: in.Restore, UID: in.UID, Run: in.Run, Source: from.Location.Name, SourcePlace: repository.PlaceDigest(from.Location), Archive: contract.OpenedArchive{
		Ref: contract.RestoreRef{Name: in.Restore.Name, UID: in.UID, Location: work.Name, Binding: bound}, Backup: from.Value,
	}, Reasons: slices.Concat(unreadReasons(unread), incomplete, corrupt, unkept)}
	if err := r.stageOpened(ctx, p, &doc, from.Store, st); err != nil {
		return contract.OpenedArchive{}, err
	}
	return doc.Archive, nil
}

// stageOpened opens the backup of a restore and writes the document to staging, which is in
// the store work.
func (r *Service) stageOpened(ctx context.Context, p *heartbeat.Recorder, doc *openDoc, backups, work store.Store) (err error) {
	if doc.Changes, err = r.readChanges(ctx, doc.Restore.Spec.ResourceModifier); err != nil {
		return err
	}
	stage := repository.NewStaging(work, doc.UID)
	arc, err := doc.openBackup(ctx, p, backups, stage)
	if err != nil {
		return fmt.Errorf("open backup %s: %w", doc.Archive.Backup, err)
	}
	if err := doc.findDamaged(ctx, p, arc); err != nil {
		return fmt.Errorf("read backup %s: %w", doc.Archive.Backup, err)
	}
	if err := repository.CreateStaged(ctx, stage, repository.OpenedBackupFile, doc); err != nil {
		return err
	}
	arc.LeaveOut(doc.Damaged)
	r.opened.Keep(doc.UID, arc)
	return nil
}

// findDamaged reads the whole archive where it may be corrupt, and notes what to leave out.
func (d *openDoc) findDamaged(ctx context.Context, p *heartbeat.Recorder, arc *archive.Archive) error {
	if !d.Restore.AllowCorrupt || d.Archive.Foreign {
		return nil
	}
	damaged, err := arc.FindDamaged(ctx, func(n int64) { p.Count(0, n) })
	if err != nil {
		return err
	}
	d.Damaged = slices.Sorted(maps.Keys(damaged))
	if len(d.Damaged) > 0 {
		d.Reasons = append(d.Reasons, report.New(report.BackupCorrupt, fmt.Sprintf(
			"%d of %d parts of backup %s are damaged, and their objects left out: %v", len(d.Damaged), len(arc.Members()), d.Archive.Backup, damaged[d.Damaged[0]])))
	}
	return nil
}

// findBackup finds the one location that has the backup which the spec names, or backups of
// the schedule that it names. It also returns the locations that could not be searched.
func (r *Service) findBackup(ctx context.Context, in contract.RestoreInput) (repository.Answer[string], []contract.UnreadLocation, error) {
	what, err := backupQuery(in)
	if err != nil {
		return repository.Answer[string]{}, nil, err
	}
	all, err := repository.AskAll(ctx, r.Locations, in.Location, repository.SearchTimeout, func(ctx context.Context, a repository.Answer[string]) (string, error) {
		if in.Spec.ScheduleName != "" {
			return latestBackup(ctx, a.Store, in)
		}
		// The document is read because Head cannot tell a missing bucket from a missing object.
		_, err := repository.GetBytes(ctx, a.Store, layout.Backup{Name: in.Spec.BackupName}.Metadata())
		return in.Spec.BackupName, err
	})
	if err != nil {
		return repository.Answer[string]{}, nil, err
	}
	return repository.ExactlyOne(all, what)
}

// backupQuery describes the backup that a restore looks for.
func backupQuery(in contract.RestoreInput) (repository.Query, error) {
	if name := in.Spec.ScheduleName; name != "" {
		return repository.Query{
			Field: "spec.scheduleName", Thing: fmt.Sprintf("a backup of schedule %q", name),
			Missing: fmt.Sprintf("schedule %q has no Completed backup", name),
			Remedy:  "name one with backupName, or allow PartiallyFailed ones",
		}, nil
	}
	if err := archive.ValidateBackupName(in.Spec.BackupName); err != nil {
		return repository.Query{}, failure.Invalid("spec.backupName: %w", err)
	}
	what := repository.QueryByName("backup", in.Spec.BackupName)
	what.Field = "spec.backupName"
	return what, nil
}

// incompleteReasons warns of a backup that lacks something by its own account.
func incompleteReasons(ctx context.Context, from repository.Answer[string]) ([]report.Reason, error) {
	var doc velerov1.Backup
	if err := repository.GetJSON(ctx, from.Store, layout.Backup{Name: from.Value}.Metadata(), &doc); err != nil {
		return nil, err
	}
	if doc.Status.Phase != velerov1.BackupPhasePartiallyFailed {
		return nil, nil
	}
	return []report.Reason{report.New(report.BackupIncomplete, fmt.Sprintf("backup %s is PartiallyFailed: %d errors when it was taken", from.Value, doc.Status.Errors))}, nil
}

// corruptReasons refuses a backup of which a verification has found that it is corrupt, or warns
// of it where that is allowed.
func corruptReasons(ctx context.Context, from repository.Answer[string], allowed bool) ([]report.Reason, error) {
	var doc velerov1.Backup
	if err := repository.GetJSON(ctx, from.Store, layout.Backup{Name: from.Value}.Metadata(), &doc); err != nil {
		return nil, err
	}
	v, err := beside.ReadVerification(ctx, from.Store, from.Value, string(doc.UID))
	if err != nil || v == nil || !v.IsCorrupt() {
		return nil, err
	}
	first := v.Damage[0]
	text := fmt.Sprintf("backup %s is corrupt, as was found at %s: %s: %s", from.Value, v.At.Format(time.RFC3339), first.What, first.Found)
	if more := len(v.Damage) - 1 + v.More; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	if !allowed {
		return nil, failure.New(contract.ErrTypeCorrupt, fmt.Errorf("spec.backupName: %s; restore another backup, or allow a corrupt one with allowCorrupt", text))
	}
	return []report.Reason{report.New(report.BackupCorrupt, text)}, nil
}

// unreadReasons warns of locations that could not be searched: they may have another backup of
// the name, or a newer one of the schedule.
func unreadReasons(all []contract.UnreadLocation) []report.Reason {
	var reasons []report.Reason
	for _, u := range all {
		reasons = append(reasons, report.New(report.LocationUnread, "storage location "+u.Name+" was not searched for the backup: "+u.Message))
	}
	return reasons
}

// openBackup opens Lifeboat's archive of the backup, or makes one of Velero's tarball.
func (d *openDoc) openBackup(ctx context.Context, p *heartbeat.Recorder, src store.Store, stage repository.Staging) (*archive.Archive, error) {
	files := layout.Backup{Name: d.Archive.Backup}
	_, err := src.Head(ctx, files.Manifest())
	if errors.Is(err, store.ErrNotFound) {
		d.Archive.Foreign = true
		err = recutTarball(ctx, p, src, stage, files, d)
	}
	if err != nil {
		return nil, err
	}
	arc, err := openArchive(ctx, src, stage, d.Archive)
	if err == nil && !d.Archive.Foreign {
		d.Archive.Objects = arc.Manifest().Totals.Objects
	}
	return arc, err
}

func validateRestore(in contract.RestoreInput) error {
	if err := archive.ValidateName(in.Name); err != nil {
		return failure.Invalid("name: %w", err)
	}
	problems := append(filter.ValidateMetadata("", in.Labels, in.Annotations), filter.ValidateRestore(&in.Spec, in.Names)...)
	if in.AllowPartiallyFailed && in.Spec.ScheduleName == "" {
		problems = append(problems, filter.FieldError{Path: "allowPartiallyFailed", Message: "goes with spec.scheduleName: a backup that is named is restored as it is"})
	}
	if in.DryRun && in.Plan != "" {
		problems = append(problems, filter.FieldError{Path: "plan", Message: "cannot be used together with dryRun: a dry run makes a plan, and plan follows one"})
	}
	if len(problems) > 0 {
		return filter.FieldErrors(problems)
	}
	for _, old := range slices.Sorted(maps.Keys(in.StorageClasses)) {
		if old == "" || in.StorageClasses[old] == "" {
			return failure.Invalid("storageClassMapping[%s]: %q is not a storage class; name both the old one and the new one", old, in.StorageClasses[old])
		}
	}
	return nil
}

// checkNameFree fails if an earlier restore of this name, Lifeboat's or Velero's, has left its
// results, which would be overwritten.
func (r *Service) checkNameFree(ctx context.Context, st store.Store, in contract.OpenArchiveInput) error {
	var doc velerov1.Restore
	err := repository.GetJSON(ctx, st, repository.RestoreDocumentKey(in.Restore.Name), &doc)
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = st.Head(ctx, layout.Restore{Name: in.Restore.Name}.Results())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
	case err == nil && string(doc.UID) == in.UID:
		return nil
	}
	if err != nil {
		return err
	}
	return failure.Exists("name: restore %q already exists; choose another name", in.Restore.Name)
}

// checkDryRun fails if the dry run that this restore has to agree with is not there.
func checkDryRun(ctx context.Context, st store.Store, in contract.RestoreInput) error {
	if in.Plan == "" || in.DryRun {
		return nil
	}
	if err := archive.ValidateName(in.Plan); err != nil {
		return failure.Invalid("plan: %w", err)
	}
	_, err := st.Head(ctx, layout.PlanKey(in.Plan))
	if errors.Is(err, store.ErrNotFound) {
		return failure.NotFound("plan: no dry run %q where the results of a restore of this backup lie; make one with dryRun, or leave plan out", in.Plan)
	}
	return err
}

// recutTarball cuts Velero's tarball into seekable chunks in the restore's staging.
func recutTarball(ctx context.Context, p *heartbeat.Recorder, src store.Store, stage repository.Staging, l layout.Backup, d *openDoc) error {
	body, _, err := src.Get(ctx, l.Tarball())
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s is missing: %w", l.Tarball(), archive.ErrCorrupt)
	}
	if err != nil {
		return err
	}
	var refs []archive.ChunkRef
	attempt := repository.NewAttempt()
	w := archive.NewWriter(archive.DefaultLimits(), time.Unix(0, 0), func(c archive.Chunk) error {
		key := stage.Key(fmt.Sprintf("chunk-%05d-%s", len(refs), attempt))
		refs = append(refs, c.Ref(key))
		p.Count(int64(c.Objects()), int64(len(c.Data)))
		return stage.Store.Put(ctx, key, c.Staged, store.PutOptions{})
	})
	stats, err := archive.Recut(ctx, body, w, archive.DefaultHostileLimits())
	if d.Restore.AllowCorrupt && errors.Is(err, archive.ErrCorrupt) {
		d.Reasons = append(d.Reasons, report.New(report.ObjectDamaged, fmt.Sprintf("%d objects could be read; what follows them is lost: %v", stats.Objects, err)))
		err = w.Flush()
	}
	if err := errors.Join(err, body.Close()); err != nil {
		return err
	}
	d.Archive.Objects, d.Archive.Chunks = stats.Objects, len(refs)
	d.Reasons = append(d.Reasons, unusualReasons(stats.Unusual)...)
	data, err := archive.EncodeChunkRefs(refs)
	if err != nil {
		return err
	}
	err = stage.Store.Put(ctx, stage.Key(repository.RecutChunksFile), data, store.PutOptions{IfAbsent: true})
	if errors.Is(err, store.ErrExists) {
		return nil // the chunks of an attempt before this one have the same objects
	}
	return err
}

// unusualReasons names the objects of a foreign tarball that are left out.
func unusualReasons(paths []string) []report.Reason {
	var reasons []report.Reason
	for _, path := range paths {
		r := report.New(report.ObjectInvalid, "not restored, because its name cannot be stored: "+path)
		r.Next = "make the object by hand, with another name"
		reasons = append(reasons, r)
	}
	return reasons
}

// latestBackup returns the name of the newest Completed backup of a schedule in a location that
// is not known to be corrupt
// (docs/VELERO.md 3.3). Velero's timestamps are in seconds. Of two backups that started in the
// same second the later name wins, since the names of a schedule's backups end in their time.
func latestBackup(ctx context.Context, st store.Store, in contract.RestoreInput) (string, error) {
	docs, err := repository.ReadBackups(ctx, st)
	if err != nil {
		return "", err
	}
	isCorrupt, err := repository.CorruptBackups(ctx, st)
	if err != nil {
		return "", err
	}
	var latest *velerov1.Backup
	for _, d := range docs {
		if !in.AllowCorrupt && isCorrupt(d.Name, string(d.UID)) {
			continue
		}
		if isOfSchedule(d, in) && (latest == nil || startedLater(d, latest)) {
			latest = d
		}
	}
	if latest == nil {
		return "", store.ErrNotFound
	}
	return latest.Name, nil
}

// isOfSchedule reports whether a backup is one of the schedule that may be restored.
func isOfSchedule(d *velerov1.Backup, in contract.RestoreInput) bool {
	whole := d.Status.Phase == velerov1.BackupPhaseCompleted ||
		in.AllowPartiallyFailed && d.Status.Phase == velerov1.BackupPhasePartiallyFailed
	return whole && d.Labels[repository.LabelSchedule] == in.Spec.ScheduleName && d.Status.StartTimestamp != nil
}

func startedLater(a, b *velerov1.Backup) bool {
	return cmp.Or(a.Status.StartTimestamp.Compare(b.Status.StartTimestamp.Time), strings.Compare(a.Name, b.Name)) > 0
}
