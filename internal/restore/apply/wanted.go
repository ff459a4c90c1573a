package apply

import (
	"context"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Wanted tells what a restore wants of stored objects, for whoever compares afterwards.
type Wanted struct {
	t *transformer
}

// NewWanted is about a run that is planned.
func NewWanted(ctx context.Context, r *restore.Service, s *restore.Run, types kube.Catalog) (*Wanted, error) {
	if err := s.ReadDisks(ctx); err != nil {
		return nil, err
	}
	t, err := newTransformer(s, r.Rules, types, restore.NewLookup(ctx, s))
	return &Wanted{t}, err
}

// Object is what the restore wants of a stored object, nil where it wants nothing. The error
// is for an archive that cannot be read.
func (w *Wanted) Object(e archive.Entry, body []byte) (map[string]any, error) {
	object, _, err := w.Isolated(e, body)
	return object, err
}

// Isolated is Object, and what the rules of isolation say of it.
func (w *Wanted) Isolated(e archive.Entry, body []byte) (map[string]any, isolation.Decision, error) {
	want, ended := w.t.transform(storedObject{e, body})
	if err := w.t.lookup.Failed(); err != nil {
		return nil, isolation.Decision{}, fmt.Errorf("what %s becomes: %w", e.Key, err)
	}
	if ended != nil {
		return nil, want.isolated, nil
	}
	return want.object, want.isolated, nil
}
