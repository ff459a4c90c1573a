// Package drills keeps the evidence of restore drills in the bucket (docs/FORMAT.md, section
// 10): one file a drill, numbered in the order of the cluster's chain, written once.
package drills

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

const (
	suffix = ".json"
	// readAtOnce is how many files List reads at the same time: most have some 50 KB.
	readAtOnce = 8
)

// File is the evidence of one drill, as it is stored.
type File struct {
	Sequence int64
	Key      string
	Content  []byte
	Evidence evidence.Evidence
	// Damage is why the file cannot be read as evidence; Evidence is empty then. Only List gives
	// such files: one of them hides no other.
	Damage error
}

// Key is the key of the evidence of a drill by its number in the chain of the cluster.
func Key(cluster string, sequence int64) string {
	return fmt.Sprintf("%s%08d%s", layout.DrillDir(cluster), sequence, suffix)
}

// parseKey is the inverse of Key; false for any other key.
func parseKey(cluster, key string) (int64, bool) {
	name, ok := strings.CutPrefix(key, layout.DrillDir(cluster))
	name, isJSON := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseInt(name, 10, 64)
	return n, ok && isJSON && err == nil && n > 0 && Key(cluster, n) == key
}

// Last is the evidence of the last drill of a cluster, nil if there was none.
func Last(ctx context.Context, st store.Store, cluster string) (*File, error) {
	all, err := numbers(ctx, st, cluster)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return Read(ctx, st, cluster, all[len(all)-1])
}

// List gives what of makes of the last drills of a cluster, the newest first, at most limit. The
// files themselves are not kept: each may have 8 MiB.
func List[T any](ctx context.Context, st store.Store, cluster string, limit int, of func(*File) T) ([]T, error) {
	all, err := numbers(ctx, st, cluster)
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	all = all[:min(len(all), limit)]
	rows := make([]T, len(all))
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(readAtOnce)
	for i, n := range all {
		group.Go(func() error {
			f, err := Read(limited, st, cluster, n)
			if archive.IsDamaged(err) {
				f, err = &File{Sequence: n, Key: Key(cluster, n), Damage: err}, nil
			}
			if err == nil {
				rows[i] = of(f)
			}
			return err
		})
	}
	return rows, group.Wait()
}

// LastPassed is the newest drill of a cluster that has passed, nil if none has. Each file tells how
// the drills right before it ended: of a long row of failures few are read. most is how many files
// are.
func LastPassed(ctx context.Context, st store.Store, cluster string, most int) (*File, error) {
	var passed *File
	failed := map[int64]bool{}
	err := eachNewest(ctx, st, cluster, most, failed, func(f *File) (enough bool) {
		p := &f.Evidence.Statement.Predicate
		if p.Claim.Verdict == evidence.Passed {
			passed = f
			return true
		}
		for _, past := range p.Past {
			failed[int64(past.Sequence)] = past.Verdict == evidence.Failed
		}
		return false
	})
	return passed, err
}

// eachNewest reads at most most drills of a cluster, the newest first and without those to skip, until fn
// has seen enough. A damaged one tells nothing.
func eachNewest(ctx context.Context, st store.Store, cluster string, most int, skip map[int64]bool, fn func(*File) (enough bool)) error {
	all, err := numbers(ctx, st, cluster)
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(all) {
		if skip[n] {
			continue
		}
		if most--; most < 0 {
			return nil
		}
		f, err := Read(ctx, st, cluster, n)
		switch {
		case archive.IsDamaged(err):
		case err != nil:
			return err
		case fn(f):
			return nil
		}
	}
	return nil
}

// LastOf is the newest drill of a cluster of which is says so, nil where there is none. At most most
// files are read.
func LastOf(ctx context.Context, st store.Store, cluster string, most int, is func(*evidence.Predicate) bool) (last *File, err error) {
	err = eachNewest(ctx, st, cluster, most, nil, func(f *File) (enough bool) {
		if is(&f.Evidence.Statement.Predicate) {
			last = f
		}
		return last != nil
	})
	return last, err
}

// LastOfSchedule is the newest drill of a schedule that was asked for at since or later, nil where
// there is none. At most most files are read.
func LastOfSchedule(ctx context.Context, st store.Store, cluster, schedule string, since time.Time, most int) (*File, error) {
	var last *File
	err := eachNewest(ctx, st, cluster, most, nil, func(f *File) (enough bool) {
		p := &f.Evidence.Statement.Predicate
		isLater := !p.Drill.Asked.Time().Before(since)
		if isLater && p.Chain.Schedule == schedule {
			last = f
		}
		return !isLater || last != nil
	})
	return last, err
}

// Location is where the evidence of the cluster's drills lies: the location for results, or the
// default one if it may be written to, or the first that may; nil where none may.
func Location(ctx context.Context, l *repository.Locations) (*velerov1.BackupStorageLocation, store.Store, error) {
	cfg := l.Config()
	names := []string{cfg.ResultsLocation}
	for _, bsl := range cfg.BackupStorageLocations {
		if bsl.Spec.Default {
			names = append(names, bsl.Name)
		}
	}
	for _, bsl := range cfg.BackupStorageLocations {
		names = append(names, bsl.Name)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		bsl, st, err := l.Writable(ctx, name)
		if failure.TypeOf(err) == "" {
			return bsl, st, err
		}
	}
	return nil, nil, nil
}

// Read reads the evidence of a drill. Who signed it is not asked: whoever is to be convinced
// checks that. Evidence that is not in its form is archive.ErrCorrupt.
func Read(ctx context.Context, st store.Store, cluster string, sequence int64) (*File, error) {
	f := &File{Sequence: sequence, Key: Key(cluster, sequence)}
	var err error
	if f.Content, err = repository.GetBytes(ctx, st, f.Key); err != nil {
		return nil, err
	}
	if f.Evidence, err = evidence.Read(f.Content); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", f.Key, archive.ErrCorrupt, err)
	}
	return f, nil
}

// Write writes the evidence of a drill, once: another of that number is store.ErrExists.
func Write(ctx context.Context, st store.Store, cluster string, sequence int64, content []byte) error {
	key := Key(cluster, sequence)
	err := st.Put(ctx, key, content, store.PutOptions{IfAbsent: true, ContentType: "application/json"})
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// numbers are those of the drills of which there is evidence, in their order.
func numbers(ctx context.Context, st store.Store, cluster string) (all []int64, err error) {
	err = st.List(ctx, layout.DrillDir(cluster), func(i store.Info) error {
		if n, ok := parseKey(cluster, i.Key); ok {
			all = append(all, n)
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("list drills: %w", err)
	}
	return all, nil
}
