package restore

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Record is what became of one object. Records are staged until the restore is finished.
type Record struct {
	Resource   string               `json:"resource"`
	APIVersion string               `json:"apiVersion"`
	Kind       string               `json:"kind"`
	Namespace  string               `json:"namespace,omitempty"` // in the target
	Name       string               `json:"name"`
	Action     string               `json:"action"`
	Reason     string               `json:"reason,omitempty"`
	Reasons    []report.Reason      `json:"reasons,omitempty"`
	Owners     []resource.OwnerRef  `json:"owners,omitempty"`
	Live       string               `json:"live,omitempty"`  // digest of the object that was there before
	Diff       []resource.FieldDiff `json:"diff,omitempty"`  // of a dry run
	Hooks      int                  `json:"hooks,omitempty"` // number of hooks to run in a pod that was made, or would be

	// Ran counts hooks. Only the record of the activity RunRestoreHooks has it.
	Ran *contract.HookCounts `json:"ran,omitempty"`
}

// Actions of a dry run. Those of a restore are of type report.Action.
const (
	PlanCreate = "create"
	PlanUpdate = "update"
	PlanSkip   = "skip"
	PlanNone   = "none"
	PlanFail   = "fail"
)

// Tally adds the records of one file of staging to a task's result.
func Tally(res *contract.ApplyResult, records []Record) {
	for _, r := range records {
		switch r.Action {
		case string(report.Created), PlanCreate:
			res.Counts.Created++
			res.Hooks += r.Hooks
		case string(report.Updated), PlanUpdate:
			res.Counts.Updated++
		case string(report.Failed), PlanFail:
			res.Counts.Failed++
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

// PutRecords stages the records of one batch. It may repeat.
func (s *Run) PutRecords(ctx context.Context, in contract.ApplyTaskInput, batch int, records []Record) error {
	return s.Stage.Put(ctx, repository.RecordsFile(in.Level, in.Task, batch), records)
}

// Records reads the records of all tasks, task by task.
func (s *Run) Records(ctx context.Context, each func(Record) error) error {
	var keys []string
	err := s.St.List(ctx, s.Stage.Key(repository.RecordsDir), func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	for _, key := range keys {
		var batch []Record
		if err := repository.GetJSON(ctx, s.St, key, &batch); err != nil {
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
