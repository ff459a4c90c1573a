package rehearsal

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Problems that only a rehearsal finds; see package reference for those that the backup shows
// by itself, and package report for what API servers answer.
const (
	// Damaged: bytes of the backup are not those that were written.
	Damaged report.Code = "BACKUP_DAMAGED"
	// RestoreRefused: a restore of the whole backup would not begin.
	RestoreRefused report.Code = "RESTORE_REFUSED"
	// ObjectDiffers: the object was created and is not as the backup has it.
	ObjectDiffers report.Code = "OBJECT_DIFFERS"
	// ObjectLost: the object was created and is not there.
	ObjectLost report.Code = "OBJECT_LOST"
	// APIRemoved: this version of Kubernetes does not serve the type.
	APIRemoved report.Code = "API_REMOVED"
	// VersionGone: this version of Kubernetes serves the type, and not the version that the
	// object is stored in.
	VersionGone report.Code = "STORED_VERSION_GONE"
)

func nextStep(code report.Code) string {
	switch code {
	case Damaged:
		return "take a new backup now; 'lifeboat backup get' shows others of the schedule"
	case RestoreRefused:
		return "remove the cause that the message names: a restore in earnest would stop at it, too"
	case ObjectDiffers, ObjectLost:
		return "compare the object of the backup with one that is applied to such a cluster; an admission policy of the backup may change it"
	case APIRemoved, VersionGone:
		return "move the object to a version that is served, before the cluster is upgraded, and back it up again"
	}
	return ""
}

// account adds up what became of each object of the backup.
type account struct {
	compared bool // all objects have been looked at
	counts   contract.RehearsalCounts
	changed  map[contract.RehearsalChange]int64
	left     map[contract.RehearsalLeft]int64
	problems []report.Reason
}

func newAccount() *account {
	return &account{changed: map[contract.RehearsalChange]int64{}, left: map[contract.RehearsalLeft]int64{}}
}

func (a *account) addProblem(r report.Reason) { a.problems = append(a.problems, r) }

func (a *account) addEqual() { a.counts.Equal++ }

// addChanged notes an object that differs on purpose, and in which fields.
func (a *account) addChanged(fields []contract.RehearsalChange) {
	a.counts.Changed++
	for _, f := range fields {
		a.changed[f]++
	}
}

// addLeft notes an object that a restore leaves out. The reason is that of the first of its
// type and code.
func (a *account) addLeft(gr string, code report.Code, reason string) {
	a.counts.Left++
	for known := range a.left {
		if known.Resource == gr && known.Code == string(code) {
			a.left[known]++
			return
		}
	}
	a.left[contract.RehearsalLeft{Resource: gr, Code: string(code), Reason: reason}]++
}

func (a *account) addDifferent(r report.Reason) {
	a.counts.Different++
	a.addProblem(r)
}

// addRefused notes an object that the API server did not take, with all reasons.
func (a *account) addRefused(reasons []report.Reason) {
	a.counts.Refused++
	a.problems = append(a.problems, reasons...)
}

// fill puts the sum into a result.
func (a *account) fill(res *contract.RehearsalResult) {
	res.Counts = a.counts
	res.Counts.Objects = a.counts.Sum()
	for f, n := range a.changed {
		f.Objects = n
		res.Changed = append(res.Changed, f)
	}
	slices.SortFunc(res.Changed, func(x, y contract.RehearsalChange) int {
		return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Field, y.Field), cmp.Compare(x.By, y.By))
	})
	for _, l := range slices.SortedFunc(maps.Keys(a.left), func(x, y contract.RehearsalLeft) int {
		return cmp.Or(cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Code, y.Code))
	}) {
		n := a.left[l]
		l.Objects = n
		res.Left = append(res.Left, l)
	}
	report.Sort(a.problems)
	a.problems = slices.Compact(a.problems)
	res.Errors = report.Tally(a.problems).Errors
	res.MoreProblems = max(0, len(a.problems)-problemsInDocument)
	for _, p := range a.problems[:len(a.problems)-res.MoreProblems] {
		res.Problems = append(res.Problems, contract.RehearsalProblem{
			Code: string(p.Code), Severity: string(p.Severity), Resource: p.Resource, Namespace: p.Namespace, Name: p.Name,
			Message: shorten(p.Message), Next: p.Next,
		})
	}
}

// shorten cuts a message, which may be an API server's list of everything that is wrong.
func shorten(text string) string { return report.CutText(text, longestMessage) }
