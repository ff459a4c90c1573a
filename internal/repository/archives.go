package repository

import (
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// keptArchives bounds the open archives of a worker: a directory of a million
// objects takes some megabytes.
const keptArchives = 4

// Archives keeps the archives of running restores open, by the restore's UID, so
// that a restore reads manifest and directory once a worker and not once an
// activity. What is kept cannot change: a committed backup is never written again.
type Archives struct {
	mu   sync.Mutex
	open map[string]*archive.Archive
}

// Get returns the restore's archive, opened before or now. Two activities that
// open it at once both do; one of the two is kept.
func (a *Archives) Get(uid string, open func() (*archive.Archive, error)) (*archive.Archive, error) {
	a.mu.Lock()
	arc := a.open[uid]
	a.mu.Unlock()
	if arc != nil {
		return arc, nil
	}
	arc, err := open()
	if err != nil {
		return nil, err
	}
	a.Keep(uid, arc)
	return arc, nil
}

// Keep remembers the restore's archive in place of one that was opened before.
func (a *Archives) Keep(uid string, arc *archive.Archive) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil || len(a.open) >= keptArchives {
		a.open = map[string]*archive.Archive{}
	}
	a.open[uid] = arc
}

// Drop forgets the archive of a restore that has ended.
func (a *Archives) Drop(uid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, uid)
}
