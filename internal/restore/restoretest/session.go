package restoretest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Source is an archive's source; it counts what is read.
type Source struct {
	files    map[string][]byte
	Read     int64 // bytes
	Requests int

	mu sync.Mutex
}

// ReadRange reads a part of a file, to its end for a negative n.
func (s *Source) ReadRange(_ context.Context, file string, off, n int64) (io.ReadCloser, error) {
	b := s.files[file]
	b = b[min(off, int64(len(b))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Read += int64(len(b))
	s.Requests++
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Stored is one object of a test's archive: its key as "resource namespace/name", its
// labels as JSON, and the rest of its metadata and of its body, each with a comma in
// front.
type Stored struct{ Key, Labels, Meta, Rest string }

// Split gives the key and the body of the object.
func (o Stored) Split() (archive.Key, []byte) {
	gr, object, _ := strings.Cut(o.Key, " ")
	k := archive.Key{Resource: gr, Version: "v1"}
	k.Namespace, k.Name = resource.SplitName(object)
	if o.Labels == "" {
		o.Labels = "{}"
	}
	return k, fmt.Appendf(nil, `{"metadata":{"name":%q,"namespace":%q,"labels":%s%s}%s}`, k.Name, k.Namespace, o.Labels, o.Meta, o.Rest)
}

// StoredSession is a restore of an archive of some objects, with the filter of its spec.
func StoredSession(t testing.TB, objs []Stored, spec velerov1.RestoreSpec, names ...string) (*restore.Run, *Source) {
	t.Helper()
	src := &Source{files: map[string][]byte{}}
	var refs []archive.ChunkRef
	w := archive.NewWriter(archive.DefaultLimits(), time.Unix(0, 0), func(c archive.Chunk) error {
		key := fmt.Sprint("chunk-", len(refs))
		src.files[key] = bytes.Clone(c.Staged)
		refs = append(refs, c.Ref(key))
		return nil
	})
	for _, o := range objs {
		if k, body := o.Split(); w.Add(k, body) != nil {
			t.Fatalf("cannot store %s", o.Key)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	arc, err := archive.OpenStaged(src, refs)
	if err != nil {
		t.Fatal(err)
	}
	spec.BackupName = "b"
	f, _, err := filter.NewRestore(&spec, names, KnownType, filter.Contents{Resources: arc.Resources()})
	if err != nil {
		t.Fatal(err)
	}
	s := &restore.Run{Arc: arc, Index: new(restore.Volumes).Index(), Plan: restore.Plan{Filter: f}}
	s.Restore = contract.RestoreInput{Name: "r", Spec: spec, Names: names}
	return s, src
}

// KnownType resolves every name to a type of that name.
func KnownType(name string) (filter.Type, bool) {
	return filter.Type{GroupResource: name, Version: "v1"}, true
}
