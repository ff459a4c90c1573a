package archive

import (
	"encoding/json"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// stagedDoc is the file in which the chunks of a shard are remembered.
type stagedDoc struct {
	FormatVersion string     `json:"formatVersion"`
	Chunks        []ChunkRef `json:"chunks"`
}

// EncodeChunkRefs makes the gzip'd JSON file that remembers staged chunks.
func EncodeChunkRefs(refs []ChunkRef) ([]byte, error) {
	raw, err := json.Marshal(stagedDoc{FormatVersion: FormatVersion, Chunks: refs})
	if err != nil {
		return nil, fmt.Errorf("encode chunk list: %w", err)
	}
	return compressMember(raw)
}

// DecodeChunkRefs is the inverse of EncodeChunkRefs; file names it in errors.
func DecodeChunkRefs(file string, b []byte) ([]ChunkRef, error) {
	raw, err := newArchive(nil, layout.Backup{}).gunzipMember(b, maxDirectoryRaw, nil)
	if err != nil {
		return nil, corruptError(file, NoMember, err, "chunk list")
	}
	return parseChunkRefs(file, raw)
}

func parseChunkRefs(file string, raw []byte) ([]ChunkRef, error) {
	var d stagedDoc
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, corruptError(file, NoMember, err, "chunk list")
	}
	if err := checkVersion(d.FormatVersion); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for _, c := range d.Chunks {
		if err := c.checkMembers(); err != nil {
			return nil, corruptError(file, NoMember, err, "chunk %q", c.Key)
		}
	}
	return d.Chunks, nil
}

// OpenStaged reads staged chunks as an archive before, or without, assembly. Its
// members have neither header nor trailer; their offsets are absolute, as if the
// chunks stood one after another. It reads nothing yet.
func OpenStaged(src Source, chunks []ChunkRef) (*Archive, error) {
	a := newArchive(src, layout.Backup{})
	data, blocks := int64(0), int64(0)
	for _, c := range chunks {
		if err := c.checkMembers(); err != nil {
			return nil, fmt.Errorf("open staged chunk %s: %w", c.Key, err)
		}
		at := extent{data: c.Key, blocks: c.Key, dataBase: -data, blockSum: c.DataSize - blocks}
		for _, m := range c.Members {
			m.Offset += data
			if m.Objects > 0 {
				m.Index.Offset += blocks
			}
			a.members, a.files = append(a.members, m), append(a.files, at)
		}
		data, blocks = data+c.DataSize, blocks+c.BlocksSize
	}
	return a, nil
}
