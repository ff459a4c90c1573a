package orphan

import (
	"context"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// Drills are the copies that restore drills have made in the cluster.
type Drills interface {
	// Copies are all that are there, of drills that go on as well.
	Copies(ctx context.Context) ([]Copy, error)
	// RemoveCopy asks for everything of a drill to go, and says what is still there, "" for
	// nothing. It may repeat.
	RemoveCopy(ctx context.Context, drill string) (left string, err error)
}

// Copy is what a drill has made, and not removed.
type Copy struct {
	// Drill is the drill's id, which is that of its run.
	Drill string
	// Created is when the first part of it was made.
	Created time.Time
}

// copyOfDrill is a copy, with what is known of the run that made it.
type copyOfDrill struct {
	Copy
	ended bool
	doubt string // why that is not known
}

// lookAtDrills asks of each copy whether its drill goes on.
func (l *look) lookAtDrills(ctx context.Context) error {
	if l.Drills == nil {
		return nil
	}
	copies, err := l.Drills.Copies(ctx)
	if err := l.missed(ctx, "copies of restore drills", err); err != nil {
		return err
	}
	for _, c := range copies {
		found := copyOfDrill{Copy: c}
		if found.ended, err = l.Runs.Closed(ctx, l.runOfDrill(c.Drill, c.Created)); err != nil {
			found.doubt = err.Error()
		}
		l.copies = append(l.copies, found)
	}
	return ctx.Err()
}

// runOfDrill is the run by which a drill was made, not later than that.
func (c *Collector) runOfDrill(drill string, made time.Time) contract.Run {
	return contract.Run{WorkflowID: contract.DrillID(c.Cluster), RunID: drill, Cluster: c.Cluster, Started: made}
}

// orphanOfCopy is nil for one whose drill goes on, or keeps it.
func (l *look) orphanOfCopy(c copyOfDrill) *contract.Orphan {
	if !c.ended && c.doubt == "" {
		return nil
	}
	row := &contract.Orphan{Kind: contract.OrphanDrill, ID: c.Drill, Cluster: l.cluster, Workflow: contract.DrillID(l.cluster), Since: c.Created}
	if c.doubt != "" {
		row.Reason = "it is not known whether the drill goes on: " + c.doubt
	} else {
		row.Reason = l.young(c.Created)
	}
	return row
}

const (
	// copyPatience is how long a removal waits for a copy to go: volumes are detached and deleted
	// by others. What is there still is found again by the next look.
	copyPatience = 2 * time.Minute
	copyPause    = 5 * time.Second
)

// removeCopy removes what a drill has left whose run has ended, if it has not been reset since.
func (c *Collector) removeCopy(ctx context.Context, row contract.Orphan) (string, error) {
	if c.Drills == nil {
		return "this worker has no drills", nil
	}
	if why, err := c.whyGoesOn(ctx, c.runOfDrill(row.ID, row.Since)); why != "" || err != nil {
		return why, err
	}
	for began := time.Now(); ; {
		left, err := c.Drills.RemoveCopy(ctx, row.ID)
		switch {
		case err != nil || left == "":
			return "", err
		case time.Since(began) >= copyPatience:
			return "it was asked to go, and is still there: " + left, nil
		}
		if err := poll.Wait(ctx, copyPause); err != nil {
			return "", err
		}
	}
}
