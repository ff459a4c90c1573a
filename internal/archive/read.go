package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// ReadMember reads member m, verifies it and returns it uncompressed.
func (a *Archive) ReadMember(ctx context.Context, m int) ([]byte, error) {
	if err := a.inRange(m, m+1); err != nil {
		return nil, err
	}
	b, err := a.readVerified(ctx, a.files[m].data, m, a.dataRange(m))
	if err != nil {
		return nil, err
	}
	return a.inflateMember(m, b, nil)
}

// Body cuts an object out of an uncompressed member and verifies it: the bytes
// against the entry's digest, the tar header before them against its key.
func (a *Archive) Body(m int, e Entry, member []byte) ([]byte, error) {
	file := a.files[m].data
	if e.Offset < blockSize || e.Size < 0 || e.Offset > int64(len(member))-e.Size {
		return nil, corruptError(file, m, nil, "%s: body %d+%d does not lie in the member", e.Key, e.Offset, e.Size)
	}
	body := member[e.Offset : e.Offset+e.Size]
	if !sameDigest(body, e.SHA256) {
		return nil, corruptError(file, m, nil, "%s: digest of the object differs", e.Key)
	}
	if err := checkHeader(member, e); err != nil {
		return nil, corruptError(file, m, err, "%s: index contradicts the tar entry", e.Key)
	}
	return body, nil
}

// inflateMember verifies the raw size too, so that no claim goes unchecked.
func (a *Archive) inflateMember(m int, b, buf []byte) ([]byte, error) {
	raw, err := a.gunzipMember(b, a.members[m].RawSize, buf)
	if err == nil && int64(len(raw)) != a.members[m].RawSize {
		err = fmt.Errorf("%d bytes uncompressed, directory says %d", len(raw), a.members[m].RawSize)
	}
	if err != nil {
		return nil, corruptError(a.files[m].data, m, err, "decompress")
	}
	return raw, nil
}

func (a *Archive) parseBlock(m int, b []byte) ([]Entry, error) {
	raw, err := a.gunzipMember(b, maxBlockBytes, nil)
	if err != nil {
		return nil, corruptError(a.files[m].blocks, m, err, "index block")
	}
	entries, err := parseBlock(raw, a.members[m])
	if err != nil {
		return nil, corruptError(a.files[m].blocks, m, err, "index block")
	}
	return entries, nil
}

func (a *Archive) readVerified(ctx context.Context, file string, m int, r Range) ([]byte, error) {
	b, err := a.readRange(ctx, nil, file, r.Offset, r.Size, r.Size)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != r.Size {
		return nil, corruptError(file, m, nil, "ends %d bytes early", r.Size-int64(len(b)))
	}
	if !sameDigest(b, r.SHA256) {
		return nil, corruptError(file, m, nil, "digest differs")
	}
	return b, nil
}

// readRange returns at most limit bytes, in buf if it has room; more is damage.
func (a *Archive) readRange(ctx context.Context, buf []byte, file string, off, n, limit int64) ([]byte, error) {
	r, err := a.src.ReadRange(ctx, file, off, n)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if want := min(n+1, 2*walkBytes); int64(cap(buf)) < want {
		buf = make([]byte, 0, want)
	}
	b, err := appendAll(buf[:0], r, limit+1)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if int64(len(b)) > limit {
		return nil, corruptError(file, NoMember, nil, "more than %d bytes", limit)
	}
	return b, nil
}

// appendAll reads until EOF or limit bytes. It grows with what arrives, not with
// what was promised.
func appendAll(dst []byte, r io.Reader, limit int64) ([]byte, error) {
	start := len(dst)
	for int64(len(dst)-start) < limit {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(32<<10, min(len(dst), 8<<20)))...)[:len(dst)]
		}
		room := min(int64(cap(dst)-len(dst)), limit-int64(len(dst)-start))
		n, err := r.Read(dst[len(dst) : len(dst)+int(room)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// inflater is a gzip reader with its input, pooled.
type inflater struct {
	gz gzip.Reader
	in bytes.Reader
}

// gunzipMember decompresses exactly one gzip member, at most limit bytes, into buf.
func (a *Archive) gunzipMember(b []byte, limit int64, buf []byte) ([]byte, error) {
	z := a.inflate.Get().(*inflater)
	defer a.inflate.Put(z)
	z.in.Reset(b)
	if err := z.gz.Reset(&z.in); err != nil {
		return nil, err
	}
	z.gz.Multistream(false)
	if want := sizeHint(b, limit); cap(buf) < want {
		buf = make([]byte, 0, want)
	}
	raw, err := appendAll(buf[:0], &z.gz, limit+1)
	switch {
	case err != nil:
		return nil, err
	case int64(len(raw)) > limit:
		return nil, fmt.Errorf("more than %d bytes uncompressed", limit)
	case z.in.Len() > 0:
		return nil, fmt.Errorf("%d bytes after the gzip member", z.in.Len())
	}
	return raw, nil
}

// sizeHint is how much room to make for the content of a gzip member: what its trailer says, and
// one byte more to see its end, but no more than 16 times the bytes that are there, since the
// trailer of hostile bytes may say anything.
func sizeHint(member []byte, limit int64) int {
	if len(member) < 4 {
		return 0
	}
	said := int64(binary.LittleEndian.Uint32(member[len(member)-4:]))
	return int(min(said, limit, 16*int64(len(member)))) + 1
}
