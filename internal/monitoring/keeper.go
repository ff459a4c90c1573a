package monitoring

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// schedulesPeriod is how old the figures of schedules are at most: no older than a scrape.
	// They cost a request for the list and two for each schedule.
	schedulesPeriod = 30 * time.Second
	// storedPeriod is the same of backups, where another worker has made them: this one reads
	// them when it has changed something.
	storedPeriod = 5 * time.Minute
	// expiredPeriod is that of the expired backups that stay: a plan is not made for nothing.
	expiredPeriod = time.Hour
	// orphansPeriod is that of orphans, which a collection of garbage of this worker also tells.
	orphansPeriod = time.Hour
	// settle is how long after a change the bucket is read: changes come together.
	settle = time.Second
	// restShare is for how many times as long as a read took none is made for a change: a
	// collection deletes hundreds of backups, and reads that take up to 3 s then take a tenth of
	// the time. Longer ones take more of it, for no rest is longer than schedulesPeriod.
	restShare = 9
	// readTimeout ends a read; firstPause is the wait after one that has failed before there
	// was any.
	readTimeout = 5 * time.Minute
	firstPause  = 5 * time.Second
	// firstCountsTimeout is for how long the first state waits for the counts of what nothing else
	// needs: an account that does not answer must not hide that backups are overdue.
	firstCountsTimeout = time.Minute
)

// Keeper keeps the gauges as the bucket is.
type Keeper struct {
	reader  *Reader
	log     *slog.Logger
	changed chan struct{}

	mu      sync.Mutex
	shown   *state
	orphans map[orphanKind]int64
	expired map[string]int64
	cause   error // why nothing is shown yet, or of what is not up to date

	storedRead, expiredRead, orphansRead time.Time
}

// NewKeeper registers the gauges, which show nothing before the first read.
func NewKeeper(r *Reader, m metric.Meter, log *slog.Logger) (*Keeper, error) {
	k := &Keeper{reader: r, log: log, changed: make(chan struct{}, 1), cause: errors.New("the state of the backups has not been read yet")}
	return k, register(m, k.current)
}

func (k *Keeper) current() *state {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shown
}

// Ready is nil once the gauges show what the bucket has.
func (k *Keeper) Ready() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shown != nil {
		return nil
	}
	return k.cause
}

// Changed tells that the bucket's documents have changed. It does not wait.
func (k *Keeper) Changed() {
	select {
	case k.changed <- struct{}{}:
	default: // told already
	}
}

// SetOrphans shows what a look for orphans has found.
func (k *Keeper) SetOrphans(plan contract.OrphanPlan) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.orphans, k.orphansRead = countOrphans(plan), k.reader.now()
	k.showCounts()
}

// Run reads the state again and again until the end of ctx. What stands in the way is told
// once, until it changes.
func (k *Keeper) Run(ctx context.Context) {
	all := true
	told := ""
	for {
		began := k.reader.now()
		err := k.Read(ctx, all)
		rest := restAfter(k.reader.now().Sub(began))
		if text := failure.Text(err); ctx.Err() == nil && text != told {
			told = text
			k.tell(ctx, err)
		}
		pause := schedulesPeriod
		if k.Ready() != nil {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
			all = true
			if poll.Wait(ctx, rest) != nil {
				return
			}
		case <-time.After(pause):
			all = k.Ready() != nil
		}
	}
}

// restAfter is how long behind a change the bucket is read where the last read took so long; the
// figures of schedules wait for it too.
func restAfter(took time.Duration) time.Duration {
	return min(max(settle, restShare*took), schedulesPeriod)
}

func (k *Keeper) tell(ctx context.Context, err error) {
	if err == nil {
		k.log.InfoContext(ctx, "metrics show the state of the backups")
		return
	}
	k.log.ErrorContext(ctx, "metrics do not show the state of the backups as it is", "cause", err,
		"remedy", "they go on showing what was read last; let the worker read its storage locations")
}

// Read reads the state: of schedules, and, with all set or after storedPeriod, of all else.
// What cannot be read stays as it was. The first state is shown with its counts, or without those
// that did not come in firstCountsTimeout.
func (k *Keeper) Read(ctx context.Context, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	next := state{}
	if before := k.current(); before != nil {
		next = *before
	}
	err := k.readSchedules(ctx, &next)
	if all || k.reader.now().Sub(k.storedRead) >= storedPeriod {
		err = errors.Join(err, k.readStored(ctx, &next))
	}
	if k.Ready() == nil {
		k.show(next, err)
		return errors.Join(err, k.readCounts(ctx))
	}
	if err != nil {
		k.show(next, err)
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, firstCountsTimeout)
	defer cancel()
	err = k.readCounts(ctx)
	k.show(next, nil)
	return err
}

// readCounts counts what nothing else that is shown needs.
func (k *Keeper) readCounts(ctx context.Context) (err error) {
	if k.reader.now().Sub(k.expiredRead) >= expiredPeriod {
		err = k.readExpired(ctx)
	}
	if k.orphansAreOld() {
		err = errors.Join(err, k.readOrphans(ctx))
	}
	return err
}

func (k *Keeper) readSchedules(ctx context.Context, next *state) error {
	backups, err := k.reader.Schedules(ctx)
	if err != nil {
		return err
	}
	ofDrills, err := k.reader.DrillSchedules(ctx)
	if err != nil {
		return err
	}
	next.schedules, next.drills, next.read = backups, ofDrills, k.reader.now()
	return nil
}

func (k *Keeper) orphansAreOld() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reader.now().Sub(k.orphansRead) >= orphansPeriod
}

func (k *Keeper) readStored(ctx context.Context, next *state) error {
	found, err := k.reader.readStored(ctx, next.stored)
	if err == nil {
		next.stored, k.storedRead = found, k.reader.now()
	}
	return err
}

// readExpired plans a collection, to count why expired backups stay. What keeps it from that, such
// as a damaged hold, holds up no other gauge.
func (k *Keeper) readExpired(ctx context.Context) error {
	plan, err := k.reader.Expired(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.expired, k.expiredRead = countExpired(plan), k.reader.now()
	k.showCounts()
	return nil
}

// showCounts shows the newest counts in what is shown. The caller holds the lock.
func (k *Keeper) showCounts() {
	if k.shown != nil {
		next := *k.shown
		next.orphans, next.expired = k.orphans, k.expired
		k.shown = &next
	}
}

// readOrphans looks for orphans: in the account, which holds up no other gauge.
func (k *Keeper) readOrphans(ctx context.Context) error {
	plan, err := k.reader.Orphans(ctx)
	if err == nil {
		k.SetOrphans(plan)
	}
	return err
}

// show shows a state, the first one only if it is whole.
func (k *Keeper) show(next state, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next.orphans, next.expired = k.orphans, k.expired
	if k.cause = err; err == nil || k.shown != nil {
		k.shown = &next
	}
}
