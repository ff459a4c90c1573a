package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// backupCatchUp is how late a backup may begin where nobody says.
const backupCatchUp = time.Hour

// backupKind are schedules of backups.
type backupKind struct{ *Service }

func (s backupKind) configured() []contract.Schedule {
	all := make([]contract.Schedule, 0, len(s.Config.Schedules))
	for _, doc := range s.Config.Schedules {
		all = append(all, contract.Schedule{Name: doc.Name, Labels: doc.Labels, Annotations: doc.Annotations, Spec: doc.Spec})
	}
	return all
}

func backupFields() fields {
	return fields{cron: "spec.schedule", annotations: map[string]string{
		contract.AnnotationZone: "", contract.AnnotationJitter: "", contract.AnnotationOverlap: "", contract.AnnotationCatchUp: "", contract.AnnotationRehearse: "",
	}}
}

func (s backupKind) check(p *filter.Problems, d *contract.Schedule) rules {
	r := rules{catchUp: backupCatchUp, ttl: cmp.Or(d.Spec.Template.TTL.Duration, s.Config.DefaultBackupTTL.Duration), rehearse: s.Config.Rehearsal.After}
	if err := archive.ValidateScheduleName(d.Name); err != nil {
		p.Add("metadata.name", "%v", err)
	}
	r.readTiming(p, d, backupFields())
	r.warnings = append(r.warnings, r.timing.Warnings()...)
	r.readAnnotations(p, d, backupFields())
	if !s.Config.Rehearsal.Configured() && r.rehearse != s.Config.Rehearsal.After && r.rehearse != config.RehearseNever {
		r.warnings = append(r.warnings, "its backups are not rehearsed: the worker's configuration names no control plane; set rehearsal.pod, or rehearsal.apiServer and rehearsal.etcd, there")
	}
	s.checkLocations(p, &d.Spec.Template)
	for _, f := range filter.ValidateMetadata("spec.template.metadata.", d.Spec.Template.Metadata.Labels, nil) {
		p.Add(f.Path, "%s", f.Message)
	}
	for _, f := range filter.ValidateBackup(&d.Spec.Template) {
		p.Add("spec.template."+strings.TrimPrefix(f.Path, "spec."), "%s", f.Message)
	}
	if d.Drill != nil {
		p.Add("drill", "is for schedules of drills: use `lifeboat drill schedule`")
	}
	if owner := d.Spec.UseOwnerReferencesInBackup; owner != nil && *owner {
		r.warnings = append(r.warnings, "spec.useOwnerReferencesInBackup has no effect: backups are not objects of the cluster, and deleting the schedule deletes none")
	}
	return r
}

// checkLocations knows what this worker's configuration has.
func (s backupKind) checkLocations(p *filter.Problems, spec *velerov1.BackupSpec) {
	bsl, err := s.Config.Location(spec.StorageLocation)
	switch {
	case err != nil:
		p.Add("spec.template.storageLocation", "%v", err)
	case bsl.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly:
		p.Add("spec.template.storageLocation", "%q is ReadOnly: choose another, or set its accessMode to ReadWrite", bsl.Name)
	}
	for i, name := range spec.VolumeSnapshotLocations {
		if !slices.ContainsFunc(s.Config.VolumeSnapshotLocations, func(l velerov1.VolumeSnapshotLocation) bool { return l.Name == name }) {
			p.Add(fmt.Sprintf("spec.template.volumeSnapshotLocations[%d]", i), "the worker's configuration has no volume snapshot location %q", name)
		}
	}
}

func (s backupKind) plan(_ context.Context, out *contract.BegunSlot, d *repository.ScheduleDefinition, _ *rules, _ *repository.ScheduleRuns) error {
	backup := d.Backup(out.Slot.Due)
	out.Backup, out.Slot.Backup = &backup, backup.Name
	return nil
}

func (s backupKind) stored(ctx context.Context, d *repository.ScheduleDefinition, slot contract.ScheduleSlot) (*contract.ScheduleSlot, error) {
	_, st, err := s.Locations.Get(ctx, d.Spec.Template.StorageLocation)
	if err != nil {
		return nil, err
	}
	doc := new(velerov1.Backup)
	err = repository.GetJSON(ctx, st, layout.Backup{Name: d.BackupName(slot.Due)}.Metadata(), doc)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entry := repository.EntryOf(doc, 0)
	slot.Outcome, slot.Reason, slot.Backup, slot.Phase = contract.SlotRan, "", entry.Name, string(entry.Phase)
	slot.Started, slot.Ended = entry.Started, entry.Completed
	return &slot, nil
}

func (s backupKind) flaw(ctx context.Context, d *repository.ScheduleDefinition, slot contract.ScheduleSlot) (string, error) {
	bsl, err := s.Config.Location(d.Spec.Template.StorageLocation)
	if err != nil || slot.Backup == "" {
		return "", err
	}
	all, err := repository.AskAll(ctx, s.Locations, bsl.Name, repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[string]) (string, error) {
		return flawOf(ctx, a.Store, slot.Backup)
	})
	if err != nil {
		return "", err
	}
	return all[0].Value, all[0].Err
}

// flawOf looks a backup up.
func flawOf(ctx context.Context, st store.Store, backup string) (string, error) {
	doc := new(velerov1.Backup)
	switch err := repository.GetJSON(ctx, st, layout.Backup{Name: backup}.Metadata(), doc); {
	case errors.Is(err, store.ErrNotFound):
		return "it was deleted", nil
	case archive.IsDamaged(err):
		return "it is Corrupt: its document cannot be read", nil
	case err != nil:
		return "", err
	}
	verdict, err := repository.NewestVerdict(ctx, st, backup, string(doc.UID))
	if err != nil || !verdict.Corrupt {
		return "", err
	}
	return "it is Corrupt: `lifeboat backup describe " + backup + "` says why", nil
}
