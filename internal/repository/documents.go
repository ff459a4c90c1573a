package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// PutDocument writes a Velero document as Velero does: indented, once.
func PutDocument(ctx context.Context, st store.Store, key string, doc any) error {
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	if err := st.Put(ctx, key, data, store.PutOptions{IfAbsent: true, ContentType: "application/json"}); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// PutGzipJSON writes a document as Velero does, compressed, once, and returns its digest.
func PutGzipJSON(ctx context.Context, st store.Store, key string, doc any) (archive.File, error) {
	data, err := EncodeGzipJSON(doc)
	if err != nil {
		return archive.File{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return PutGzipFile(ctx, st, key, data)
}

// EncodeGzipJSON encodes as Velero does: one document, a newline, one gzip member.
func EncodeGzipJSON(doc any) ([]byte, error) {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	if err := json.NewEncoder(zw).Encode(doc); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// PutGzipFile writes a compressed file once and returns its digest.
func PutGzipFile(ctx context.Context, st store.Store, key string, data []byte) (archive.File, error) {
	return archive.NewFile(key, data), PutOnce(ctx, st, key, data, "application/gzip")
}

// Compose writes a file as the concatenation of segments; the store copies staged
// ones on its side where they are large enough. A file that an earlier attempt has
// composed stays, also where that attempt's request arrives meanwhile: the same staging
// gave the same bytes, which Verify reads back. One of another length is replaced.
func Compose(ctx context.Context, st store.Store, dst string, segs []archive.Segment) error {
	parts, size := make([]store.Part, len(segs)), int64(0)
	for i, s := range segs {
		parts[i] = store.Part{Inline: s.Inline, Key: s.Key, Offset: s.Offset, Size: s.Size}
		size += s.Size
	}
	there, same, err := hasLength(ctx, st, dst, size)
	if err == nil && !same {
		err = st.Compose(ctx, dst, parts, store.PutOptions{IfAbsent: !there})
	}
	if errors.Is(err, store.ErrExists) {
		if _, same, err = hasLength(ctx, st, dst, size); err == nil && !same {
			err = st.Compose(ctx, dst, parts, store.PutOptions{})
		}
	}
	if err != nil {
		return fmt.Errorf("compose %s: %w", dst, err)
	}
	return nil
}

// hasLength tells whether a file is there, and whether it is of a length in bytes.
func hasLength(ctx context.Context, st store.Store, key string, size int64) (there, same bool, err error) {
	info, err := st.Head(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return false, false, nil
	}
	return err == nil, err == nil && info.Size == size, err
}

// MaxDocument bounds what is read of lists and results, uncompressed, and of working files.
const MaxDocument = 256 << 20

// maxVeleroDocument bounds a document of Velero's API, of which etcd takes 1.5 MiB, and other
// documents of which a listing reads many at once; maxList bounds a compressed list.
const (
	maxVeleroDocument = 4 << 20
	maxList           = 64 << 20
	// maxEvidence is what readers of evidence take (docs/EVIDENCE.md).
	maxEvidence = 8 << 20
)

// sizeLimit bounds what is read of a key, in bytes: who may write to the bucket must not be
// able to exhaust the memory of a worker that lists it.
func sizeLimit(key string) int64 {
	switch {
	case strings.HasPrefix(key, layout.StagingRoot), strings.HasPrefix(key, layout.TombstoneDir):
		return MaxDocument
	case strings.HasPrefix(key, layout.DrillRoot):
		return maxEvidence
	case strings.HasSuffix(key, ".gz"):
		return maxList
	}
	return maxVeleroDocument
}

// PutJSON writes a document; what a repeat does decide the options.
func PutJSON(ctx context.Context, st store.Store, key string, doc any, o store.PutOptions) error {
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode %s: %w", key, err)
	}
	o.ContentType = "application/json"
	if err := st.Put(ctx, key, data, o); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// PutOnce writes a file unless an earlier attempt has: where a bucket keeps versions,
// a retry leaves no second one. Other bytes, such as another version of this program
// may have compressed, are replaced.
func PutOnce(ctx context.Context, st store.Store, key string, data []byte, contentType string) error {
	o := store.PutOptions{ContentType: contentType, IfAbsent: true}
	err := st.Put(ctx, key, data, o)
	if errors.Is(err, store.ErrExists) {
		var old []byte
		if old, err = GetBytes(ctx, st, key); err == nil && bytes.Equal(old, data) {
			return nil
		}
		if err == nil || errors.Is(err, store.ErrNotFound) {
			o.IfAbsent = false
			err = st.Put(ctx, key, data, o)
		}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// AbortUploads drops what a killed worker had begun to upload below dir. Velero's IAM
// policy does not grant the listing of uploads: without it they are left to the
// bucket's lifecycle rule.
func AbortUploads(ctx context.Context, st store.Store, dir string) error {
	_, err := st.AbortUploads(ctx, dir)
	if errors.Is(err, store.ErrAccessDenied) || errors.Is(err, store.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop unfinished uploads below %s: %w", dir, err)
	}
	return nil
}

// GetJSON reads a document. One that does not decode is archive.ErrCorrupt.
func GetJSON(ctx context.Context, st store.Store, key string, doc any) error {
	_, err := GetVersion(ctx, st, key, doc)
	return err
}

// GetVersion is GetJSON, and tells the ETag by which what was read can be replaced or deleted,
// and nothing else.
func GetVersion(ctx context.Context, st store.Store, key string, doc any) (etag string, err error) {
	data, info, err := getObject(ctx, st, key)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(data, doc); err != nil {
		return info.ETag, fmt.Errorf("decode %s: %w: %w", key, archive.ErrCorrupt, err)
	}
	return info.ETag, nil
}

// GetBytes reads a whole object, of which sizeLimit bounds the size.
func GetBytes(ctx context.Context, st store.Store, key string) ([]byte, error) {
	data, _, err := getObject(ctx, st, key)
	return data, err
}

func getObject(ctx context.Context, st store.Store, key string) ([]byte, store.Info, error) {
	body, info, err := st.Get(ctx, key)
	if err != nil {
		return nil, info, fmt.Errorf("read %s: %w", key, err)
	}
	limit := sizeLimit(key)
	if info.Size > limit {
		return nil, info, errors.Join(&longError{key, limit}, body.Close())
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, info, fmt.Errorf("read %s: %w", key, err)
	}
	if int64(len(data)) > limit {
		return nil, info, &longError{key, limit}
	}
	return data, info, nil
}

// longError is a document that is longer than any of its kind. It is damaged as well: whoever does
// without a damaged one does without this one.
type longError struct {
	key   string
	limit int64
}

func (e *longError) Error() string {
	return fmt.Sprintf("read %s: longer than %d bytes: %v", e.key, e.limit, archive.ErrHostile)
}

func (e *longError) Unwrap() []error { return []error{archive.ErrHostile, archive.ErrCorrupt} }

// ReadSideDocument reads a document that need not be there.
func ReadSideDocument[T any](ctx context.Context, st store.Store, key string) (T, error) {
	var doc T
	err := GetJSON(ctx, st, key, &doc)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return doc, err
}

// ReadSideDocuments reads all documents of a directory. One that is damaged is an error: it
// may have been a hold.
func ReadSideDocuments[T any](ctx context.Context, st store.Store, dir string, key func(string) string) (map[string]*T, error) {
	var names []string
	err := st.List(ctx, dir, func(i store.Info) error {
		if name, ok := strings.CutSuffix(path.Base(i.Key), ".json"); ok {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	docs, err := ReadDocuments(ctx, st, names, key, func(string) *T { return nil })
	for name, doc := range docs {
		if err == nil && doc == nil {
			err = fmt.Errorf("read %s: %w; repair or remove it", key(name), archive.ErrCorrupt)
		}
	}
	return docs, err
}
