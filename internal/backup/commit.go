package backup

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/binding"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// Commit writes the Backup document, once and last: from then on the backup exists. Then it
// clears staging and releases the name lock. It may repeat.
func (s *Service) Commit(ctx context.Context, in contract.CommitBackupInput) (contract.BackupResult, error) {
	_, st, err := s.Writable(ctx, in.Ref)
	if err != nil {
		return contract.BackupResult{}, err
	}
	var p Plan
	switch err := repository.NewStaging(st, in.Ref.UID).Get(ctx, repository.PlanFile, &p); {
	case errors.Is(err, store.ErrNotFound): // an attempt before this one began to clear staging
	case err != nil:
		return contract.BackupResult{}, err
	default:
		if err := putBackupDocument(ctx, st, &p, in); err != nil {
			return contract.BackupResult{}, err
		}
	}
	return s.readCommitted(ctx, st, layout.Backup{Name: in.Ref.Name}, in)
}

// putBackupDocument writes the Backup document, unless there is one. Without the name lock
// nothing is written, because the directory may be another run's by now, or an attempt
// before this one has committed.
func putBackupDocument(ctx context.Context, st store.Store, p *Plan, in contract.CommitBackupInput) error {
	held, err := repository.HoldsName(ctx, st, in.Ref.Name, in.Ref.UID)
	if err != nil || !held {
		return err
	}
	run := &Run{Staging: repository.NewStaging(st, in.Ref.UID), Plan: *p}
	recorded, err := run.recordedValues(ctx)
	if err != nil {
		return err
	}
	doc := withTrace(ctx, backupDocument(p, in))
	delete(doc.Annotations, hook.AnnotationRecorded) // nobody's but the hooks'
	if text := hook.EncodeRecorded(recorded); text != "" {
		doc.Annotations[hook.AnnotationRecorded] = text
	}
	if err := repository.CommitBackup(ctx, st, doc); !errors.Is(err, store.ErrExists) {
		return err
	}
	return nil
}

// readCommitted reads the Backup document that is there. If this run wrote it, what stood for
// snapshots, the name lock and staging are released. If another run did, this one has lost.
func (s *Service) readCommitted(ctx context.Context, st store.Store, l layout.Backup, in contract.CommitBackupInput) (contract.BackupResult, error) {
	var doc velerov1.Backup
	err := repository.GetJSON(ctx, st, l.Metadata(), &doc)
	if errors.Is(err, store.ErrNotFound) {
		return contract.BackupResult{}, failure.Exists("name: another run has taken the name %q over before this one was committed; nothing was kept, start it again", in.Ref.Name)
	}
	if err != nil {
		return contract.BackupResult{}, err
	}
	if string(doc.UID) != in.Ref.UID {
		return contract.BackupResult{}, failure.Exists("name: backup %q was committed by another run (uid %s)", in.Ref.Name, doc.UID)
	}
	_ = repository.RememberBackup(ctx, st, &doc, in.Seal.Bytes) // the next listing writes an entry that is lost here
	res := backupResult(&doc, in)
	text, err := s.rememberChanges(ctx, st, in.Ref, doc.Status.StartTimestamp.Time, in.Seal.Changes)
	if err != nil {
		return res, err
	}
	if text != "" {
		res.Warnings++
		res.Reasons = append(slices.Clone(res.Reasons), text)
	}
	err = s.cleanUpCommitted(ctx, st, in.Ref, &res)
	return res, err
}

// CleanUp does what a run has left to do that ended right after its commit, and tells whether it
// had come that far. It may repeat.
func (s *Service) CleanUp(ctx context.Context, ref contract.BackupRef) (committed bool, err error) {
	_, st, err := s.Writable(ctx, ref)
	if err != nil {
		return false, err
	}
	var doc velerov1.Backup
	err = repository.GetJSON(ctx, st, layout.Backup{Name: ref.Name}.Metadata(), &doc)
	if errors.Is(err, store.ErrNotFound) || err == nil && string(doc.UID) != ref.UID {
		return false, nil
	}
	if err == nil {
		err = s.cleanUpCommitted(ctx, st, ref, &contract.BackupResult{})
	}
	return err == nil, err
}

