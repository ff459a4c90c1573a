// Package heartbeat reports that a long activity is alive, how much it has done, and
// the watermark that a repeated attempt resumes from. It does not know Temporal: the
// activity hands in how a heartbeat is sent.
package heartbeat

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// interval is well below the workflows' heartbeat timeout of 10 s.
const interval = 2 * time.Second

// Recorder records the progress of one activity. It sends on a ticker, so that a long
// call to the API server or the store does not look like a dead worker, and always
// sends the newest watermark. The zero value records and sends nothing.
type Recorder struct {
	send func(contract.Heartbeat)

	mu   sync.Mutex
	last contract.Heartbeat
}

// Start begins to send. last is the heartbeat of an earlier attempt, or the zero value.
// The caller calls stop once the activity has ended; it waits for a heartbeat that is on its way,
// which would else end with the activity's context and be told as an error.
func Start(last contract.Heartbeat, send func(contract.Heartbeat)) (r *Recorder, stop func()) {
	r = &Recorder{send: send, last: last}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		r.tick(done)
	}()
	return r, func() { close(done); <-stopped }
}

// tick sends at once, since nothing may be written before the first heartbeat was taken.
func (r *Recorder) tick(done <-chan struct{}) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		r.sendNow()
		select {
		case <-done:
			return
		case <-t.C:
		}
	}
}

func (r *Recorder) sendNow() {
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if r.send != nil {
		r.send(last)
	}
}

// Count adds to the figures that people see. It does not move the watermark.
func (r *Recorder) Count(objects, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last.Objects += objects
	r.last.Bytes += bytes
}

// WaitsFor says what the activity waits for, "" for nothing.
func (r *Recorder) WaitsFor(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last.Waits = what
}

// Mark sets the watermark: everything before cursor is safe in the store. It also sets
// the figures, which a retry starts from.
func (r *Recorder) Mark(cursor any, objects, bytes int64) error {
	data, err := json.Marshal(cursor)
	if err != nil {
		return fmt.Errorf("encode watermark: %w", err)
	}
	r.mu.Lock()
	r.last = contract.Heartbeat{Objects: objects, Bytes: bytes, Cursor: data, Waits: r.last.Waits}
	r.mu.Unlock()
	r.sendNow()
	return nil
}

// Resume decodes the watermark of an earlier attempt into cursor and says whether there
// was one.
func (r *Recorder) Resume(cursor any) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.last.Cursor) == 0 {
		r.last = contract.Heartbeat{}
		return false, nil
	}
	if err := json.Unmarshal(r.last.Cursor, cursor); err != nil {
		return false, fmt.Errorf("decode watermark: %w", err)
	}
	return true, nil
}
