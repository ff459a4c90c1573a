// Package memstore is a store.Store in memory, for what need not last: the working files of a
// rehearsal, and tests. It passes the suite of
// package storetest, and can be told to fail, to delay or to lose the reply of
// requests that a test chooses. It records the requests it was sent.
package memstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Store is one location in memory. All methods may be called concurrently.
type Store struct {
	readOnly      bool
	unconditional bool
	secret        string // signs URLs, so that one of another store is refused

	now      func() time.Time
	mu       sync.Mutex
	objects  map[string]object
	locks    map[string]error       // why CheckUnlocked fails, by key
	uploads  map[string][]time.Time // when unfinished ones were begun, by key
	version  int                    // of the object written last
	rules    []*rule
	observe  func(context.Context, Request) error
	requests []Request

	sent, read, written atomic.Int64
}

type object struct {
	body     []byte // is never changed, so that readers need no copy
	etag     string
	modified time.Time
}

// Option is a choice made when a Store is opened.
type Option func(*Store)

// New opens an empty location.
func New(options ...Option) *Store {
	s := &Store{now: time.Now, secret: rand.Text(), objects: map[string]object{}, locks: map[string]error{}, uploads: map[string][]time.Time{}}
	for _, o := range options {
		o(s)
	}
	return s
}

// WithObjects fills the location.
func WithObjects(objects map[string][]byte) Option {
	return func(s *Store) {
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			s.Set(key, objects[key])
		}
	}
}

// WithReadOnly makes every write fail with store.ErrReadOnly.
func WithReadOnly() Option { return func(s *Store) { s.readOnly = true } }

// WithoutConditionalWrites makes the location one whose service ignores
// conditions: Conditional says no, and of two writers of one key at once both
// may win.
func WithoutConditionalWrites() Option { return func(s *Store) { s.unconditional = true } }

// WithClock has the location go by another clock than the machine's.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// ReadOnly reports whether the location refuses writes, as store.Check asks.
func (s *Store) ReadOnly() bool { return s.readOnly }

// Set stores an object without a request: no fault hits it, nothing records it.
func (s *Store) Set(key string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setObject(key, bytes.Clone(body))
}

// setObject takes the body over. The caller holds the lock.
func (s *Store) setObject(key string, body []byte) {
	s.version++
	s.objects[key] = object{body: body, etag: fmt.Sprintf("%032x", s.version), modified: s.now()}
}

// Lock protects an object as a bucket with versions does: CheckUnlocked fails with err, of
// which the kind is store.ErrLocked or store.ErrLockUnknown, and a deletion hides the object
// without an error. nil ends the lock.
func (s *Store) Lock(key string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks[key] = err
}

// CheckUnlocked fails with what Lock has set. See store.Store.
func (s *Store) CheckUnlocked(ctx context.Context, key string) (store.Info, error) {
	o, err := s.findObject(ctx, OpCheckUnlocked, key)
	if err != nil {
		return store.Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind := s.locks[key]; kind != nil {
		return o.storedInfo(key), &awserr.Error{Op: string(OpCheckUnlocked), Name: key, Kind: kind}
	}
	return o.storedInfo(key), nil
}

// SetUpload leaves an unfinished multipart upload of a key behind, as a writer
// that was killed does.
func (s *Store) SetUpload(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploads[key] = append(s.uploads[key], s.now())
}

// Remove removes an object without a request.
func (s *Store) Remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
}

// Object returns what is stored under a key, without a request.
func (s *Store) Object(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	return bytes.Clone(o.body), ok
}

// Has reports whether an object is stored under a key, without a request.
func (s *Store) Has(key string) bool {
	_, ok := s.Object(key)
	return ok
}

// Keys lists the keys of all objects in order, without a request.
func (s *Store) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Put writes body under key. See store.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte, o store.PutOptions) error {
	if err := s.checkWritable(OpPut, key); err != nil {
		return err
	}
	if err := s.beginRequest(ctx, OpPut, key); err != nil {
		return err
	}
	s.written.Add(int64(len(body)))
	return s.commitObject(OpPut, key, bytes.Clone(body), o)
}

// commitObject stores a finished object, unless its condition does not hold.
func (s *Store) commitObject(op Op, key string, body []byte, o store.PutOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, taken := s.objects[key]
	if taken && o.IfAbsent {
		return &awserr.Error{Op: string(op), Name: key, Kind: store.ErrExists}
	}
	if o.IfMatch != "" && old.etag != o.IfMatch {
		return &awserr.Error{Op: string(op), Name: key, Kind: store.ErrChanged}
	}
	s.setObject(key, body)
	return s.lostReply(op, key)
}

// Compose writes dst as the concatenation of parts. See store.Store.
func (s *Store) Compose(ctx context.Context, dst string, parts []store.Part, o store.PutOptions) error {
	if err := s.checkWritable(OpCompose, dst); err != nil {
		return err
	}
	if err := checkParts(dst, parts); err != nil {
		return err
	}
	if err := s.beginRequest(ctx, OpCompose, dst); err != nil {
		return err
	}
	var body bytes.Buffer
	for _, p := range parts {
		if err := s.appendPart(ctx, &body, p); err != nil {
			return err
		}
	}
	return s.commitObject(OpCompose, dst, body.Bytes(), o)
}

