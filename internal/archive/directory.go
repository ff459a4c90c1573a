package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
)

// Directory stands gzip'd at the end of the index file.
type Directory struct {
	FormatVersion string   `json:"formatVersion"`
	Members       []Member `json:"members"` // in the tarball's order, header and trailer included
}

func encodeDirectory(d Directory) ([]byte, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode directory: %w", err)
	}
	if len(raw) > maxDirectoryRaw {
		return nil, fmt.Errorf("encode directory: %d members are more than one backup can hold: divide it", len(d.Members))
	}
	return compressMember(raw)
}

// parseDirectory reads an uncompressed directory and checks that its members
// are sane and leave no gap.
func parseDirectory(raw []byte) (Directory, error) {
	d, err := decodeDirectory(raw)
	if err != nil {
		return Directory{}, fmt.Errorf("decode directory: %w", err)
	}
	if err := checkVersion(d.FormatVersion); err != nil {
		return Directory{}, err
	}
	_, _, err = checkMembers(d.Members)
	return d, err
}

func unmarshalDirectory(raw []byte) (d Directory, err error) {
	err = json.Unmarshal(raw, &d)
	return d, err
}

// checkMembers verifies bounds and contiguity from offset 0 and returns where
// data and blocks end.
func checkMembers(members []Member) (data, blocks int64, err error) {
	for i, m := range members {
		if err := m.checkFields(); err != nil {
			return 0, 0, fmt.Errorf("member %d: %w", i, err)
		}
		if m.Offset != data {
			return 0, 0, fmt.Errorf("member %d: begins at %d, the one before ends at %d", i, m.Offset, data)
		}
		data += m.Size
		if m.Objects == 0 {
			continue
		}
		if m.Index.Offset != blocks {
			return 0, 0, fmt.Errorf("member %d: index block at %d, the one before ends at %d", i, m.Index.Offset, blocks)
		}
		blocks += m.Index.Size
	}
	return data, blocks, nil
}

func (m Member) checkFields() error {
	switch {
	case m.Size <= 0 || m.Size > MaxMemberBytes:
		return fmt.Errorf("size %d", m.Size)
	case m.RawSize <= 0 || m.RawSize > MaxMemberBytes || m.RawSize%blockSize != 0:
		return fmt.Errorf("raw size %d", m.RawSize)
	case m.Objects < 0 || m.Objects > maxMemberObjects:
		return fmt.Errorf("%d objects", m.Objects)
	case !validDigest(m.SHA256):
		return fmt.Errorf("malformed digest")
	case m.Objects == 0 && (m.Index != Range{} || len(m.Spans) > 0):
		return fmt.Errorf("index block without objects")
	case m.Objects == 0:
		return nil
	case m.Index.Size <= 0 || m.Index.Size > maxBlockBytes || !validDigest(m.Index.SHA256):
		return fmt.Errorf("index block of size %d", m.Index.Size)
	case len(m.Spans) == 0 || len(m.Spans) > m.Objects:
		return fmt.Errorf("%d spans for %d objects", len(m.Spans), m.Objects)
	}
	return nil
}

// tarballTree digests the members' digests in order.
func (d Directory) tarballTree() string {
	t := newTree()
	for _, m := range d.Members {
		t.addDigest(m.SHA256)
	}
	return t.digest()
}

// indexTree digests the blocks' digests in order and the directory's.
func (d Directory) indexTree(dir Range) string {
	t := newTree()
	for _, m := range d.Members {
		if m.Objects > 0 {
			t.addDigest(m.Index.SHA256)
		}
	}
	t.addDigest(dir.SHA256)
	return t.digest()
}

// tree is the digest of a file that is composed without being read: SHA-256
// over the binary digests of its parts, which fill it without gaps.
type tree struct {
	sum  hash.Hash
	part []byte
}

func newTree() *tree { return &tree{sum: sha256.New()} }

func (t *tree) addDigest(hexDigest string) {
	part, err := hex.AppendDecode(t.part[:0], []byte(hexDigest))
	if err != nil { // digests are validated before; a wrong one must not vanish
		part = append(part[:0], hexDigest...)
	}
	t.part = part
	t.sum.Write(part)
}

func (t *tree) digest() string { return hex.EncodeToString(t.sum.Sum(nil)) }
