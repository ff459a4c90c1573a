// Package rehearsaltest makes backups for tests out of objects as text.
package rehearsaltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// Object is one object of a backup.
type Object struct {
	Key  archive.Key
	Body []byte
}

// Parse reads an object of JSON; its type is guessed of its kind.
func Parse(t testing.TB, body string) Object {
	t.Helper()
	var id struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if err := json.Unmarshal([]byte(body), &id); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	group, version, found := strings.Cut(id.APIVersion, "/")
	if !found {
		group, version = "", group
	}
	gr := plural(id.Kind)
	if group != "" {
		gr += "." + group
	}
	return Object{archive.Key{Resource: gr, Version: version, Namespace: id.Metadata.Namespace, Name: id.Metadata.Name}, []byte(body)}
}

func plural(kind string) string {
	word := strings.ToLower(kind)
	switch {
	case word == "endpoints":
		return word
	case strings.HasSuffix(word, "cy"):
		return strings.TrimSuffix(word, "y") + "ies"
	case strings.HasSuffix(word, "s"):
		return word + "es"
	}
	return word + "s"
}

// Put writes a backup of cluster "test" whose UID is "uid-<name>", as a backup writes it.
func Put(t testing.TB, st *memstore.Store, name string, objects ...Object) layout.Backup {
	t.Helper()
	l, staged := layout.Backup{Name: name}, map[string][]byte{}
	var refs []archive.ChunkRef
	w := archive.NewWriter(archive.DefaultLimits(), time.Unix(0, 0), func(c archive.Chunk) error {
		key := fmt.Sprint("chunk-", len(refs))
		staged[key] = bytes.Clone(c.Staged)
		refs = append(refs, c.Ref(key))
		return nil
	})
	for _, o := range objects {
		if err := w.Add(o.Key, o.Body); err != nil {
			t.Fatalf("%s: %v", o.Key, err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Assemble(refs, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	info := Gzipped(t, "[]")
	st.Set(l.Tarball(), flatten(a.Tarball, staged))
	st.Set(l.Index(), flatten(a.Index, staged))
	st.Set(l.VolumeInfo(), info)
	m, err := archive.EncodeManifest(archive.Manifest{
		Backup: name, UID: "uid-" + name, Cluster: "test", Created: time.Unix(0, 0).UTC(),
		Files: append(a.Files(l), archive.NewFile(l.VolumeInfo(), info)), Directory: a.Directory, Totals: a.Totals,
	})
	if err != nil {
		t.Fatal(err)
	}
	st.Set(l.Manifest(), m)
	st.Set(l.Metadata(), fmt.Appendf(nil, `{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":%q,"uid":"uid-%s","annotations":{"lifeboat-backup.github.io/uid":"uid-%s"}},
		"status":{"phase":"Completed","startTimestamp":"2026-03-01T00:00:00Z","completionTimestamp":"2026-03-01T00:01:00Z"}}`, name, name, name))
	return l
}

func flatten(segments []archive.Segment, staged map[string][]byte) (out []byte) {
	for _, s := range segments {
		if s.Key == "" {
			out = append(out, s.Inline...)
			continue
		}
		out = append(out, staged[s.Key][s.Offset:s.Offset+s.Size]...)
	}
	return out
}
