package archive

import (
	"bytes"
	"fmt"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// tarVersion is the content of metadata/version: the format version of Velero's
// tarball, which is not ours.
const (
	tarVersionPath = "metadata/version"
	tarVersion     = "1.1.0"
)

// ChunkRef is what is remembered of a staged chunk.
type ChunkRef struct {
	Key        string   `json:"key"`        // of the staged object: data, then index blocks
	DataSize   int64    `json:"dataSize"`   // bytes
	BlocksSize int64    `json:"blocksSize"` // bytes
	Members    []Member `json:"members"`
}

// Segment is a run of bytes: inline, or a part of a staged object.
type Segment struct {
	Inline []byte // the bytes themselves, when Key is empty
	Key    string
	Offset int64
	Size   int64 // bytes, of inline segments too
}

// Totals sums up an archive.
type Totals struct {
	Objects      int64 `json:"objects"`
	Members      int64 `json:"members"`
	RawBytes     int64 `json:"rawBytes"`     // of the uncompressed tar
	TarballBytes int64 `json:"tarballBytes"` // as stored
}

// Assembly says how to compose the tarball and the index file.
type Assembly struct {
	Tarball   []Segment // header, chunks in order, trailer
	Index     []Segment // index blocks in the members' order, directory
	Directory Range     // of the directory in the index file
	Totals    Totals
	files     [2]File // tarball, index; names are set by Files
}

// Files are the manifest's entries of the tarball and the index file.
func (a Assembly) Files(l layout.Backup) []File {
	t, i := a.files[0], a.files[1]
	t.Name, i.Name = baseName(l.Tarball()), baseName(l.Index())
	return []File{t, i}
}

// Header is the first member, metadata/version, and its description.
func Header(modTime time.Time) ([]byte, Member, error) {
	h := newHeaders(modTime)
	raw, err := h.appendHeader(nil, []byte(tarVersionPath), len(tarVersion)+1)
	if err != nil {
		return nil, Member{}, err
	}
	return frameMember(appendBody(raw, []byte(tarVersion+"\n")))
}

// Trailer is the last member, the tar end of archive, and its description.
func Trailer() ([]byte, Member, error) { return frameMember(make([]byte, trailerLen)) }

// frameMember compresses a member without objects.
func frameMember(raw []byte) ([]byte, Member, error) {
	data, err := compressMember(raw)
	if err != nil {
		return nil, Member{}, err
	}
	return data, Member{Size: int64(len(data)), RawSize: int64(len(raw)), SHA256: Digest(data)}, nil
}

func compressMember(raw []byte) ([]byte, error) {
	gz, err := gzip.NewWriterLevel(nil, gzip.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return appendGzip(gz, nil, raw)
}

// Assemble lays staged chunks, in this order, between header and trailer and
// makes the directory with absolute offsets. Same input, same bytes.
func Assemble(chunks []ChunkRef, modTime time.Time) (Assembly, error) {
	b := assembler{}
	head, hm, err := Header(modTime)
	if err != nil {
		return Assembly{}, fmt.Errorf("assemble header: %w", err)
	}
	b.addMember(hm, 0, 0)
	b.Tarball = append(b.Tarball, Segment{Inline: head, Size: hm.Size})
	for _, c := range chunks {
		if err := b.addChunk(c); err != nil {
			return Assembly{}, fmt.Errorf("assemble chunk %s: %w", c.Key, err)
		}
	}
	tail, tm, err := Trailer()
	if err != nil {
		return Assembly{}, fmt.Errorf("assemble trailer: %w", err)
	}
	b.addMember(tm, b.Totals.TarballBytes, 0)
	b.Tarball = append(b.Tarball, Segment{Inline: tail, Size: tm.Size})
	return b.finish()
}

type assembler struct {
	Assembly
	members []Member
	blocks  int64 // size of the index file so far
}

// addMember appends a member whose chunk begins at these absolute offsets.
func (b *assembler) addMember(m Member, data, blocks int64) {
	m.Offset += data
	if m.Objects > 0 {
		m.Index.Offset += blocks
	}
	b.members = append(b.members, m)
	b.Totals.Members++
	b.Totals.Objects += int64(m.Objects)
	b.Totals.RawBytes += m.RawSize
	b.Totals.TarballBytes += m.Size
}

func (b *assembler) addChunk(c ChunkRef) error {
	if err := c.checkMembers(); err != nil {
		return err
	}
	data := b.Totals.TarballBytes
	for _, m := range c.Members {
		b.addMember(m, data, b.blocks)
	}
	b.Tarball = append(b.Tarball, Segment{Key: c.Key, Size: c.DataSize})
	b.Index = append(b.Index, Segment{Key: c.Key, Offset: c.DataSize, Size: c.BlocksSize})
	b.blocks += c.BlocksSize
	return nil
}

// finish appends the directory and computes the digests of both files.
func (b *assembler) finish() (Assembly, error) {
	dir, err := encodeDirectory(Directory{FormatVersion: FormatVersion, Members: b.members})
	if err != nil {
		return Assembly{}, err
	}
	b.Directory = Range{Offset: b.blocks, Size: int64(len(dir)), SHA256: Digest(dir)}
	b.Index = append(b.Index, Segment{Inline: dir, Size: b.Directory.Size})
	d := Directory{Members: b.members}
	b.files[0] = File{Size: b.Totals.TarballBytes, TreeSHA256: d.tarballTree()}
	b.files[1] = File{Size: b.blocks + b.Directory.Size, TreeSHA256: d.indexTree(b.Directory)}
	return b.Assembly, nil
}

// checkMembers verifies that the members fill the chunk without gaps.
func (c ChunkRef) checkMembers() error {
	if c.Key == "" || len(c.Members) == 0 {
		return fmt.Errorf("chunk without key or members")
	}
	data, blocks, err := checkMembers(c.Members)
	if err != nil {
		return err
	}
	if data != c.DataSize || blocks != c.BlocksSize {
		return fmt.Errorf("members end at %d and %d, chunk says %d and %d", data, blocks, c.DataSize, c.BlocksSize)
	}
	return nil
}

func baseName(key string) string { return key[bytes.LastIndexByte([]byte(key), '/')+1:] }
