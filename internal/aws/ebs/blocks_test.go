package ebs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const block = 512 << 10

// write gives a file of a volume n blocks of content.
func (w *world) write(v Volume, name string, n int, content byte) {
	w.t.Helper()
	dir, err := w.VolumeDir(v.ID)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte{content}, n*block), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestBlocksOfSnapshots(t *testing.T) {
	inWorld(t, ebssim.Fast(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		take := func(uid string) Snapshot {
			time.Sleep(time.Minute)
			s, err := l.Snapshot(t.Context(), uid, requestOf(uid, v, "pv"))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			return s
		}
		w.write(v, "data", 40, 1)
		first := take("1")
		w.write(v, "data", 40, 2)
		w.write(v, "more", 3, 1)
		second := take("2")
		w.write(v, "data", 1, 2)
		third := take("3")

		want := func(what string, got int64, err error, blocks int64) {
			t.Helper()
			if err != nil || got != blocks*block {
				t.Errorf("%s: %d blocks, want %d: %v", what, got/block, blocks, err)
			}
		}
		n, err := l.BlockBytes(t.Context(), first.ID)
		want("first", n, err, 40)
		n, err = l.ChangedBytes(t.Context(), first.ID, second.ID)
		want("second", n, err, 43)
		n, err = l.ChangedBytes(t.Context(), second.ID, third.ID)
		want("third, which only lacks some", n, err, 0)

		chain, err := l.OwnSnapshotsOf(t.Context(), []string{v.ID})
		if err != nil || len(chain) != 3 || chain[0].ID != first.ID || chain[2].ID != third.ID {
			t.Errorf("the chain is %v: %v", chain, err)
		}
		if _, err := l.BlockBytes(t.Context(), "snap-0"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no snapshot: %v", err)
		}
	})
}

// TestManyBlocks: more than fit on a page.
func TestManyBlocks(t *testing.T) {
	inWorld(t, ebssim.Fast(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		dir, err := w.VolumeDir(v.ID)
		for i := range 620 { // small files have a block each
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte{1}, 0o600))
		}
		if err == nil {
			err = os.Remove(filepath.Join(dir, "data"))
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Snapshot(t.Context(), uid, request(v, "pv"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n, err := l.BlockBytes(t.Context(), s.ID); err != nil || n != 620*block {
			t.Errorf("%d blocks: %v", n/block, err)
		}
	})
}

func readOneBlock(ctx context.Context, l *Location, snapshot string) error {
	blocks, err := l.SomeBlocks(ctx, snapshot, 0)
	if err != nil || len(blocks) == 0 {
		return fmt.Errorf("no blocks: %w", err)
	}
	_, err = l.ReadBlock(ctx, snapshot, blocks[len(blocks)-1])
	return err
}

// flipped changes a bit of each block on its way.
type flipped struct{ wire }

func (f flipped) Do(r *http.Request) (*http.Response, error) {
	res, err := f.wire.Do(r)
	if err != nil || res.Header.Get("X-Amz-Checksum") == "" {
		return res, err
	}
	data, err := io.ReadAll(res.Body)
	data[len(data)/2] ^= 1
	res.Body = io.NopCloser(bytes.NewReader(data))
	return res, err
}

// TestReadBlock: a block is held against the sum that EBS tells with it.
func TestReadBlock(t *testing.T) {
	inWorld(t, ebssim.Fast(), nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		w.write(v, "data", 3, 7)
		s, err := l.Snapshot(t.Context(), uid, request(v, "pv"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		blocks, err := l.SomeBlocks(t.Context(), s.ID, 1)
		if err != nil || len(blocks) != 2 || blocks[0].Index != 1 {
			t.Fatalf("%v %v", blocks, err)
		}
		if n, err := l.ReadBlock(t.Context(), s.ID, blocks[1]); err != nil || n != block {
			t.Errorf("%d bytes: %v", n, err)
		}
		damaging := w.open("AKIALIFEBOAT", "lifeboat-secret", Options{HTTP: flipped{wire{w.Sim}}})
		if _, err := damaging.ReadBlock(t.Context(), s.ID, blocks[1]); !errors.Is(err, ErrBlock) {
			t.Errorf("a damaged block: %v", err)
		}
		if _, err := l.ReadBlock(t.Context(), "snap-0", blocks[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("no snapshot: %v", err)
		}
	})
}

func TestBlocksMayBeDenied(t *testing.T) {
	policy := json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`)
	inWorld(t, ebssim.Fast(), []json.RawMessage{policy}, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		s, err := l.Snapshot(t.Context(), uid, request(v, "pv"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := l.BlockBytes(t.Context(), s.ID); !errors.Is(err, ErrDenied) {
			t.Errorf("got %v", err)
		}
		if _, err := l.ReadBlock(t.Context(), s.ID, Block{}); !errors.Is(err, ErrDenied) || !IsPermanent(err) {
			t.Errorf("got %v", err)
		}
	})
}

// TestBlocksAreThrottled: the EBS direct APIs have limits of their own.
func TestBlocksAreThrottled(t *testing.T) {
	limits := ebssim.Fast()
	limits.Buckets = map[string]ebssim.Bucket{"ListSnapshotBlocks": {Size: 1, Refill: 0.5}}
	inWorld(t, limits, nil, func(t *testing.T, w *world) {
		l, v := w.location(), w.volumes(1)[0]
		s, err := l.Snapshot(t.Context(), uid, request(v, "pv"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for range 5 {
			if _, err := l.BlockBytes(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestReadEncryptedBlock: EBS decrypts blocks on the caller's behalf. The roles that verify backups can
// have it do so under a key that their policy names, and no other.
func TestReadEncryptedBlock(t *testing.T) {
	for _, role := range []iam.Role{iam.All, iam.Backup} {
		for _, keys := range [][]string{{keyOfVolumes}, nil} {
			d, err := iam.Policy(iam.Options{Role: role, Bucket: "example-backups", Prefix: "production", VolumeKeys: keys})
			if err != nil {
				t.Fatal(err)
			}
			inWorld(t, slow(), policies(t, d), func(t *testing.T, w *world) {
				s := w.encryptedSnapshot()
				err := readOneBlock(t.Context(), w.location(), s.ID)
				if keys != nil && err != nil || keys == nil && !errors.Is(err, ErrDenied) {
					t.Errorf("role %s with %d keys: %v", role, len(keys), err)
				}
			})
		}
	}
}
