package archive

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// Source reads stored files by their key below the location's prefix.
type Source interface {
	// ReadRange reads n bytes from off, or to the end when n < 0. A range beyond
	// the file's end yields fewer bytes or none, not an error: so a truncated
	// file is told from an unreachable one.
	ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error)
}

// Archive reads a backup's objects. It is safe for concurrent use. Every byte it
// returns was verified against the manifest. Errors of the Source come wrapped,
// so that callers can branch on the store's sentinels; damage is ErrCorrupt.
type Archive struct {
	src      Source
	layout   layout.Backup
	manifest Manifest
	members  []Member
	files    []extent // by member
	leftOut  map[int]bool
	inflate  *sync.Pool
}

// extent says in which files a member's data and index block stand, and what is
// to be added to its offsets there.
type extent struct {
	data, blocks       string
	dataBase, blockSum int64
}

// Open reads and verifies manifest and directory: two range reads.
func Open(ctx context.Context, src Source, l layout.Backup) (*Archive, error) {
	if err := ValidateName(l.Name); err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	a := newArchive(src, l)
	b, err := a.readRange(ctx, nil, l.Manifest(), 0, -1, maxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("open archive %s: %w", l.Name, err)
	}
	if a.manifest, err = DecodeManifest(l.Manifest(), b); err != nil {
		return nil, fmt.Errorf("open archive %s: %w", l.Name, err)
	}
	if a.manifest.Backup != l.Name {
		return nil, corruptError(l.Manifest(), NoMember, nil, "is of backup %q", a.manifest.Backup)
	}
	if err := a.openDirectory(ctx); err != nil {
		return nil, fmt.Errorf("open archive %s: %w", l.Name, err)
	}
	return a, nil
}

func newArchive(src Source, l layout.Backup) *Archive {
	return &Archive{src: src, layout: l, inflate: &sync.Pool{New: func() any { return new(inflater) }}}
}

func (a *Archive) openDirectory(ctx context.Context) error {
	file, r := a.layout.Index(), a.manifest.Directory
	b, err := a.readVerified(ctx, file, NoMember, r)
	if err != nil {
		return err
	}
	raw, err := a.gunzipMember(b, maxDirectoryRaw, nil)
	if err != nil {
		return corruptError(file, NoMember, err, "directory")
	}
	d, err := parseDirectory(raw)
	if err != nil {
		return corruptError(file, NoMember, err, "directory")
	}
	if err := a.checkTotals(d); err != nil {
		return corruptError(file, NoMember, err, "directory contradicts the manifest")
	}
	a.members = d.Members
	a.files = slices.Repeat([]extent{{data: a.layout.Tarball(), blocks: file}}, len(d.Members))
	return nil
}

// checkTotals compares the directory with what the manifest says of both files.
func (a *Archive) checkTotals(d Directory) error {
	m := a.manifest
	tarball, _ := m.File(a.layout.Tarball())
	index, _ := m.File(a.layout.Index())
	sum, blocks := sumTotals(d.Members)
	switch {
	case sum != m.Totals:
		return fmt.Errorf("totals %+v, manifest says %+v", sum, m.Totals)
	case sum.TarballBytes != tarball.Size:
		return fmt.Errorf("tarball of %d bytes, manifest says %d", sum.TarballBytes, tarball.Size)
	case blocks != m.Directory.Offset:
		return fmt.Errorf("index blocks end at %d, the directory begins at %d", blocks, m.Directory.Offset)
	case tarball.TreeSHA256 != "" && tarball.TreeSHA256 != d.tarballTree():
		return fmt.Errorf("tarball's tree digest differs")
	case index.TreeSHA256 != "" && index.TreeSHA256 != d.indexTree(m.Directory):
		return fmt.Errorf("index's tree digest differs")
	}
	return nil
}

func sumTotals(members []Member) (t Totals, blocks int64) {
	for _, m := range members {
		t.Members++
		t.Objects += int64(m.Objects)
		t.RawBytes += m.RawSize
		t.TarballBytes += m.Size
		blocks += m.Index.Size
	}
	return t, blocks
}

// Manifest is the verified manifest; zero for staged chunks.
func (a *Archive) Manifest() Manifest { return a.manifest }

// Members are in the tarball's order; the first and the last hold no objects in
// an assembled archive. The slice is shared: do not change it.
func (a *Archive) Members() []Member { return a.members }

// Entries reads and verifies the index block of member m. One that is left out has none.
func (a *Archive) Entries(ctx context.Context, m int) ([]Entry, error) {
	if a.leftOut[m] {
		return nil, nil
	}
	return a.readEntries(ctx, m)
}

func (a *Archive) readEntries(ctx context.Context, m int) ([]Entry, error) {
	if err := a.inRange(m, m+1); err != nil {
		return nil, err
	}
	if a.members[m].Objects == 0 {
		return nil, nil
	}
	b, err := a.readVerified(ctx, a.files[m].blocks, m, a.blockRange(m))
	if err != nil {
		return nil, err
	}
	return a.parseBlock(m, b)
}

func (a *Archive) inRange(from, to int) error {
	if from < 0 || to > len(a.members) || from > to {
		return fmt.Errorf("members %d to %d: the archive has %d", from, to, len(a.members))
	}
	return nil
}

func (a *Archive) blockRange(m int) Range {
	r := a.members[m].Index
	r.Offset += a.files[m].blockSum
	return r
}

func (a *Archive) dataRange(m int) Range {
	d := a.members[m]
	return Range{Offset: d.Offset + a.files[m].dataBase, Size: d.Size, SHA256: d.SHA256}
}