// cleanUpCommitted releases what a backup that is there does not need any more. Nothing that
// fails for good makes the run fail, because the backup exists: it is a reason in the result,
// and the rest is done. Staging is cleared last, since it tells what there is.
func (s *Service) cleanUpCommitted(ctx context.Context, st store.Store, ref contract.BackupRef, res *contract.BackupResult) error {
	for _, step := range []func() error{
		func() error { return s.releaseVolumes(ctx, st, ref) },
		func() error { return repository.ReleaseName(ctx, st, ref.Name, ref.UID) },
		func() error { return repository.NewStaging(st, ref.UID).Clear(ctx) },
	} {
		err := step()
		if err == nil {
			continue
		}
		if ctx.Err() != nil || failure.TypeOf(err) == "" {
			return err
		}
		res.Warnings++
		res.Reasons = append(slices.Clone(res.Reasons), report.New(report.CleanUpFailed, err.Error()).String())
	}
	return nil
}

// withTrace names the run's trace, if there is one.
func withTrace(ctx context.Context, doc *velerov1.Backup) *velerov1.Backup {
	if id := telemetry.TraceID(ctx); id != "" {
		doc.Annotations[repository.AnnotationTrace] = id
	}
	return doc
}

// backupDocument is the Backup resource as Velero would have left it (docs/VELERO.md 2.5).
func backupDocument(p *Plan, in contract.CommitBackupInput) *velerov1.Backup {
	doc := &velerov1.Backup{
		TypeMeta: metav1.TypeMeta{APIVersion: velerov1.SchemeGroupVersion.String(), Kind: "Backup"},
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Backup.Name, Namespace: repository.VeleroNamespace, UID: types.UID(p.UID),
			CreationTimestamp: metav1.NewTime(p.Started),
			Labels:            resource.MergeLabels(p.Backup.Labels, map[string]string{velerov1.StorageLocationLabel: p.Backup.Spec.StorageLocation}),
			Annotations: resource.MergeLabels(p.Backup.Annotations, map[string]string{
				velerov1.SourceClusterK8sGitVersionAnnotation:   p.Kubernetes.GitVersion,
				velerov1.SourceClusterK8sMajorVersionAnnotation: p.Kubernetes.Major,
				velerov1.SourceClusterK8sMinorVersionAnnotation: p.Kubernetes.Minor,
				velerov1.ResourceTimeoutAnnotation:              "10m0s",
				repository.AnnotationUID:                        p.UID,
				repository.AnnotationManifest:                   in.Seal.Manifest,
				repository.AnnotationWorkflow:                   p.Run.WorkflowID,
				repository.AnnotationConditional:                strconv.FormatBool(p.Conditional),
			}),
		},
		Spec: p.Backup.Spec,
	}
	doc.Status = backupStatus(p, in)
	return doc
}

func backupStatus(p *Plan, in contract.CommitBackupInput) velerov1.BackupStatus {
	phase := report.Completed
	if in.Seal.Errors > 0 {
		phase = report.PartiallyFailed
	}
	n, v := int(in.Seal.Objects), in.Seal.Volumes
	return velerov1.BackupStatus{
		Version: 1, FormatVersion: "1.1.0", Phase: velerov1.BackupPhase(phase),
		Expiration:          &metav1.Time{Time: p.Expires},
		StartTimestamp:      &metav1.Time{Time: p.Started},
		CompletionTimestamp: &metav1.Time{Time: in.Completed.UTC().Truncate(time.Second)},
		Progress:            &velerov1.BackupProgress{TotalItems: n, ItemsBackedUp: n},
		Warnings:            in.Seal.Warnings, Errors: in.Seal.Errors,
		VolumeSnapshotsAttempted:    v.NativeAttempted,
		VolumeSnapshotsCompleted:    v.NativeCompleted,
		CSIVolumeSnapshotsAttempted: v.CSIAttempted,
		CSIVolumeSnapshotsCompleted: v.CSICompleted,
		HookStatus:                  &velerov1.HookStatus{HooksAttempted: v.HooksAttempted, HooksFailed: v.HooksFailed},
	}
}

