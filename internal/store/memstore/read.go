package memstore

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// pageSize is how many keys a listing reads at once, as S3 does. Objects that are
// written or removed between two pages show or do not, as there.
const pageSize = 1000

// Get opens an object. See store.Store.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, store.Info, error) {
	o, err := s.findObject(ctx, OpGet, key)
	if err != nil {
		return nil, store.Info{}, err
	}
	return s.newBody(ctx, key, o.body), o.storedInfo(key), nil
}

// GetRange opens part of an object. See store.Store.
func (s *Store) GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	if off < 0 {
		return nil, awserr.Fail(string(OpGetRange), key, store.ErrInvalid, "negative offset %d", off)
	}
	o, err := s.findObject(ctx, OpGetRange, key)
	if err != nil {
		return nil, err
	}
	rest := o.body[min(off, int64(len(o.body))):]
	if n >= 0 {
		rest = rest[:min(n, int64(len(rest)))]
	}
	return s.newBody(ctx, key, rest), nil
}

// Head describes an object. See store.Store.
func (s *Store) Head(ctx context.Context, key string) (store.Info, error) {
	o, err := s.findObject(ctx, OpHead, key)
	return o.storedInfo(key), err
}

// findObject is a request for one object.
func (s *Store) findObject(ctx context.Context, op Op, key string) (object, error) {
	if err := checkReadable(op, key); err != nil {
		return object{}, err
	}
	if err := s.beginRequest(ctx, op, key); err != nil {
		return object{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return object{}, &awserr.Error{Op: string(op), Name: key, Kind: store.ErrNotFound}
	}
	return o, nil
}

// storedInfo describes an object; one that is not there has none.
func (o object) storedInfo(key string) store.Info {
	if o.etag == "" {
		return store.Info{}
	}
	return store.Info{Key: key, Size: int64(len(o.body)), ETag: o.etag, Modified: o.modified}
}

// List calls fn for every object below prefix. See store.Store.
func (s *Store) List(ctx context.Context, prefix string, fn func(store.Info) error) error {
	return s.ListAfter(ctx, prefix, "", fn)
}

// ListAfter calls fn for the objects below prefix behind a key. See store.Store.
func (s *Store) ListAfter(ctx context.Context, prefix, after string, fn func(store.Info) error) error {
	for more := true; more; {
		if err := s.beginRequest(ctx, OpList, prefix); err != nil {
			return err
		}
		var page []store.Info
		page, more = s.listPage(prefix, after)
		for _, i := range page {
			if err := fn(i); err != nil {
				return err
			}
			after = i.Key
		}
	}
	return nil
}

// listPage holds the objects whose keys follow after.
func (s *Store) listPage(prefix, after string) (page []store.Info, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, o := range s.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			page = append(page, o.storedInfo(key))
		}
	}
	slices.SortFunc(page, func(a, b store.Info) int { return strings.Compare(a.Key, b.Key) })
	return page[:min(pageSize, len(page))], len(page) > pageSize
}

// Dirs lists the directories directly below prefix. See store.Store.
func (s *Store) Dirs(ctx context.Context, prefix string) ([]string, error) {
	var all []string
	err := s.DirsAfter(ctx, prefix, "", func(name string) error {
		all = append(all, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// DirsAfter calls fn for the directories below prefix behind a name. See store.Store.
// It is one request for each 1000 names.
func (s *Store) DirsAfter(ctx context.Context, prefix, after string, fn func(name string) error) error {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	for more := true; more; {
		if err := s.beginRequest(ctx, OpDirs, prefix); err != nil {
			return err
		}
		page := s.dirsAfter(prefix, after)
		more = len(page) > pageSize
		for _, name := range page[:min(pageSize, len(page))] {
			if err := fn(name); err != nil {
				return err
			}
			after = name
		}
	}
	return nil
}

// dirsAfter are those whose keys follow that of after, which is "" for all.
func (s *Store) dirsAfter(prefix, after string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[string]bool{}
	for key := range s.objects {
		rest, below := strings.CutPrefix(key, prefix)
		name, _, isDir := strings.Cut(rest, "/")
		if below && isDir && (after == "" || name+"/" > after+"/") {
			found[name] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b string) int { return strings.Compare(a+"/", b+"/") })
}

// body reads an object until the context of the call that opened it ends, as
// one that comes over a network does.
type body struct {
	ctx    context.Context //nolint:containedctx // a reader lives within the call that opened it
	store  *Store
	key    string
	data   *bytes.Reader
	closed bool
}

func (s *Store) newBody(ctx context.Context, key string, data []byte) *body {
	return &body{ctx: ctx, store: s, key: key, data: bytes.NewReader(data)}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, awserr.Fail("read", b.key, store.ErrInvalid, "read after close")
	}
	if err := b.ctx.Err(); err != nil {
		return 0, awserr.Fail("read", b.key, nil, "%w", err)
	}
	n, err := b.data.Read(p)
	b.store.read.Add(int64(n))
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed = true
	return nil
}
