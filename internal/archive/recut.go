package archive

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// HostileLimits bound what a foreign tarball may make us do.
type HostileLimits struct {
	ObjectBytes int64 // one object's JSON
	TotalBytes  int64 // of the uncompressed tar
	Entries     int64 // tar entries of any kind
}

// DefaultHostileLimits admit a cluster of some millions of objects, however well it compresses.
// A tarball is read as a stream, in the memory of one object, so what it grows to costs time
// and the room of its chunks in staging, which compress again.
func DefaultHostileLimits() HostileLimits {
	return HostileLimits{ObjectBytes: MaxObjectBytes, TotalBytes: 64 << 30, Entries: 10_000_000}
}

// maxPadding bounds what may follow the end of a tar archive: GNU tar fills up to 10 KiB.
const maxPadding = 1 << 20

// maxUnusual bounds how many objects are named that are left out.
const maxUnusual = 100

// RecutStats says what a foreign tarball held.
type RecutStats struct {
	Objects       int64
	Ignored       int64    // files that are no plain copies: versioned copies and others
	Unusual       []string // paths of objects whose names cannot be stored, the first of them
	RawBytes      int64    // of the uncompressed tar
	StoredBytes   int64    // of the tarball
	FormatVersion string   // of metadata/version; empty if absent
}

// Recut streams a Velero tarball into w and flushes it, so that a foreign backup
// can be read as our own. Only plain paths are taken; the version comes from the
// body's apiVersion. A tarball without resources/ holds no objects and is no
// error. Truncation and bit errors are ErrCorrupt; what no backup holds is
// ErrHostile, an unknown major version ErrVersion. Errors of reading tarball are
// returned wrapped.
func Recut(ctx context.Context, tarball io.Reader, w *Writer, lim HostileLimits) (RecutStats, error) {
	stats, err := scanTarball(ctx, tarball, lim, w.Add)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return stats, fmt.Errorf("recut tarball: %w", err)
	}
	return stats, nil
}

// Scan streams a Velero tarball and hands every object to take, in the order of the
// tarball and with the checks of Recut; the body is valid during the call only. What
// take has seen is to be trusted once Scan returns without an error: damage may show
// at the very end only. An error of take ends the scan and is wrapped.
func Scan(ctx context.Context, tarball io.Reader, lim HostileLimits, take func(k Key, body []byte) error) (RecutStats, error) {
	stats, err := scanTarball(ctx, tarball, lim, take)
	if err != nil {
		return stats, fmt.Errorf("scan tarball: %w", err)
	}
	return stats, nil
}

func scanTarball(ctx context.Context, tarball io.Reader, lim HostileLimits, take func(Key, []byte) error) (RecutStats, error) {
	r := recutter{take: take, lim: lim, seen: map[[16]byte]struct{}{}}
	err := r.recutTarball(ctx, tarball)
	return r.stats, err
}

type recutter struct {
	take  func(k Key, body []byte) error
	lim   HostileLimits
	stats RecutStats
	// seen holds truncated digests of plain paths: 16 bytes an object, where
	// 128 bits make a chance collision impossible in practice.
	seen    map[[16]byte]struct{}
	entries int64
	body    []byte
}

func (r *recutter) recutTarball(ctx context.Context, tarball io.Reader) error {
	in := &countingReader{r: tarball}
	gz, err := gzip.NewReader(in)
	if err != nil {
		return in.attributeError(err, "gzip header")
	}
	raw := &boundedReader{r: gz, in: in, lim: r.lim}
	defer func() { r.stats.RawBytes, r.stats.StoredBytes = raw.n, in.n }()
	t := tar.NewReader(raw)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return raw.drainPadding()
		}
		if err != nil {
			return in.attributeError(err, "tar entry %d", r.entries)
		}
		if err := r.recutEntry(h, t, in); err != nil {
			return err
		}
	}
}

func (r *recutter) recutEntry(h *tar.Header, t io.Reader, in *countingReader) error {
	if r.entries++; r.entries > r.lim.Entries {
		return hostileError("more than %d tar entries", r.lim.Entries)
	}
	name, err := safeName(h)
	if errors.Is(err, errUnusual) && h.Typeflag == tar.TypeReg {
		r.leaveOut(h.Name)
		return nil
	}
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		return nil
	}
	plain := strings.HasPrefix(name, resourcesDir+"/")
	if !plain && name != tarVersionPath {
		r.stats.Ignored++
		return nil
	}
	if h.Size > min(r.lim.ObjectBytes, MaxObjectBytes) {
		return hostileError("%q has %d bytes, at most %d", name, h.Size, r.lim.ObjectBytes)
	}
	if r.body, err = appendAll(r.body[:0], t, h.Size+1); err != nil {
		return in.attributeError(err, "%q", name)
	}
	if !plain {
		return r.checkVersion()
	}
	return r.recutObject(name)
}

// leaveOut notes an object whose name cannot be stored; its second copy is not noted.
func (r *recutter) leaveOut(path string) {
	if len(r.stats.Unusual) < maxUnusual && !strings.Contains(path, preferredSuffix+"/") {
		r.stats.Unusual = append(r.stats.Unusual, fmt.Sprintf("%.200q", path))
	}
}

// checkVersion checks metadata/version: any 1.x is of the layout that we know.
func (r *recutter) checkVersion() error {
	v := strings.TrimSpace(string(r.body))
	if major, _, _ := strings.Cut(v, "."); major != "1" {
		return fmt.Errorf("%w: tarball of Velero format %.20q, known is 1.x", ErrVersion, v)
	}
	r.stats.FormatVersion = v
	return nil
}

func (r *recutter) recutObject(name string) error {
	k, versioned, err := ParsePath(name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHostile, err)
	}
	if versioned {
		r.stats.Ignored++
		return nil
	}
	sum := sha256.Sum256([]byte(name))
	id := [16]byte(sum[:16])
	if _, twice := r.seen[id]; twice {
		return hostileError("%q stands in it twice", name)
	}
	r.seen[id] = struct{}{}
	if k.Version, err = checkBody(k, r.body); err != nil {
		return hostileError("%q: %s", name, err)
	}
	r.stats.Objects++
	return r.take(k, r.body)
}

// safeName admits regular files and directories at relative paths that stay
// below the root.
func safeName(h *tar.Header) (string, error) {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	default:
		return "", hostileError("%.200q is of type %q, neither file nor directory", h.Name, h.Typeflag)
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return "", hostileError("%.200q is a sparse file", h.Name)
		}
	}
	name := strings.TrimPrefix(h.Name, "./")
	trimmed := strings.TrimSuffix(name, "/")
	if trimmed == "" && h.Typeflag == tar.TypeDir {
		return "", nil
	}
	for _, part := range strings.Split(trimmed, "/") {
		if err := checkSegment(part); err != nil {
			if errors.Is(err, errUnusual) && strings.HasPrefix(name, resourcesDir+"/") && !strings.Contains("/"+trimmed+"/", "/../") {
				return "", fmt.Errorf("path %.200q: %w", h.Name, err)
			}
			return "", hostileError("path %.200q: %s", h.Name, err)
		}
	}
	return name, nil
}
