package activities

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// bucket is a store in memory.
type bucket struct {
	store.Store
	mu   sync.Mutex
	objs map[string][]byte
}

func (b *bucket) Put(_ context.Context, key string, body []byte, _ store.PutOptions) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objs[key] = bytes.Clone(body)
	return nil
}

func (b *bucket) Get(_ context.Context, key string) (io.ReadCloser, store.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, ok := b.objs[key]
	if !ok {
		return nil, store.Info{}, store.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(body)), store.Info{Key: key}, nil
}

func (b *bucket) Delete(_ context.Context, keys ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		delete(b.objs, k)
	}
	return nil
}

func (b *bucket) List(_ context.Context, prefix string, fn func(store.Info) error) error {
	b.mu.Lock()
	keys := slices.Sorted(maps.Keys(b.objs))
	b.mu.Unlock()
	for _, k := range keys {
		if strings.HasPrefix(k, prefix) {
			if err := fn(store.Info{Key: k}); err != nil {
				return err
			}
		}
	}
	return nil
}
