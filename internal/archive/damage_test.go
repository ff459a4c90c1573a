package archive_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// Damage of any member is found, in its data as in its index block; left out, it costs the
// objects of that member alone, for every reader.
func TestDamagedMembersAreLeftOut(t *testing.T) {
	src, l := newArchive(t, archive.Limits{MemberObjects: 2, MemberBytes: 1 << 20, ChunkBytes: 1 << 20}, sample(9))
	whole, err := archive.Open(t.Context(), src, l)
	if err != nil {
		t.Fatal(err)
	}
	for m, member := range whole.Members() {
		damageAndLeaveOut(t, src, whole, m, l.Tarball(), member.Offset+member.Size/2)
		if member.Objects > 0 {
			damageAndLeaveOut(t, src, whole, m, l.Index(), member.Index.Offset+member.Index.Size/2)
		}
	}
}

func damageAndLeaveOut(t *testing.T, src *memory, whole *archive.Archive, m int, file string, at int64) {
	t.Helper()
	good := src.files[file]
	lost, err := whole.Entries(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[at] ^= 1
	src.files[file] = bad
	defer func() { src.files[file] = good }()
	a, err := archive.Open(t.Context(), src, layoutOf(whole))
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	damaged, err := a.FindDamaged(t.Context(), func(n int64) { read += n })
	if err != nil || len(damaged) != 1 || !errors.Is(damaged[m], archive.ErrCorrupt) || read == 0 {
		t.Fatalf("member %d: %v, %v, %d bytes", m, damaged, err, read)
	}
	a.LeaveOut([]int{m})
	count := int64(0)
	err = a.Walk(t.Context(), 0, len(a.Members()), func(_ int, e archive.Entry, _ []byte) error {
		if slices.ContainsFunc(lost, func(l archive.Entry) bool { return l.Key == e.Key }) {
			t.Errorf("%s is left out and was read", e.Key)
		}
		count++
		return nil
	})
	if want := a.Manifest().Totals.Objects - int64(len(lost)); err != nil || count != want {
		t.Errorf("without member %d: %d objects, want %d; %v", m, count, want, err)
	}
	for _, e := range lost {
		if _, _, err := a.Lookup(t.Context(), e.Key); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("look up %s: %v", e.Key, err)
		}
		e.Version = ""
		if found, err := a.Find(t.Context(), []archive.Key{e.Key}); err != nil || len(found) > 0 {
			t.Errorf("find %s: %v, %v", e.Key, found, err)
		}
	}
	checkLeftOut(t, a, m, lost, file == layoutOf(a).Index())
}

// checkLeftOut wants the keys of what is lost, or that they cannot be read.
func checkLeftOut(t *testing.T, a *archive.Archive, m int, lost []archive.Entry, unreadable bool) {
	t.Helper()
	calls := 0
	err := a.LeftOut(t.Context(), func(got int, entries []archive.Entry, damage error) error {
		calls++
		if got != m || errors.Is(damage, archive.ErrCorrupt) != unreadable || !unreadable && !slices.Equal(entries, lost) {
			t.Errorf("member %d: %d entries, %v", got, len(entries), damage)
		}
		return nil
	})
	if err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func layoutOf(a *archive.Archive) layout.Backup { return layout.Backup{Name: a.Manifest().Backup} }
