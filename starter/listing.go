package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// matcher decides about the labels of a row.
type matcher func(map[string]string) bool

func (o *getOptions) check() (matcher, error) {
	if err := o.out.check(); err != nil {
		return nil, err
	}
	return matching(o.selector)
}

func matching(selector string) (matcher, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("--selector: %w", err)
	}
	return func(set map[string]string) bool { return parsed.Matches(labels.Set(set)) }, nil
}

// mergeBackups adds to the stored backups those that run or have failed. What is
// stored is the truth about a name; a run of the name can only fail.
func mergeBackups(stored []contract.BackupSummary, runs, deletions []temporal.State, match matcher) []contract.BackupSummary {
	known := map[string]bool{}
	all := slices.Clone(stored)
	for _, b := range all {
		known[b.Name] = true
	}
	gone := map[string]temporal.State{}
	for _, d := range deletions {
		if d.Closed.After(gone[d.Name].Closed) {
			gone[d.Name] = d
		}
		if d.Running {
			markDeleting(all, d)
		}
	}
	for _, r := range runs {
		if known[r.Name] || !unstored(r) || outlived(r, gone[r.Name]) || !match(r.Labels) {
			continue
		}
		all = append(all, contract.BackupSummary{
			Name: r.Name, Labels: r.Labels, Location: r.Location, Phase: r.Phase,
			Errors: failures(r), Created: r.Started, Selector: r.Selector, Ours: true,
		})
	}
	slices.SortStableFunc(all, func(a, b contract.BackupSummary) int { return byName(a.Name, b.Name) })
	return all
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

// inLocation keeps the runs whose input names the location, all for none.
func inLocation(runs []temporal.State, location string) []temporal.State {
	if location == "" {
		return runs
	}
	return slices.DeleteFunc(slices.Clone(runs), func(r temporal.State) bool { return r.Location != location })
}

// mergeRestores does the same for restores.
func mergeRestores(stored []contract.RestoreSummary, runs []temporal.State, match matcher) []contract.RestoreSummary {
	known := map[string]bool{}
	all := slices.Clone(stored)
	for _, r := range all {
		known[r.Name] = true
	}
	for _, r := range runs {
		if known[r.Name] || !unstored(r) || !match(r.Labels) {
			continue
		}
		row := contract.RestoreSummary{
			Name: r.Name, Labels: r.Labels, Backup: r.Backup, Phase: r.Phase,
			Started: moment(r.Started), Completed: moment(r.Closed), Errors: failures(r), DryRun: r.DryRun,
		}
		all = append(all, row)
	}
	slices.SortStableFunc(all, func(a, b contract.RestoreSummary) int { return byName(a.Name, b.Name) })
	return all
}

// unstored is true for a run whose outcome is not in the bucket's lists: one that
// runs or failed, and a dry run. A finished one that is not there was deleted.
func unstored(s temporal.State) bool {
	return s.Name != "" && (s.Running || s.DryRun || !hasResult(s))
}

func hasResult(s temporal.State) bool { return s.Phase == "Completed" || s.Phase == "PartiallyFailed" }

// outlived is true for a run after which somebody deleted its name: what it has to
// tell has been dealt with. A deletion that failed counts too: if there was a
// backup, it is still stored and known from there.
func outlived(run, deletion temporal.State) bool {
	return !run.Running && !deletion.Running && deletion.Closed.After(run.Started)
}

// failures counts the one error that ended a run.
func failures(s temporal.State) int {
	if s.Running || s.Phase == "Canceled" || hasResult(s) {
		return 0
	}
	return 1
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// byName sorts by name, but backups of one schedule (name and a timestamp of 14
// digits) newest first, as Velero does.
func byName(a, b string) int {
	stamp := regexp.MustCompile(`^(.*-)([0-9]{14})$`)
	left, right := stamp.FindStringSubmatch(a), stamp.FindStringSubmatch(b)
	if left != nil && right != nil && left[1] == right[1] {
		return cmp.Compare(right[2], left[2])
	}
	return cmp.Compare(a, b)
}

// pick keeps the rows of the names asked for, all rows for none; a name without a
// row is an error.
func pick[T any](all []T, names []string, noun string, nameOf func(T) string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []T
	for _, name := range names {
		before := len(out)
		for _, row := range all {
			if nameOf(row) == name {
				out = append(out, row) // storage locations may each have one
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s %q: %w; see 'lifeboat %s get'", noun, name, temporal.ErrNotFound, noun)
		}
	}
	return out, nil
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
