// Package doctor answers the production checklist by measurement: is there something that would
// be missing on the day of a restore? It changes nothing but that it makes a volume of an encrypted
// snapshot and deletes it again, for nothing else shows that the key may be used.
//
// What cannot be measured is answered with unknown and the reason; so is what Lifeboat does
// not do yet. Each answer that is not yes has a remedy.
package doctor

import (
	"context"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store/bucket"
)

// Doctor answers the checklist of a cluster.
type Doctor struct {
	// Cluster is its name in EKS, for remedies.
	Cluster string
	// Read answers what the command line asks a worker, too.
	Read func(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error)
	// Bucket tells how the bucket of a location is set up.
	Bucket func(ctx context.Context, location string) (bucket.Settings, error)
	// Snapshots counts those of the account in the Region of a volume snapshot location.
	Snapshots func(ctx context.Context, location string) (int, error)
	// Restore makes a volume of a snapshot in a volume snapshot location and deletes it. It fails
	// with ebs.ErrDenied, or with ebs.ErrDropped where EC2 may not use the volume's key.
	Restore func(ctx context.Context, location, snapshot string) (ebs.Volume, error)
	// Account is a Region of AWS, "" for the worker's own. It is asked for what nothing else needs.
	Account func(ctx context.Context, region string) (Account, error)
	// Now is the time; nil is that of the machine.
	Now func() time.Time
}

// Account answers questions about AWS.
type Account interface {
	SnapshotQuota(ctx context.Context) (int64, error)
	DeletionProtection(ctx context.Context, cluster string) (bool, error)
}

// Bounds of the checklist.
const (
	freshBackup = 24 * time.Hour
	freshDrill  = 90 * 24 * time.Hour
	// quarter is the longest time between two due times of a quarterly schedule: first Tuesdays of
	// quarters are 84 to 98 days apart.
	quarter = 98 * 24 * time.Hour
	// drillGrace is how long after its due time a drill may have begun and ended.
	drillGrace = 24 * time.Hour
	// stepTimeout bounds one question: a read of a worker ends after a minute.
	stepTimeout = 40 * time.Second
)

// Examine answers all questions, in the order of the checklist. An error is the end of ctx.
func (d *Doctor) Examine(ctx context.Context) ([]contract.Check, error) {
	questions := []func(context.Context) []contract.Check{
		d.askLocations, d.askSchedules, d.askBackups, d.askDrills, d.askBuckets, d.askSnapshots,
		d.askQuota, d.askRestoreRights, d.askCopies, d.askProtection,
	}
	answers := make([][]contract.Check, len(questions))
	var group sync.WaitGroup
	for i, ask := range questions {
		group.Go(func() {
			limited, cancel := context.WithTimeout(ctx, stepTimeout)
			defer cancel()
			answers[i] = ask(limited)
		})
	}
	group.Wait()
	var all []contract.Check
	for _, some := range answers {
		all = append(all, some...)
	}
	return all, ctx.Err()
}

func (d *Doctor) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// question is a question of the checklist before it is answered.
type question struct{ id, text, remedy string }

func (q question) answer(answer, found string) contract.Check {
	c := contract.Check{ID: q.id, Question: q.text, Answer: answer, Found: found}
	if answer != contract.AnswerYes {
		c.Remedy = q.remedy
	}
	return c
}

// answerIf says yes or no.
func (q question) answerIf(yes bool, found string) contract.Check {
	if yes {
		return q.answer(contract.AnswerYes, found)
	}
	return q.answer(contract.AnswerNo, found)
}

func (q question) unknown(err error) contract.Check {
	return q.answer(contract.AnswerUnknown, err.Error())
}
