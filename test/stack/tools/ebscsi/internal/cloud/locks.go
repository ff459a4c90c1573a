package cloud

import "sync"

// keyedLocks is one lock a key. Keys are few or unique to a run, so none is ever dropped.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

func newKeyedLocks() *keyedLocks { return &keyedLocks{locks: map[string]*sync.Mutex{}} }

func (k *keyedLocks) lock(key string) (unlock func()) {
	k.mu.Lock()
	m, ok := k.locks[key]
	if !ok {
		m = &sync.Mutex{}
		k.locks[key] = m
	}
	k.mu.Unlock()
	m.Lock()
	return m.Unlock
}
