package repository

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// longestEntry bounds what a key carries: S3 keys have at most 1024 bytes, of
	// which the location's prefix needs some.
	longestEntry = 640
	// longestSegment is what a file system behind a store takes for a name, rounded.
	longestSegment = 240
)

// entryDocument is a BackupEntry as a key carries it; its name stands in the key
// already. Times are Unix seconds, 0 for none.
type entryDocument struct {
	UID      string               `json:"u"`
	Phase    velerov1.BackupPhase `json:"p"`
	Started  int64                `json:"s,omitempty"`
	Expires  int64                `json:"x,omitempty"`
	Errors   int                  `json:"e,omitempty"`
	Warnings int                  `json:"w,omitempty"`
	Objects  int64                `json:"o,omitempty"`
	Bytes    int64                `json:"b,omitempty"`
	Labels   map[string]string    `json:"l,omitempty"`
}

// RememberBackup writes the catalog entry of a backup of ours that has been committed:
// an empty object whose key says what a listing has to know. One with more labels than
// a key can carry gets none; its document is read instead. It may repeat.
func RememberBackup(ctx context.Context, st store.Store, doc *velerov1.Backup, bytes int64) error {
	key, err := catalogEntryKey(EntryOf(doc, bytes))
	if err != nil || key == "" {
		return err
	}
	if err := st.Put(ctx, key, nil, store.PutOptions{}); err != nil {
		return fmt.Errorf("write the catalog entry of %s: %w", doc.Name, err)
	}
	return nil
}

// ForgetBackup removes the catalog entries of a name. It has to be done before the
// document of a backup is written or removed, so that a crash leaves too few entries
// and never a wrong one. Where a default retention protects the entry it stays, and is
// one of two as soon as the name is used again. It may repeat.
func ForgetBackup(ctx context.Context, st store.Store, name string) error {
	if _, err := st.DeletePrefix(ctx, archive.CatalogDir(name)); err != nil && !errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("remove the catalog entry of %s: %w", name, err)
	}
	return nil
}

// catalogEntryKey is the key of an entry, "" if it is too long for one.
func catalogEntryKey(e BackupEntry) (string, error) {
	data, err := json.Marshal(entryDocument{
		UID: e.UID, Phase: e.Phase, Started: seconds(e.Started), Expires: seconds(e.Expires),
		Errors: e.Errors, Warnings: e.Warnings, Objects: e.Objects, Bytes: e.Bytes, Labels: e.Labels,
	})
	if err != nil {
		return "", fmt.Errorf("encode the catalog entry of %s: %w", e.Name, err)
	}
	text := base64.RawURLEncoding.EncodeToString(data)
	if len(text) > longestEntry {
		return "", nil
	}
	var key strings.Builder
	key.WriteString(archive.CatalogDir(e.Name))
	for len(text) > longestSegment {
		key.WriteString(text[:longestSegment] + "/")
		text = text[longestSegment:]
	}
	return key.String() + text, nil
}

// parseCatalogEntry reads the key of an entry. Whoever can write to the bucket can
// write such keys: one that does not decode is no entry.
func parseCatalogEntry(key string) (BackupEntry, bool) {
	rest, ok := strings.CutPrefix(key, archive.CatalogRoot)
	name, text, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return BackupEntry{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(strings.ReplaceAll(text, "/", ""))
	var d entryDocument
	if err != nil || json.Unmarshal(data, &d) != nil {
		return BackupEntry{}, false
	}
	return BackupEntry{
		Name: name, UID: d.UID, Phase: d.Phase, Started: fromSeconds(d.Started), Expires: fromSeconds(d.Expires),
		Errors: d.Errors, Warnings: d.Warnings, Objects: d.Objects, Bytes: d.Bytes, Labels: d.Labels, Ours: true,
	}, true
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// readCatalogEntries reads the entries of a location by name. Of a name that has two,
// or one that does not decode, there is none: its document tells.
func readCatalogEntries(ctx context.Context, st store.Store) (map[string]BackupEntry, error) {
	entries, seen := map[string]BackupEntry{}, map[string]bool{}
	err := st.List(ctx, archive.CatalogRoot, func(i store.Info) error {
		name, _, _ := strings.Cut(strings.TrimPrefix(i.Key, archive.CatalogRoot), "/")
		e, ok := parseCatalogEntry(i.Key)
		if ok && !seen[name] {
			entries[name] = e
		} else {
			delete(entries, name)
		}
		seen[name] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list catalog entries: %w", err)
	}
	return entries, nil
}