func backupResult(doc *velerov1.Backup, in contract.CommitBackupInput) contract.BackupResult {
	return contract.BackupResult{
		Name: doc.Name, UID: string(doc.UID), Location: doc.Spec.StorageLocation, Phase: string(doc.Status.Phase),
		Started: doc.Status.StartTimestamp.Time, Completed: doc.Status.CompletionTimestamp.Time,
		Expires: doc.Status.Expiration.Time, Objects: in.Seal.Objects, Bytes: in.Seal.Bytes,
		Warnings: in.Seal.Warnings, Errors: in.Seal.Errors, Reasons: in.Seal.Reasons,
		Volumes: in.Seal.Volumes.NativeCompleted + in.Seal.Volumes.CSICompleted,
	}
}

// Abandon removes the files that an uncommitted run left behind. It may repeat, and leaves a
// backup alone that was committed, by this run or another.
func (s *Service) Abandon(ctx context.Context, in contract.AbandonBackupInput) (contract.Nothing, error) {
	if err := s.Locations.CheckPlace(in.Ref.Location, in.Ref.Binding.Place); err != nil {
		return contract.Nothing{}, err
	}
	_, st, err := s.Locations.Get(ctx, in.Ref.Location)
	if failure.TypeOf(err) != "" {
		return contract.Nothing{}, nil // no such location: nothing was written
	}
	if err != nil {
		return contract.Nothing{}, err
	}
	if err := s.clearUncommitted(ctx, st, in.Ref); err != nil && failure.TypeOf(err) == "" {
		return contract.Nothing{}, err
	}
	return contract.Nothing{}, nil
}

// clearUncommitted clears staging and, while the run holds the name lock, the directory of a
// backup that was not committed.
func (s *Service) clearUncommitted(ctx context.Context, st store.Store, ref contract.BackupRef) error {
	if err := repository.NewStaging(st, ref.UID).Clear(ctx); err != nil {
		return err
	}
	var holder repository.NameLock
	err := repository.GetJSON(ctx, st, layout.NameLock(ref.Name), &holder)
	if errors.Is(err, store.ErrNotFound) || err == nil && holder.UID != ref.UID {
		return nil // the directory belongs to another run
	}
	if err != nil {
		return err
	}
	_, err = st.Head(ctx, layout.Backup{Name: ref.Name}.Metadata())
	if errors.Is(err, store.ErrNotFound) {
		err = repository.ClearBackupFiles(ctx, st, ref.Name, ref.UID, "")
	}
	if err != nil {
		return err
	}
	return repository.ReleaseName(ctx, st, ref.Name, ref.UID)
}

// releaseVolumes deletes the objects that stood for snapshots in the cluster, once the backup
// is committed. Staging, which tells what there is, is cleared after that.
func (s *Service) releaseVolumes(ctx context.Context, st store.Store, ref contract.BackupRef) error {
	var p Plan
	err := repository.NewStaging(st, ref.UID).Get(ctx, repository.PlanFile, &p)
	if errors.Is(err, store.ErrNotFound) {
		return nil // an attempt before this one has done it and begun to clear staging
	}
	if err != nil {
		return err
	}
	drivers, err := s.releaseDrivers(ctx, &p)
	if err != nil || len(drivers) == 0 {
		return err
	}
	if err := binding.CheckCluster(ctx, s.Kube, p.Binding); err != nil {
		return err
	}
	units, err := (&Run{Staging: repository.NewStaging(st, ref.UID), Plan: p}).UnitResults(ctx)
	if err != nil {
		return err
	}
	for _, d := range drivers {
		err := d.Release(ctx, AllSnapshots(units))
		if err != nil && d.IsPermanent(err) {
			err = failure.Denied("%w", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