func checkParts(dst string, parts []store.Part) error {
	for i, p := range parts {
		switch {
		case p.Key != "" && p.Inline != nil:
			return awserr.Fail("compose", dst, store.ErrInvalid, "part %d is both inline and stored", i)
		case p.Key != "" && store.CheckKey(p.Key) != nil:
			return awserr.Fail("compose", dst, store.ErrInvalid, "part %d: %w", i, store.CheckKey(p.Key))
		case p.Offset < 0 || p.Size < 0:
			return awserr.Fail("compose", dst, store.ErrInvalid, "part %d: negative offset or size", i)
		}
	}
	return nil
}

// appendPart is one request for each stored part, as a server-side copy is.
func (s *Store) appendPart(ctx context.Context, body *bytes.Buffer, p store.Part) error {
	if p.Key == "" {
		s.written.Add(int64(len(p.Inline)))
		body.Write(p.Inline)
		return nil
	}
	if p.Size == 0 {
		return nil
	}
	o, err := s.findObject(ctx, OpCopy, p.Key)
	if err != nil {
		return err
	}
	if size := int64(len(o.body)); p.Offset > size || p.Size > size-p.Offset {
		return awserr.Fail(string(OpCopy), p.Key, store.ErrInvalid, "%d bytes from offset %d of %d", p.Size, p.Offset, size)
	}
	body.Write(o.body[p.Offset : p.Offset+p.Size])
	return nil
}

// Delete removes objects. See store.Store.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := s.checkWritable(OpDelete, key); err != nil {
			return err
		}
	}
	_, err := s.deleteAll(ctx, keys)
	return err
}

// DeleteMatching removes an object if it has this ETag. See store.Store.
func (s *Store) DeleteMatching(ctx context.Context, key, etag string) error {
	if err := s.checkWritable(OpDelete, key); err != nil {
		return err
	}
	if err := s.beginRequest(ctx, OpDelete, key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[key]; ok && o.etag != etag {
		return &awserr.Error{Op: string(OpDelete), Name: key, Kind: store.ErrChanged}
	}
	delete(s.objects, key)
	return s.lostReply(OpDelete, key)
}

// DeletePrefix removes every object below prefix. See store.Store. It is a
// listing and one OpDelete for each key.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (int, error) {
	if err := s.checkWritable(OpDelete, prefix); err != nil {
		return 0, err
	}
	var keys []string
	err := s.List(ctx, prefix, func(i store.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	gone, deleteErr := s.deleteAll(ctx, keys)
	return gone, errors.Join(err, deleteErr)
}

// deleteAll tries every key and says how many are gone.
func (s *Store) deleteAll(ctx context.Context, keys []string) (gone int, err error) {
	var errs []error
	for _, key := range keys {
		if err := s.deleteOne(ctx, key); err != nil {
			errs = append(errs, err)
			continue
		}
		gone++
	}
	return gone, errors.Join(errs...)
}

func (s *Store) deleteOne(ctx context.Context, key string) error {
	if err := s.beginRequest(ctx, OpDelete, key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return s.lostReply(OpDelete, key)
}

// Uploads lists what SetUpload left. See store.Store.
func (s *Store) Uploads(ctx context.Context, prefix string) ([]store.Upload, error) {
	if err := s.beginRequest(ctx, OpUploads, prefix); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []store.Upload
	for _, key := range slices.Sorted(maps.Keys(s.uploads)) {
		for _, at := range s.uploads[key] {
			if strings.HasPrefix(key, prefix) {
				all = append(all, store.Upload{Key: key, Started: at})
			}
		}
	}
	return all, nil
}

// AbortUploads drops what SetUpload left. See store.Store.
func (s *Store) AbortUploads(ctx context.Context, prefix string) (int, error) {
	if err := s.checkWritable(OpAbortUploads, prefix); err != nil {
		return 0, err
	}
	if err := s.beginRequest(ctx, OpAbortUploads, prefix); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := 0
	for key, begun := range s.uploads {
		if strings.HasPrefix(key, prefix) {
			gone += len(begun)
			delete(s.uploads, key)
		}
	}
	return gone, s.lostReply(OpAbortUploads, prefix)
}

// Conditional reports whether writes can be conditional. See store.Store.
func (s *Store) Conditional(ctx context.Context) (bool, error) {
	if s.readOnly {
		return false, &awserr.Error{Op: string(OpConditional), Kind: store.ErrReadOnly}
	}
	if err := s.beginRequest(ctx, OpConditional, ""); err != nil {
		return false, err
	}
	return !s.unconditional, nil
}

// Stats counts the traffic a real store would have had. See store.Store.
func (s *Store) Stats() store.Stats {
	return store.Stats{Requests: s.sent.Load(), BytesRead: s.read.Load(), BytesWritten: s.written.Load()}
}
