package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// Verify reads everything back: the digest of every file, member, index block
// and object, and that index and tar entries agree to the byte. progress, if not
// nil, gets the number of bytes read since its last call, one call at a time. The
// error names the first damage found.
func (a *Archive) Verify(ctx context.Context, progress func(bytes int64)) error {
	return a.VerifyFrom(ctx, 0, progress, func(_ int, damage error) error { return damage })
}

// VerifyFrom is Verify in steps, of which it leaves out the first ones. After each it calls
// done with the number of the next and with the damage that was found, an ErrCorrupt or nil;
// an error of done ends the verification. The steps of a backup are always the same.
func (a *Archive) VerifyFrom(ctx context.Context, first int, progress func(bytes int64), done func(next int, damage error) error) error {
	if progress == nil {
		progress = func(int64) {}
	}
	steps := a.verifySteps()
	for i := max(first, 0); i < len(steps); i++ {
		err := steps[i](ctx, progress)
		if err != nil && !IsDamaged(err) {
			return fmt.Errorf("verify: %w", err)
		}
		if err := done(i+1, err); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	return nil
}

// stepBytes is about how much of the tarball one step of a verification reads.
const stepBytes = 256 << 20

type verifyStep func(ctx context.Context, progress func(int64)) error

// verifySteps are the files that have a digest, the members, and the ends of the others.
func (a *Archive) verifySteps() (steps []verifyStep) {
	for _, f := range a.manifest.Files {
		if f.SHA256 != "" {
			steps = append(steps, func(ctx context.Context, progress func(int64)) error { return a.verifyFile(ctx, f, progress) })
		}
	}
	for next := 0; next < len(a.members); {
		from, size := next, int64(0)
		for next < len(a.members) && size < stepBytes {
			size += a.members[next].Size
			next++
		}
		to := next
		steps = append(steps, func(ctx context.Context, progress func(int64)) error { return a.verifyMembers(ctx, from, to, progress) })
	}
	for _, f := range a.manifest.Files {
		if f.TreeSHA256 != "" {
			steps = append(steps, func(ctx context.Context, _ func(int64)) error {
				return a.verifyEnd(ctx, layout.BackupDir(a.layout.Name)+f.Name, f.Size)
			})
		}
	}
	return steps
}

// verifyMembers works in several parts at once: decompression bounds it, not the
// store. Each part holds two buffers of walkBytes at most, hence no more than 4.
func (a *Archive) verifyMembers(ctx context.Context, from, to int, progress func(int64)) error {
	n, parts := to-from, min(runtime.GOMAXPROCS(0), 4)
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	for p := range parts {
		g.Go(func() error {
			return a.walkMembers(ctx, from+n*p/parts, from+n*(p+1)/parts, func(m int, entries []Entry, raw []byte) error {
				mu.Lock()
				progress(a.members[m].Size + a.members[m].Index.Size)
				mu.Unlock()
				return a.verifyMember(m, entries, raw)
			})
		})
	}
	return g.Wait()
}

func (a *Archive) verifyFile(ctx context.Context, f File, progress func(int64)) error {
	file := layout.BackupDir(a.layout.Name) + f.Name
	r, err := a.src.ReadRange(ctx, file, 0, -1)
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, f.Size+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	progress(n)
	if n != f.Size {
		return corruptError(file, NoMember, nil, "%d bytes or more, manifest says %d", n, f.Size)
	}
	if hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
		return corruptError(file, NoMember, nil, "digest differs")
	}
	return nil
}

// CheckTarball reads a copy of the tarball and holds it against the manifest: every member by
// its digest, and that nothing is missing or follows. Damage is ErrCorrupt.
func (a *Archive) CheckTarball(r io.Reader) error {
	file := a.layout.Tarball()
	for m, member := range a.members {
		h := sha256.New()
		n, err := io.CopyN(h, r, member.Size)
		switch {
		case errors.Is(err, io.EOF):
			return corruptError(file, m, nil, "ends %d bytes early", member.Size-n)
		case err != nil:
			return fmt.Errorf("read %s: %w", file, err)
		case hex.EncodeToString(h.Sum(nil)) != member.SHA256:
			return corruptError(file, m, nil, "digest differs")
		}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, 1))
	if err == nil && n > 0 {
		err = corruptError(file, NoMember, nil, "more than the %d bytes that the manifest says", a.manifest.Totals.TarballBytes)
	}
	return err
}

// verifyEnd makes sure that nothing follows the verified bytes.
func (a *Archive) verifyEnd(ctx context.Context, file string, size int64) error {
	b, err := a.readRange(ctx, nil, file, size, 1, 1)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		return corruptError(file, NoMember, nil, "more than the %d bytes that the manifest says", size)
	}
	return nil
}

// verifyMember compares the tar entries, one by one, with the index.
func (a *Archive) verifyMember(m int, entries []Entry, raw []byte) error {
	c := comparer{raw: raw, in: bytes.NewReader(raw)}
	c.t = tar.NewReader(c.in)
	err := func() error {
		if len(entries) == 0 {
			return a.verifyFrame(m, raw)
		}
		for _, e := range entries {
			if err := c.checkCopies(e); err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
		}
		return c.checkEnd()
	}()
	if err != nil {
		return corruptError(a.files[m].data, m, err, "index contradicts the tar entries")
	}
	return nil
}

// verifyFrame checks the members without objects: the header and the trailer.
func (a *Archive) verifyFrame(m int, raw []byte) error {
	if m == len(a.members)-1 {
		if len(raw) != trailerLen || len(bytes.Trim(raw, "\x00")) > 0 {
			return fmt.Errorf("not the end of a tar archive")
		}
		return nil
	}
	t := tar.NewReader(bytes.NewReader(raw))
	h, err := t.Next()
	if err != nil {
		return err
	}
	if m != 0 || h.Name != tarVersionPath {
		return fmt.Errorf("tar entry %.200q is not in the index", h.Name)
	}
	return nil
}
