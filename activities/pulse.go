package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// beat is well below the workflows' heartbeat timeout of 10 s.
const beat = 2 * time.Second

// Pulse heartbeats for one activity: on a ticker, so that a long call to the API
// server or the store does not look like a dead worker, always with the newest
// watermark.
type Pulse struct {
	ctx  context.Context
	mu   sync.Mutex
	last contract.Heartbeat
}

func startPulse(ctx context.Context) (*Pulse, func()) {
	p := &Pulse{ctx: ctx}
	if activity.HasHeartbeatDetails(ctx) {
		// Details that do not decode are those of another version: start over.
		if err := activity.GetHeartbeatDetails(ctx, &p.last); err != nil {
			p.last = contract.Heartbeat{}
		}
	}
	done := make(chan struct{})
	go p.tick(done)
	return p, func() { close(done) }
}

func (p *Pulse) tick(done <-chan struct{}) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
			p.send()
		}
	}
}

func (p *Pulse) send() {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	activity.RecordHeartbeat(p.ctx, last)
}

// Count adds to the figures that people see. It does not move the watermark.
func (p *Pulse) Count(objects, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last.Objects += objects
	p.last.Bytes += bytes
}

// Mark sets the watermark: everything before cursor is safe in the store. It also
// sets the figures, which a retry starts from.
func (p *Pulse) Mark(cursor any, objects, bytes int64) error {
	data, err := json.Marshal(cursor)
	if err != nil {
		return fmt.Errorf("encode watermark: %w", err)
	}
	p.mu.Lock()
	p.last = contract.Heartbeat{Objects: objects, Bytes: bytes, Cursor: data}
	p.mu.Unlock()
	p.send()
	return nil
}

// Resume decodes the watermark of an earlier attempt into cursor and says whether
// there was one.
func (p *Pulse) Resume(cursor any) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.last.Cursor) == 0 {
		p.last = contract.Heartbeat{}
		return false, nil
	}
	if err := json.Unmarshal(p.last.Cursor, cursor); err != nil {
		return false, fmt.Errorf("decode watermark: %w", err)
	}
	return true, nil
}
