package main

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// labelMatcher decides about the labels of a row.
type labelMatcher func(map[string]string) bool

// parseMatcher reads the flag --selector.
func parseMatcher(selector string) (labelMatcher, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("--selector: %w", err)
	}
	return func(set map[string]string) bool { return parsed.Matches(labels.Set(set)) }, nil
}

// addRuns adds to the stored rows the runs that go on or have failed. What is stored is
// the truth about a name; a run of the name can only fail.
func (n *noun[Row, Doc]) addRuns(ctx context.Context, be backend, stored []Row, location string, match labelMatcher) ([]Row, error) {
	runs, err := be.Runs(ctx, n.kind)
	if err != nil {
		return nil, err
	}
	all, runs := slices.Clone(stored), runsInLocation(runs, location)
	if n.applyDeletions != nil {
		deletions, err := be.Runs(ctx, temporal.KindDelete)
		if err != nil {
			return nil, err
		}
		runs = n.applyDeletions(all, runs, deletions)
	}
	known := n.layout.names(all)
	for _, r := range runs {
		if isUnstored(r) && match(r.Labels) && !slices.Contains(known, r.Name) {
			all = append(all, n.rowOfRun(r))
		}
	}
	slices.SortStableFunc(all, func(a, b Row) int { return compareNames(n.layout.name(a), n.layout.name(b)) })
	return all, nil
}

// applyBackupDeletions marks the rows that are being deleted and gives the runs that no
// deletion came after.
func applyBackupDeletions(all []contract.BackupSummary, runs, deletions []temporal.State) []temporal.State {
	latest := map[string]temporal.State{}
	for _, d := range deletions {
		if d.Closed.After(latest[d.Name].Closed) {
			latest[d.Name] = d
		}
		if d.Running {
			markDeleting(all, d)
		}
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r temporal.State) bool { return wasDeletedAfter(r, latest[r.Name]) })
}

// markDeleting shows what a running deletion removes. One that was told no location
// removes the only backup of the name.
func markDeleting(all []contract.BackupSummary, d temporal.State) {
	for i := range all {
		if all[i].Name == d.Name && (d.Location == "" || d.Location == all[i].Location) {
			all[i].Phase = "Deleting"
		}
	}
}

// runsInLocation keeps the runs whose input names the location, all for none.
func runsInLocation(runs []temporal.State, location string) []temporal.State {
	if location == "" {
		return runs
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r temporal.State) bool { return r.Location != location })
}

// isUnstored is true for a run whose outcome is not in the bucket's lists: one that
// runs or failed, and a dry run. A finished one that is not there was deleted.
func isUnstored(s temporal.State) bool {
	return s.Name != "" && (s.Running || s.DryRun || !hasResult(s))
}

func hasResult(s temporal.State) bool { return s.Phase == "Completed" || s.Phase == "PartiallyFailed" }

// wasDeletedAfter is true for a run after which somebody deleted its name: what it has to
// tell has been dealt with. A deletion that failed counts too: if there was a
// backup, it is still stored and known from there.
func wasDeletedAfter(run, deletion temporal.State) bool {
	return !run.Running && !deletion.Running && deletion.Closed.After(run.Started)
}

// errorCount counts the one error that ended a run.
func errorCount(s temporal.State) int {
	if s.Running || s.Phase == "Canceled" || hasResult(s) {
		return 0
	}
	return 1
}

// timeOrNil is nil for the zero time, timeOrZero the reverse.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func metaTime(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: *t}
}

// compareNames sorts by name, but backups of one schedule (name and a timestamp of 14
// digits) newest first, as Velero does.
func compareNames(a, b string) int {
	stamp := regexp.MustCompile(`^(.*-)([0-9]{14})$`)
	left, right := stamp.FindStringSubmatch(a), stamp.FindStringSubmatch(b)
	if left != nil && right != nil && left[1] == right[1] {
		return cmp.Compare(right[2], left[2])
	}
	return cmp.Compare(a, b)
}

func labelText(set map[string]string) string {
	if len(set) == 0 {
		return "<none>"
	}
	var parts []string
	for key, value := range set {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
