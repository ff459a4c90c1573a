package csi

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// pace bounds how many VolumeSnapshots the cluster's snapshot controller is to take while pods
// are quiesced. It makes some five requests a second as it is shipped, needs about nine for a
// snapshot, and takes all that are asked for in turn: sixteen applications with five volumes
// each, quiesced at a time, would all wait for the last of eighty. So units go one after the
// other until snapshots prove to be taken fast, and those that no pod waits for come after
// them. Its zero value is ready for use.
type pace struct {
	mu       sync.Mutex
	window   int // how many may be under way, if they are not of one unit
	quiesced int // units that wait for room, or have it
	// waiting are the units that wait, in order: a large one is not overtaken for ever.
	waiting  []*reservation
	underWay map[*reservation]underWay
}

// underWay is how many snapshots of a reservation the controller has to take, since when.
type underWay struct {
	count int
	since time.Time
}

const (
	// More units are quiesced at a time while their snapshots are taken within paceGood,
	// fewer once that takes longer than paceBad. The next larger window takes twice as long
	// where the controller sets the pace.
	paceGood = 3 * time.Second
	paceBad  = 5 * time.Second
	// paceForget is after how long a snapshot that is not taken no longer holds up others: its
	// driver does not work.
	paceForget = 3 * time.Minute
)

// enter waits until the snapshots of a unit whose pods are about to be quiesced will be taken
// soon.
func (p *pace) enter(ctx context.Context, r *reservation, n int) error {
	p.mu.Lock()
	p.quiesced++
	p.waiting = append(p.waiting, r)
	p.mu.Unlock()
	for !p.tryEnter(r, n) {
		if err := poll.Wait(ctx, pollFirst); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.quiesced--
			p.waiting = slices.DeleteFunc(p.waiting, func(other *reservation) bool { return other == r })
			return err
		}
	}
	return nil
}

func (p *pace) tryEnter(r *reservation, n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	for _, u := range p.underWay {
		if time.Since(u.since) < paceForget {
			total += u.count
		}
	}
	if p.waiting[0] != r || total > 0 && total+n > p.window {
		return false
	}
	p.waiting = p.waiting[1:]
	p.note(r, n)
	return true
}

// leave ends what enter began. took is how long the snapshots of the unit took, 0 if that is
// not known.
func (p *pace) leave(r *reservation, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiesced--
	total := 0
	for _, u := range p.underWay {
		total += u.count
	}
	delete(p.underWay, r)
	switch {
	case took == 0:
	case took > paceBad:
		p.window /= 2
	case took <= paceGood:
		p.window = max(p.window, 2*total)
	}
}

// mayAsk says that snapshots can be asked for that no pod waits for.
func (p *pace) mayAsk() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.quiesced == 0
}

// report notes how many snapshots that no pod waits for are under way.
func (p *pace) report(r *reservation, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(r, n)
}

// note is for who holds the lock.
func (p *pace) note(r *reservation, n int) {
	if n == 0 {
		delete(p.underWay, r)
		return
	}
	if p.underWay == nil {
		p.underWay = map[*reservation]underWay{}
	}
	if old := p.underWay[r]; old.count != n {
		p.underWay[r] = underWay{n, time.Now()}
	}
}
