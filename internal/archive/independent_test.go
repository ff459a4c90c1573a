package archive_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// node is any JSON object of the format.
type node struct {
	Offset, Size, Objects, O, S int64
	FormatVersion, SHA256       string
	R, NS, N, H                 string
	Members                     []node
	Index, Directory            *node
	Manifest                    json.RawMessage
}

// extract calls fn for every object of a backup below root. It was written from
// docs/FORMAT.md alone and shares no code with the package.
func extract(root, backup string, fn func(resource, namespace, name string, body []byte)) error {
	read := func(suffix string, p *node) []byte { // empty on error: the digests tell
		b, _ := os.ReadFile(root + "/backups/" + backup + "/" + backup + suffix)
		return b[min(p.Offset, int64(len(b))):min(p.Offset+p.Size, int64(len(b)))]
	}
	var file, manifest, directory node
	if err := json.Unmarshal(read("-lifeboat-manifest.json", &node{Size: 64 << 20}), &file); err != nil || digest(file.Manifest) != file.SHA256 || json.Unmarshal(file.Manifest, &manifest) != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	index := read("-lifeboat-index.gz", manifest.Directory)
	if manifest.FormatVersion[:2] != "1." || digest(index) != manifest.Directory.SHA256 || json.Unmarshal(inflate(index), &directory) != nil {
		return fmt.Errorf("directory of format version %q", manifest.FormatVersion)
	}
	for i, m := range directory.Members {
		data, block := read(".tar.gz", &m), read("-lifeboat-index.gz", m.Index)
		if digest(data) != m.SHA256 || (m.Objects > 0 && digest(block) != m.Index.SHA256) {
			return fmt.Errorf("member %d is corrupt", i)
		}
		for raw, lines := inflate(data), json.NewDecoder(bytes.NewReader(inflate(block))); m.Objects > 0; m.Objects-- {
			var e node
			if err := lines.Decode(&e); err != nil || digest(raw[e.O:e.O+e.S]) != e.H {
				return fmt.Errorf("object %s %s/%s: %w", e.R, e.NS, e.N, err)
			}
			fn(e.R, e.NS, e.N, raw[e.O:e.O+e.S])
		}
	}
	return nil
}

func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
func inflate(b []byte) []byte {
	if r, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		b, _ = io.ReadAll(r)
	}
	return b
}
