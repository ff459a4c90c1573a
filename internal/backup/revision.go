package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// stagedRevision is the document by which the activities of an export share a revision.
type stagedRevision struct {
	Revision string    `json:"revision"`
	At       time.Time `json:"at"`
}

// Revision is the state of the cluster that the export shows, and when that was its newest;
// "" is the newest of each list.
func (run *Run) Revision(ctx context.Context) (revision string, at time.Time, err error) {
	if run.Plan.Revision == "" || len(run.Plan.Volumes.Units) == 0 {
		return run.Plan.Revision, run.Plan.Planned, nil
	}
	var doc stagedRevision
	if err = run.Staging.Get(ctx, repository.RevisionFile, &doc); errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return doc.Revision, doc.At, err
}

// ChooseRevision is Revision for an activity of the export. Behind the snapshots of volumes
// the first one to begin chooses anew: an API server forgets states after five minutes.
func (run *Run) ChooseRevision(ctx context.Context, client *kube.Client) (string, error) {
	revision, _, err := run.Revision(ctx)
	if revision != "" || err != nil || run.Plan.Revision == "" {
		return revision, err
	}
	doc := stagedRevision{At: time.Now().UTC()}
	if doc.Revision, err = client.Revision(ctx); err != nil {
		return "", fmt.Errorf("ask for the revision of the cluster: %w", err)
	}
	err = repository.CreateStaged(ctx, run.Staging, repository.RevisionFile, &doc)
	return doc.Revision, err
}

// IsBetween reports whether a revision is one of the sequence that the two others belong to,
// as far as can be seen: it was asked for between them.
func IsBetween(before, revision, after string) bool {
	from, errFrom := strconv.ParseUint(before, 10, 64)
	at, errAt := strconv.ParseUint(revision, 10, 64)
	to, errTo := strconv.ParseUint(after, 10, 64)
	return errors.Join(errFrom, errAt, errTo) == nil && from <= at && at <= to
}

// planRevision decides at which revision the objects are exported: the one from before the
// types were counted, which an API server has in its caches by then. counted are the revisions
// at which they were counted, each between the two others if all are of one sequence.
// Types of another, those of an aggregated API or of an etcd of their own, are listed plainly.
func (p *Plan) planRevision(before, after string, counts []plan.TypeCount, counted []string) {
	if !IsBetween(before, after, after) || !p.Conditional {
		return
	}
	p.Revision = before
	var told []string
	for i, t := range counts {
		if IsBetween(before, counted[i], after) {
			continue
		}
		p.Plain = append(p.Plain, t.GroupResource)
		// Large clusters keep events apart, and nobody needs them of one moment. A type that could
		// not be counted is mostly gone, or has a reason of its own.
		if t.CohabitingObjects() != "events" && counted[i] != "" {
			told = append(told, t.GroupResource)
		}
	}
	slices.Sort(p.Plain)
	if slices.Sort(told); len(told) > 0 {
		r := report.New(report.ListInconsistent, "listed in their newest state, because their API has revisions of its own: "+strings.Join(told, ", "))
		r.Next = "nothing is missing; do not rely on objects of these types being of the moment of the others"
		p.Reasons = append(p.Reasons, r)
	}
}
