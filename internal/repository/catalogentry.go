package repository

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	// longestEntry bounds what a key carries: S3 keys have at most 1024 bytes, of
	// which the location's prefix needs some.
	longestEntry = 640
	// longestSegment is what a file system behind a store takes for a name, rounded.
	longestSegment = 240
	// longestDocument bounds an entry as JSON: what a key carries may be small and expand.
	longestDocument = 2048
	// entryDictionary is known to whoever compresses and expands entries: the fields and
	// labels that most have, the commonest last. It is part of the format.
	entryDictionary = `"velero.io/backup-name":"","helm.sh/chart":"","app.kubernetes.io/managed-by":"Helm","app.kubernetes.io/instance":"","app.kubernetes.io/name":"","q":"","p":"PartiallyFailed","p":"Failed",` +
		`{"u":"-4","p":"Completed","k":true,"f":"1.1.0","s":17,"c":17,"x":17,"e":1,"w":1,"o":1,"v":1,"b":1,"l":{"velero.io/schedule-name":"","velero.io/storage-location":"default"}}`
	// latestSecond is the end of the year 9999: JSON has no time behind it.
	latestSecond = 253402300799
)

// entryDocument is a BackupEntry as a key carries it; its name stands in the key
// already. Times are Unix seconds, 0 for none.
type entryDocument struct {
	UID       string               `json:"u"`
	Phase     velerov1.BackupPhase `json:"p"`
	Ours      bool                 `json:"k,omitempty"`
	Format    string               `json:"f,omitempty"`
	Started   int64                `json:"s,omitempty"`
	Completed int64                `json:"c,omitempty"`
	Expires   int64                `json:"x,omitempty"`
	Errors    int                  `json:"e,omitempty"`
	Warnings  int                  `json:"w,omitempty"`
	Objects   int64                `json:"o,omitempty"`
	Snapshots int                  `json:"v,omitempty"`
	Bytes     int64                `json:"b,omitempty"`
	Labels    map[string]string    `json:"l,omitempty"`
	Selector  string               `json:"q,omitempty"`
	Cluster   string               `json:"n,omitempty"`
}

// CommitBackup writes the document of a backup, from when on the backup exists. A catalog
// entry that one of the same name has left goes first.
func CommitBackup(ctx context.Context, st store.Store, doc *velerov1.Backup) error {
	if err := ForgetBackup(ctx, st, doc.Name); err != nil {
		return err
	}
	return PutDocument(ctx, st, layout.Backup{Name: doc.Name}.Metadata(), doc)
}

// RememberBackup writes the catalog entry of a backup whose document is written: an
// empty object whose key says what a listing has to know. A backup of which a key cannot
// carry that gets none, and is listed by its document. It may repeat.
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
	if _, err := st.DeletePrefix(ctx, layout.CatalogDir(name)); err != nil && !errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("remove the catalog entry of %s: %w", name, err)
	}
	return nil
}

// catalogEntryKey is the key of an entry, "" if a key cannot carry it.
func catalogEntryKey(e BackupEntry) (string, error) {
	d := entryDocument{
		UID: e.UID, Phase: e.Phase, Ours: e.Ours, Format: e.FormatVersion,
		Started: toSeconds(e.Started), Completed: toSeconds(e.Completed), Expires: toSeconds(e.Expires),
		Errors: e.Errors, Warnings: e.Warnings, Objects: e.Objects, Snapshots: e.Snapshots, Bytes: e.Bytes,
		Labels: e.Labels, Selector: e.Selector, Cluster: e.Cluster,
	}
	data, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode the catalog entry of %s: %w", e.Name, err)
	}
	text, err := compressEntry(data)
	if err != nil || len(text) > longestEntry || len(data) > longestDocument || !hasValidTimes(d) {
		return "", err
	}
	var key strings.Builder
	key.WriteString(layout.CatalogDir(e.Name))
	for len(text) > longestSegment {
		key.WriteString(text[:longestSegment] + "/")
		text = text[longestSegment:]
	}
	return key.String() + text, nil
}

// compressEntry is an entry as text. One segment of a key holds that of most backups, and
// a store over a file system lists a directory for each segment.
func compressEntry(data []byte) (string, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriterDict(&packed, flate.BestCompression, []byte(entryDictionary))
	if err != nil {
		return "", fmt.Errorf("compress a catalog entry: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return "", fmt.Errorf("compress a catalog entry: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("compress a catalog entry: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(packed.Bytes()), nil
}

// expandEntry undoes compressEntry, within bounds.
func expandEntry(text string) ([]byte, error) {
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(bytes.NewReader(packed), []byte(entryDictionary)), longestDocument+1))
	if err == nil && len(data) > longestDocument {
		err = fmt.Errorf("it has more than %d bytes", longestDocument)
	}
	return data, err
}

// parseCatalogEntry reads the key of an entry. Whoever can write to the bucket can
// write such keys: one that does not decode, or tells what no answer can carry, is no
// entry.
func parseCatalogEntry(key string) (BackupEntry, bool) {
	name, text, ok := splitCatalogKey(key)
	if !ok || len(text) > longestEntry+longestEntry/longestSegment {
		return BackupEntry{}, false
	}
	data, err := expandEntry(strings.ReplaceAll(text, "/", ""))
	var d entryDocument
	if err != nil || json.Unmarshal(data, &d) != nil || !hasValidTimes(d) {
		return BackupEntry{}, false
	}
	return BackupEntry{
		Name: name, UID: d.UID, Phase: d.Phase, Ours: d.Ours, FormatVersion: d.Format,
		Started: fromSeconds(d.Started), Completed: fromSeconds(d.Completed), Expires: fromSeconds(d.Expires),
		Errors: d.Errors, Warnings: d.Warnings, Objects: d.Objects, Snapshots: d.Snapshots, Bytes: d.Bytes,
		Labels: d.Labels, Selector: d.Selector, Cluster: d.Cluster,
	}, true
}

// splitCatalogKey parts the key of an entry into the backup's name and what it says.
func splitCatalogKey(key string) (name, text string, ok bool) {
	rest, ok := strings.CutPrefix(key, layout.CatalogRoot)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

func hasValidTimes(d entryDocument) bool {
	return min(d.Started, d.Completed, d.Expires) >= 0 && max(d.Started, d.Completed, d.Expires) <= latestSecond
}

func toSeconds(t time.Time) int64 {
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
