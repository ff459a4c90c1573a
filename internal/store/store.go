package store

import (
	"context"
	"io"
	"time"
)

// Store is one location in an object store. All methods may be called
// concurrently. Keys are relative to the location's prefix.
type Store interface {
	// Put writes body under key. Repeating it with the same body is harmless.
	// With IfAbsent it fails with ErrExists when the key is taken.
	Put(ctx context.Context, key string, body []byte, o PutOptions) error
	// Get opens an object; ErrNotFound when there is none. The reader resumes
	// by itself after a lost connection. The caller closes it.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// GetRange opens n bytes from off; n < 0 means to the end. A range that
	// begins at or behind the end of the object yields no bytes.
	GetRange(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)
	// Head describes an object; ErrNotFound when there is none.
	Head(ctx context.Context, key string) (Info, error)
	// List calls fn for every object whose key begins with prefix, in the
	// order of the keys, and stops with the error fn returns.
	List(ctx context.Context, prefix string, fn func(Info) error) error
	// ListAfter is List of the keys behind after only, be there an object of
	// that key or not.
	ListAfter(ctx context.Context, prefix, after string, fn func(Info) error) error
	// Dirs lists the names (no slashes) of the directories directly below
	// prefix; "" is the root of the location.
	Dirs(ctx context.Context, prefix string) ([]string, error)
	// DirsAfter calls fn for the directories that Dirs lists behind the name
	// after, in the order of their keys, which is that of the names with a
	// slash behind: "a-b" comes before "a". It stops with the error fn returns.
	DirsAfter(ctx context.Context, prefix, after string, fn func(name string) error) error
	// CheckUnlocked is Head, and fails with ErrLocked while a retention period or a legal hold protects
	// an object, with ErrLockUnknown where the credentials may not know, and with
	// ErrNotFound when there is none.
	CheckUnlocked(ctx context.Context, key string) (Info, error)
	// Delete removes objects; a missing one is no error. ErrLocked says that a
	// retention or a legal hold forbids it. In a bucket with versions nothing forbids it: a
	// locked object is hidden, and CheckUnlocked says so before. Every key is tried;
	// failures are joined.
	Delete(ctx context.Context, keys ...string) error
	// DeleteMatching removes an object if it has this ETag, and fails with ErrChanged if it
	// has another; a missing one is no error. A store that ignores the condition is asked for
	// the ETag just before.
	DeleteMatching(ctx context.Context, key, etag string) error
	// DeletePrefix removes every object below a non-empty prefix and returns
	// how many were removed.
	DeletePrefix(ctx context.Context, prefix string) (int, error)
	// Compose writes dst as the concatenation of parts. Nothing is stored under
	// dst, and no unfinished upload is left, when it fails.
	Compose(ctx context.Context, dst string, parts []Part, o PutOptions) error
	// Uploads lists the unfinished multipart uploads below prefix.
	Uploads(ctx context.Context, prefix string) ([]Upload, error)
	// AbortUploads drops the unfinished multipart uploads below prefix and
	// returns how many. Uploads that still run fail by it: call it only for
	// keys nobody writes any more.
	AbortUploads(ctx context.Context, prefix string) (int, error)
	// Presign returns a URL that reads key without credentials until ttl
	// has passed.
	Presign(ctx context.Context, key string, ttl time.Duration) (string, error)
	// Conditional reports whether the store refuses a conditional write to a
	// taken key by itself. It probes once and remembers.
	Conditional(ctx context.Context) (bool, error)
	// Stats counts what went over the wire since the store was opened.
	Stats() Stats
}

// PutOptions are the choices of a write. The zero value overwrites.
type PutOptions struct {
	// IfAbsent makes the write fail with ErrExists when the key is taken.
	IfAbsent bool
	// IfMatch makes Put fail with ErrChanged unless the object has this ETag. Compose knows
	// it not.
	IfMatch string
	// ContentType is stored with the object; empty leaves it to the store.
	ContentType string
}

// Info describes a stored object.
type Info struct {
	// Key is relative to the location's prefix.
	Key string
	// Size is in bytes.
	Size int64
	// ETag is the store's opaque version mark, without quotes.
	ETag string
	// Modified is when the object was written, by the store's clock.
	Modified time.Time
}

// Upload is a multipart upload that was begun and not finished.
type Upload struct {
	Key     string
	Started time.Time // by the store's clock
}

// Part is one piece of a composed object: Inline bytes, or Size bytes of the
// stored object Key from Offset on.
type Part struct {
	Inline []byte
	Key    string
	Offset int64
	Size   int64
}

func (p Part) byteLength() int64 {
	if p.Key == "" {
		return int64(len(p.Inline))
	}
	return p.Size
}

// Stats counts traffic with the object store.
type Stats struct {
	// Requests counts HTTP requests, retries included.
	Requests int64
	// BytesRead counts response body bytes, BytesWritten request body bytes.
	BytesRead    int64
	BytesWritten int64
}
