package comparison

import (
	"context"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Outcome is what a restore says of an object.
type Outcome struct {
	Action, Reason string
	Reasons        []report.Reason
	Owned          bool // by an object that is restored, too
}

// Failed says that the API server did not take the object.
func (f Outcome) Failed() bool { return f.Action == string(report.Failed) }

// Rule is the code and text of the rule by which the object was left out, false where it was
// not left out by one.
func (f Outcome) Rule() (code report.Code, text string, ok bool) {
	word, text, found := strings.Cut(f.Reason, ": ")
	ok = f.Action == string(report.Skipped) && found && word != "" && strings.ToUpper(word) == word
	return report.Code(word), text, ok
}

// Outcomes are those of the objects of a restore, by their keys in the backup without a version.
type Outcomes map[archive.Key]Outcome

// ReadOutcomes reads what a restore says of each object. General gets what it says of none.
func ReadOutcomes(ctx context.Context, run *restore.Run, general func(report.Reason)) (Outcomes, error) {
	for _, r := range run.Reasons {
		general(r)
	}
	all := Outcomes{}
	err := run.Records(ctx, func(rec restore.Record) error {
		if rec.Kind == "" && rec.Action == "" {
			for _, r := range rec.Reasons {
				general(r)
			}
			return nil
		}
		key := rec.Origin()
		key.Version = ""
		all[key] = Outcome{Action: rec.Action, Reason: rec.Reason, Reasons: rec.Reasons, Owned: len(rec.Owners) > 0}
		return nil
	})
	return all, err
}
