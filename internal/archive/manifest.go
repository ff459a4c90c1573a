package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// FormatVersion is written to manifest and directory. A greater minor version
// only adds fields; a greater major version cannot be read by this program.
const FormatVersion = "1.1"

// Manifest lists every file of a backup but itself and the Backup document, and
// is the root of integrity.
type Manifest struct {
	FormatVersion string    `json:"formatVersion"`
	Backup        string    `json:"backup"`
	UID           string    `json:"uid"`
	Cluster       string    `json:"cluster"`
	Created       time.Time `json:"created"`
	Files         []File    `json:"files"`
	Directory     Range     `json:"directory"` // in the index file
	Totals        Totals    `json:"totals"`

	// Revision is the resourceVersion of the cluster that the objects show; empty if each list
	// shows a state of its own. PlainTypes are types that do so all the same.
	Revision   string   `json:"revision,omitempty"`
	PlainTypes []string `json:"plainTypes,omitempty"`
	// RevisionTime is when that was the newest state, and Snapshots when those of volumes were
	// taken; nil without any.
	RevisionTime time.Time `json:"revisionTime,omitzero"`
	Snapshots    *Moments  `json:"snapshots,omitempty"`
}

// Moments are the first and the last of several.
type Moments struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// File is one file of the backup's directory. Exactly one digest is set.
type File struct {
	Name       string `json:"name"` // without directory
	Size       int64  `json:"size"` // bytes
	SHA256     string `json:"sha256,omitempty"`
	TreeSHA256 string `json:"treeSHA256,omitempty"` // of composed files: over the digests of their parts
}

// NewFile describes a file that was written whole.
func NewFile(key string, body []byte) File {
	return File{Name: baseName(key), Size: int64(len(body)), SHA256: Digest(body)}
}

// File finds a file by its key or name.
func (m Manifest) File(key string) (File, bool) {
	for _, f := range m.Files {
		if f.Name == baseName(key) {
			return f, true
		}
	}
	return File{}, false
}

const (
	manifestHead = `{"manifest":`
	manifestMid  = `,"sha256":"`
	manifestTail = "\"}\n"
	manifestEnd  = len(manifestMid) + 64 + len(manifestTail)
)

// EncodeManifest makes the manifest file: one JSON object of the manifest and
// the digest of the manifest's bytes.
func EncodeManifest(m Manifest) ([]byte, error) {
	m.FormatVersion = FormatVersion
	if err := m.checkFields(); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return []byte(manifestHead + string(body) + manifestMid + Digest(body) + manifestTail), nil
}

// DecodeManifest reads a manifest file. file names it in errors, which are
// ErrCorrupt or ErrVersion.
func DecodeManifest(file string, b []byte) (Manifest, error) {
	bad := func(cause error, what string) (Manifest, error) {
		return Manifest{}, corruptError(file, NoMember, cause, "%s", what)
	}
	if len(b) > maxManifestBytes {
		return bad(nil, "larger than 64 MiB")
	}
	if len(b) < len(manifestHead)+manifestEnd || !bytes.HasPrefix(b, []byte(manifestHead)) {
		return bad(nil, "not a manifest, or cut off")
	}
	body, end := b[len(manifestHead):len(b)-manifestEnd], b[len(b)-manifestEnd:]
	if string(end) != manifestMid+Digest(body)+manifestTail {
		return bad(nil, "digest differs")
	}
	var m Manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return bad(err, "decode")
	}
	if err := checkVersion(m.FormatVersion); err != nil {
		return Manifest{}, fmt.Errorf("read %s: %w", file, err)
	}
	if err := m.checkFields(); err != nil {
		return bad(err, "contents")
	}
	return m, nil
}

func (m Manifest) checkFields() error {
	if err := ValidateName(m.Backup); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	seen := map[string]bool{}
	for i, f := range m.Files {
		if err := f.checkName(m.Backup); err != nil {
			return fmt.Errorf("files[%d] %q: %w", i, f.Name, err)
		}
		if seen[f.Name] {
			return fmt.Errorf("files[%d] %q: listed twice", i, f.Name)
		}
		seen[f.Name] = true
	}
	l := layout.Backup{Name: m.Backup}
	index, ok := m.File(l.Index())
	if !ok {
		return fmt.Errorf("no index file")
	}
	if _, ok := m.File(l.Tarball()); !ok {
		return fmt.Errorf("no tarball")
	}
	d := m.Directory
	if d.Offset < 0 || d.Size <= 0 || d.Size > maxDirectoryBytes || d.Offset != index.Size-d.Size || !validDigest(d.SHA256) {
		return fmt.Errorf("directory: not the end of the index file")
	}
	return nil
}

// checkName refuses names that could lead a reader out of the backup's directory.
func (f File) checkName(backup string) error {
	if !strings.HasPrefix(f.Name, backup) || checkSegment(f.Name) != nil {
		return fmt.Errorf("name is not <backup><suffix>")
	}
	if f.Name == baseName(layout.Backup{Name: backup}.Manifest()) {
		return fmt.Errorf("the manifest cannot list itself")
	}
	if f.Size < 0 {
		return fmt.Errorf("size %d", f.Size)
	}
	if (f.SHA256 == "") == (f.TreeSHA256 == "") || !validDigest(f.SHA256+f.TreeSHA256) {
		return fmt.Errorf("needs exactly one digest")
	}
	composed := f.Name == baseName(layout.Backup{Name: backup}.Tarball()) || f.Name == baseName(layout.Backup{Name: backup}.Index())
	if f.TreeSHA256 != "" && !composed {
		return fmt.Errorf("only tarball and index can have a tree digest")
	}
	return nil
}

// checkVersion accepts any minor version of our major version.
func checkVersion(v string) error {
	major, minor, ok := strings.Cut(v, ".")
	_, err := strconv.ParseUint(minor, 10, 16)
	if !ok || err != nil || major != "1" {
		return fmt.Errorf("%w: %.20q, this program reads 1.x: use a newer lifeboat", ErrVersion, v)
	}
	return nil
}
