package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// maxDocument bounds a JSON document that we read back from a bucket.
const maxDocument = 256 << 20

// staging is the working space of one run, outside Velero's sight.
type staging struct {
	st  store.Store
	dir string // archive.Staging(uid)
}

func newStaging(st store.Store, uid string) staging {
	return staging{st: st, dir: archive.Staging(uid)}
}

func (s staging) key(name string) string { return s.dir + name }

// put writes a document; a repeat overwrites it.
func (s staging) put(ctx context.Context, name string, doc any) error {
	return putJSON(ctx, s.st, s.key(name), doc, store.PutOptions{})
}

func (s staging) get(ctx context.Context, name string, doc any) error {
	return getJSON(ctx, s.st, s.key(name), doc)
}

// clear removes everything; a repeat is harmless.
func (s staging) clear(ctx context.Context) error {
	if _, err := s.st.DeletePrefix(ctx, s.dir); err != nil {
		return fmt.Errorf("clear staging %s: %w", s.dir, err)
	}
	return nil
}

func putJSON(ctx context.Context, st store.Store, key string, doc any, o store.PutOptions) error {
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

// putOnce writes a file unless an earlier attempt has: where a bucket keeps versions,
// a retry leaves no second one. Other bytes, such as another version of this program
// may have compressed, are replaced.
func putOnce(ctx context.Context, st store.Store, key string, data []byte, contentType string) error {
	o := store.PutOptions{ContentType: contentType, IfAbsent: true}
	err := st.Put(ctx, key, data, o)
	if errors.Is(err, store.ErrExists) {
		var old []byte
		if old, err = getBytes(ctx, st, key); err == nil && bytes.Equal(old, data) {
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

// abortUploads drops what a killed worker had begun to upload below dir. Velero's IAM
// policy does not grant the listing of uploads: without it they are left to the
// bucket's lifecycle rule.
func abortUploads(ctx context.Context, st store.Store, dir string) error {
	_, err := st.AbortUploads(ctx, dir)
	if errors.Is(err, store.ErrAccessDenied) || errors.Is(err, store.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop unfinished uploads below %s: %w", dir, err)
	}
	return nil
}

func getJSON(ctx context.Context, st store.Store, key string, doc any) error {
	data, err := getBytes(ctx, st, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, doc); err != nil {
		return fmt.Errorf("decode %s: %w: %w", key, archive.ErrCorrupt, err)
	}
	return nil
}

func getBytes(ctx context.Context, st store.Store, key string) ([]byte, error) {
	body, _, err := st.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	data, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("read %s: longer than %d bytes: %w", key, maxDocument, archive.ErrHostile)
	}
	return data, nil
}
