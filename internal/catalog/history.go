package catalog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// backupsInHistory is how many backups are looked at if nobody asks for more, and
	// mostBackupsInHistory if somebody does: a row has some 200 bytes.
	backupsInHistory     = 1000
	mostBackupsInHistory = 5000
	// openedAtOnce bounds the backups that are read at the same time, each by three or four
	// small requests: their latency counts, and some 2 ms of a processor for a directory of
	// 100,000 objects.
	openedAtOnce = 64
)

// objectHistory looks an object up in the backups of this cluster.
func (c *Reader) objectHistory(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	key, err := change.ParseObject(in.Object)
	if err != nil {
		return contract.ReadResult{}, failure.Invalid("%w", err)
	}
	all, unread, err := c.allBackups(ctx, in.Location)
	if err != nil {
		return contract.ReadResult{}, err
	}
	h := &contract.ObjectHistory{Resource: key.Resource, Namespace: key.Namespace, Name: key.Name}
	limit := min(cmp.Or(max(in.Limit, 0), backupsInHistory), mostBackupsInHistory)
	h.Older = max(0, len(all)-limit)
	found, err := c.lookUp(ctx, all[h.Older:], key)
	if err != nil {
		return contract.ReadResult{}, err
	}
	fillHistory(h, found)
	return contract.ReadResult{History: h, Unread: unread}, nil
}

// storedBackup is a backup of a location.
type storedBackup struct {
	repository.BackupEntry
	store    store.Store
	location string
}

// allBackups are those of all locations, the oldest first.
func (c *Reader) allBackups(ctx context.Context, location string) ([]storedBackup, []contract.UnreadLocation, error) {
	answers, err := repository.AskAll(ctx, c.Locations, location, repository.ListTimeout, func(ctx context.Context, a repository.Answer[[]storedBackup]) (out []storedBackup, err error) {
		for next, first := "", true; next != "" || first; first = false {
			var page []repository.BackupEntry
			if page, next, err = a.Listing().Page(ctx, next); err != nil {
				return nil, err
			}
			for _, e := range page {
				out = append(out, storedBackup{e, a.Store, a.Location.Name})
			}
		}
		return out, nil
	})
	if err != nil {
		return nil, nil, err
	}
	all, unread, err := repository.JoinRows(answers, "backups")
	slices.SortFunc(all, func(a, b storedBackup) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Name, b.Name), strings.Compare(a.location, b.location))
	})
	return all, unread, err
}

// lookedUp is what a backup says of an object.
type lookedUp struct {
	storedBackup
	cluster   string // "" if the backup has no index
	isForeign bool
	entry     *archive.Entry // nil if the backup does not have it
}

func (c *Reader) lookUp(ctx context.Context, backups []storedBackup, key archive.Key) ([]lookedUp, error) {
	out := make([]lookedUp, len(backups))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openedAtOnce)
	for i, b := range backups {
		out[i].storedBackup = b
		if !b.Ours {
			continue
		}
		group.Go(func() error { return c.lookUpIn(ctx, &out[i], key) })
	}
	return out, group.Wait()
}

// lookUpIn fills in what the backup says. One whose index is damaged says nothing.
func (c *Reader) lookUpIn(ctx context.Context, b *lookedUp, key archive.Key) error {
	a, err := archive.Open(ctx, repository.NewSource(b.store), layout.Backup{Name: b.Name})
	if repository.IsUnreadable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	b.cluster = a.Manifest().Cluster
	if b.isForeign = b.cluster != c.Config.Cluster; b.isForeign {
		return nil
	}
	if key.Resource = change.ResolveResource(a.Resources(), key.Resource); key.Resource == "" {
		return nil
	}
	_, e, err := a.Lookup(ctx, key)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		return nil
	case archive.IsDamaged(err):
		b.cluster = ""
		return nil
	case err != nil:
		return err
	}
	// Cloned, since the strings of an entry keep the text of its whole index block in memory.
	b.entry = &archive.Entry{Key: archive.Key{Resource: strings.Clone(e.Resource)}, SHA256: strings.Clone(e.SHA256), Content: strings.Clone(e.Content)}
	return nil
}

// fillHistory numbers the states of the object.
func fillHistory(h *contract.ObjectHistory, found []lookedUp) {
	var versions change.Versions
	formats := map[bool]bool{}
	for _, b := range found {
		switch {
		case b.cluster == "":
			h.Unindexed++
			continue
		case b.isForeign:
			h.Foreign++
			continue
		}
		row := contract.ObjectState{Backup: b.Name, Location: b.location, Started: b.Started, Corrupt: b.Corrupt}
		if b.entry != nil {
			h.Resource = b.entry.Resource
			row.Version = versions.NumberOf(*b.entry)
			formats[b.entry.Content != ""] = true
		}
		h.Backups = append(h.Backups, row)
	}
	if formats[false] {
		h.Notes = append(h.Notes, "some backups were made by an older version: of those any write of the object counts as a change, of its status too")
	}
}
