package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// judgeTimeout bounds how long a backup is held up by the comparison with the one before it.
const judgeTimeout = 2 * time.Minute

// triedBefore is how many of the last backups are tried as the one before: they may be gone.
const triedBefore = 5

// JudgeChanges compares the objects of a backup, as they are staged, with those of the backup
// before it and tells what is unusual. The result is nil where it is not to be remembered,
// since objects are missing that could not be listed. An error is no reason to fail a backup.
// It changes nothing.
func (s *Service) JudgeChanges(ctx context.Context, run *Run, newer *archive.Archive, found []report.Reason) (*contract.BackupChanges, []report.Reason, error) {
	if s.Config.Changes.Disabled || slices.ContainsFunc(found, func(r report.Reason) bool {
		return r.Code == report.ListFailed || r.Code == report.ReadFailed || r.Code == report.GroupUnavailable
	}) {
		return nil, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, judgeTimeout)
	defer cancel()
	id, err := seriesID(&run.Plan)
	if err != nil {
		return nil, nil, err
	}
	out := &contract.BackupChanges{Series: id, Schedule: scheduleOf(&run.Plan)}
	series, err := beside.ReadSeries(ctx, run.Store, s.Config.Cluster, id)
	if err != nil {
		return nil, nil, err
	}
	before, older := openBefore(ctx, run, &series)
	if older == nil {
		return out, nil, nil
	}
	j, err := s.judge(ctx, run, older, newer, &series)
	if err != nil {
		return nil, nil, fmt.Errorf("compare with backup %s: %w", before.Backup, err)
	}
	out.Measures, out.Unusual, out.Passing = j.Measures, j.Unusual, j.Passing
	if len(j.Unusual) > 0 {
		out.Previous, out.PreviousUID = before.Backup, before.UID
	}
	return out, unusualReasons(run.Layout.Name, before.Backup, j), nil
}

func (s *Service) judge(ctx context.Context, run *Run, older, newer *archive.Archive, series *change.Series) (change.Judgement, error) {
	diff, err := change.Compare(ctx, older, newer)
	if err != nil || diff.ByBody > 0 { // nothing can be said of a backup without digests of contents
		return change.Judgement{}, err
	}
	held := map[string]bool{}
	for _, r := range series.Records {
		if len(r.Unusual) == 0 || r.Held == "" {
			continue
		}
		said, err := beside.ReadRetention(ctx, run.Store, r.Held, r.HeldUID)
		held[r.UID] = err != nil || said.Hold != ""
	}
	return change.Judge(ctx, diff,
		change.Reader{Older: change.BodiesOf(older), Newer: change.BodiesOf(newer), OlderTime: older.Manifest().Created},
		series, change.Policy{Bounds: s.Config.Changes.Bounds, Window: s.Config.Changes.Window},
		func(r change.Record) bool { return held[r.UID] })
}

// openBefore opens the newest backup of the series that is still there; nil if none is.
func openBefore(ctx context.Context, run *Run, series *change.Series) (change.Record, *archive.Archive) {
	tried := 0
	for _, r := range slices.Backward(series.Records) {
		if r.UID == run.Plan.UID {
			continue
		}
		if tried++; tried > triedBefore {
			break
		}
		a, err := archive.Open(ctx, repository.NewSource(run.Store), layout.Backup{Name: r.Backup})
		if err == nil && a.Manifest().UID == r.UID {
			return r, a
		}
	}
	return change.Record{}, nil
}

// unusualReasons tells what was found, one reason a rule.
func unusualReasons(backup, before string, j change.Judgement) []report.Reason {
	var out []report.Reason
	for _, text := range j.Text {
		r := report.New(report.UnusualChange, fmt.Sprintf("compared with backup %s, which is held now: %s", before, text))
		r.Next = fmt.Sprintf("look at 'lifeboat backup diff %s %s'; if it was meant: lifeboat backup release %s", before, backup, before)
		out = append(out, r)
	}
	return out
}

func scheduleOf(p *Plan) string { return p.Backup.Labels[velerov1.ScheduleNameLabel] }

// seriesID names the series of a backup: only those of one schedule, or of none, that ask for
// the same objects can be compared.
func seriesID(p *Plan) (string, error) {
	spec := p.Backup.Spec
	scope, err := json.Marshal(velerov1.BackupSpec{
		IncludedNamespaces: spec.IncludedNamespaces, ExcludedNamespaces: spec.ExcludedNamespaces,
		IncludedResources: spec.IncludedResources, ExcludedResources: spec.ExcludedResources,
		IncludedClusterScopedResources: spec.IncludedClusterScopedResources, ExcludedClusterScopedResources: spec.ExcludedClusterScopedResources,
		IncludedNamespaceScopedResources: spec.IncludedNamespaceScopedResources, ExcludedNamespaceScopedResources: spec.ExcludedNamespaceScopedResources,
		IncludeClusterResources: spec.IncludeClusterResources, LabelSelector: spec.LabelSelector, OrLabelSelectors: spec.OrLabelSelectors,
	})
	if err != nil {
		return "", fmt.Errorf("encode the filters: %w", err)
	}
	return archive.Digest(append([]byte(scheduleOf(p)+"\x00"), scope...))[:32], nil
}

// rememberChanges adds a committed backup to its series and, if it is unusual, holds the one
// before it. It may repeat. What fails is told and fails no backup, but for the end of ctx.
func (s *Service) rememberChanges(ctx context.Context, st store.Store, ref contract.BackupRef, started time.Time, c *contract.BackupChanges) (string, error) {
	if c == nil {
		return "", nil
	}
	err := errors.Join(addToSeries(ctx, st, s.Config.Cluster, ref, started, c), holdBefore(ctx, st, ref.Name, c))
	if err == nil {
		return "", nil
	}
	text := "the changes since the backup before were not remembered"
	if c.Previous != "" {
		text = fmt.Sprintf("backup %s may not be held: run 'lifeboat backup hold %s --reason TEXT'", c.Previous, c.Previous)
	}
	return report.New(report.UnusualChange, fmt.Sprintf("%s: %v", text, err)).String(), ctx.Err()
}

func addToSeries(ctx context.Context, st store.Store, cluster string, ref contract.BackupRef, started time.Time, c *contract.BackupChanges) error {
	series, err := beside.ReadSeries(ctx, st, cluster, c.Series)
	if err != nil && !archive.IsDamaged(err) { // a damaged one begins anew
		return err
	}
	if err != nil {
		series = change.Series{}
	}
	series.Schedule = c.Schedule
	series.Add(change.Record{
		Backup: ref.Name, UID: ref.UID, Started: started, Measures: c.Measures, Unusual: c.Unusual, Passing: c.Passing, Held: c.Previous, HeldUID: c.PreviousUID,
	})
	return beside.WriteSeries(ctx, st, cluster, c.Series, series)
}

func holdBefore(ctx context.Context, st store.Store, backup string, c *contract.BackupChanges) error {
	if c.Previous == "" {
		return nil
	}
	_, err := beside.HoldBackup(ctx, st, c.Previous, c.PreviousUID,
		fmt.Sprintf("%s: backup %s after it: %s", report.UnusualChange, backup, strings.Join(c.Unusual, ", ")))
	return err
}
