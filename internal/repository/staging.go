package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Staging is the working space of one run, outside Velero's sight.
type Staging struct {
	Store store.Store
	dir   string // layout.Staging(uid)
}

// NewStaging is the working space of the run with that UID.
func NewStaging(st store.Store, uid string) Staging {
	return Staging{Store: st, dir: layout.Staging(uid)}
}

// Key is the key of a staged file.
func (s Staging) Key(name string) string { return s.dir + name }

// Put writes a document; a repeat overwrites it.
func (s Staging) Put(ctx context.Context, name string, doc any) error {
	return PutJSON(ctx, s.Store, s.Key(name), doc, store.PutOptions{})
}

// CreateStaged writes a document that every attempt has to agree on. What an attempt before
// this one, or one that was taken for dead, has written stays and is read into doc.
func CreateStaged[T any](ctx context.Context, s Staging, name string, doc *T) error {
	err := PutJSON(ctx, s.Store, s.Key(name), doc, store.PutOptions{IfAbsent: true})
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	*doc = *new(T)
	return s.Get(ctx, name, doc)
}

// Get reads a staged document. One that does not fit is of a worker of another version, which
// goes on with it: that passes.
func (s Staging) Get(ctx context.Context, name string, doc any) error {
	err := GetJSON(ctx, s.Store, s.Key(name), doc)
	var damaged *json.SyntaxError
	if errors.Is(err, archive.ErrCorrupt) && !errors.As(err, &damaged) {
		return errors.New("written by a worker of another version, which has to go on with this run: " + err.Error()) // not as damage, which is final
	}
	return err
}

// Clear removes everything; a repeat is harmless.
func (s Staging) Clear(ctx context.Context) error {
	if _, err := s.Store.DeletePrefix(ctx, s.dir); err != nil {
		return fmt.Errorf("clear staging %s: %w", s.dir, err)
	}
	return nil
}
