package ebs

import (
	"maps"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// deletedIDs remembers what a location has deleted for as long as EC2 may still show it. Found by its
// tags, it would be taken for what an earlier attempt has made.
type deletedIDs struct {
	mu sync.Mutex
	at map[string]time.Time
}

// add forgets what was deleted long ago.
func (d *deletedIDs) add(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == nil {
		d.at = map[string]time.Time{}
	}
	maps.DeleteFunc(d.at, func(_ string, at time.Time) bool { return time.Since(at) >= quota.VisibleWithin })
	d.at[id] = time.Now()
}

func (d *deletedIDs) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.at[id]
	return ok && time.Since(at) < quota.VisibleWithin
}
