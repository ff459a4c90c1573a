package restore

import (
	"context"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// Record is what became of one object. Records are staged until the restore is finished.
type Record struct {
	From       string              `json:"from,omitempty"` // "namespace/name" in the backup, where that is another
	Resource   string              `json:"resource"`
	APIVersion string              `json:"apiVersion"`
	Kind       string              `json:"kind"`
	Namespace  string              `json:"namespace,omitempty"` // in the target
	Name       string              `json:"name"`
	Action     string              `json:"action"`
	Reason     string              `json:"reason,omitempty"`
	Reasons    []report.Reason     `json:"reasons,omitempty"`
	Owners     []resource.OwnerRef `json:"owners,omitempty"`
	Live       string              `json:"live,omitempty"`     // digest of the object that was there before
	Diff       []compare.FieldDiff `json:"diff,omitempty"`     // of a dry run
	Hooks      int                 `json:"hooks,omitempty"`    // number of hooks to run in a pod that was made, or would be
	Waits      string              `json:"waits,omitempty"`    // the obstacle that the object waits for, before another attempt
	Deferred   bool                `json:"deferred,omitempty"` // its task has ended before that attempt

	// DroppedFinalizers are those of controllers, which a restored object is without until they
	// add them again.
	DroppedFinalizers []string `json:"droppedFinalizers,omitempty"`

	// Modifiers are the positions of the rules of resource modifiers that met the object.
	Modifiers []int `json:"modifiers,omitempty"`

	// Ran counts hooks. Only the record of the activity RunRestoreHooks has it.
	Ran *contract.HookCounts `json:"ran,omitempty"`
}

// Origin is the key of the object in the backup.
func (r Record) Origin() archive.Key {
	k := archive.Key{Resource: r.Resource, Namespace: r.Namespace, Name: r.Name}
	if r.From != "" {
		k.Namespace, k.Name = resource.SplitName(r.From)
	}
	return k
}

// Actions of a dry run. Those of a restore are of type report.Action.
const (
	PlanCreate = "create"
	PlanUpdate = "update"
	PlanSkip   = "skip"
	PlanNone   = "none"
	PlanFail   = "fail"
)

// Tally adds the records of one file of staging to a task's result. Of objects that wait it counts
// that they do.
func Tally(res *contract.ApplyResult, records []Record) {
	for _, r := range records {
		if r.Waits != "" {
			res.Deferred++
			continue
		}
		switch r.Action {
		case string(report.Created), PlanCreate:
			res.Counts.Created++
			res.Hooks += r.Hooks
		case string(report.Updated), PlanUpdate:
			res.Counts.Updated++
		case string(report.Failed), PlanFail:
			res.Counts.Failed++
		case "": // it is about no object
		default:
			res.Counts.Skipped++
		}
		if len(r.Owners) > 0 {
			res.Owners++
		}
		n := report.Tally(r.Reasons)
		res.Warnings += n.Warnings
		res.Errors += n.Errors
	}
	res.Records++
}

// WasLeft says that nothing was written of the object, or would be.
func (r *Record) WasLeft() bool {
	switch r.Action {
	case string(report.Skipped), string(report.Failed), PlanSkip, PlanNone, PlanFail:
		return true
	}
	return false
}

// note is what a person reads behind the object and what was done to it.
func (r *Record) note() string {
	if r.Action == string(report.Created) && len(r.DroppedFinalizers) > 0 {
		return "without finalizer " + strings.Join(r.DroppedFinalizers, ", ")
	}
	return r.Reason
}

// PutRecords stages the records of one batch. It may repeat; those of the latest attempt count.
func (s *Run) PutRecords(ctx context.Context, in contract.ApplyTaskInput, batch int, records []Record) error {
	return s.Stage.PutLatest(ctx, repository.RecordsFile(in.Level, in.Task, batch), records)
}

// BatchRecords reads the records of one batch.
func (s *Run) BatchRecords(ctx context.Context, in contract.ApplyTaskInput, batch int) (records []Record, err error) {
	err = s.Stage.GetLatest(ctx, repository.RecordsFile(in.Level, in.Task, batch), &records)
	return records, err
}

// Records reads the records of all tasks, task by task.
func (s *Run) Records(ctx context.Context, each func(Record) error) error {
	names, err := s.Stage.LatestNames(ctx, repository.RecordsDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		var batch []Record
		if err := s.Stage.Get(ctx, name, &batch); err != nil {
			return err
		}
		for _, rec := range batch {
			if err := each(rec); err != nil {
				return err
			}
		}
	}
	return nil
}
