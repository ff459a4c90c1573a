package repository

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// The newest verdict on the backup of that UID counts, in a listing too.
func TestNewestVerdictCounts(t *testing.T) {
	st, at := memstore.New(), time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	st.Set(VerdictKey("b", "u", at, false), nil)
	st.Set(VerdictKey("b", "u", at.Add(time.Minute), true), nil)
	st.Set(VerdictKey("b", "u", time.Now().Add(48*time.Hour), false), nil) // from the future
	st.Set(VerdictKey("b", "other", at.Add(2*time.Minute), false), nil)    // of another backup of the name
	isCorrupt, err := CorruptBackups(t.Context(), st)
	if err != nil || !isCorrupt("b", "u") || isCorrupt("b", "other") || isCorrupt("b", "third") {
		t.Errorf("%v", err)
	}
	entries := []BackupEntry{{Name: "b", UID: "u"}, {Name: "b", UID: "third"}, {Name: "c", UID: "u"}}
	all, err := readVerdicts(t.Context(), st, "", "")
	all.mark(entries)
	if err != nil || !entries[0].Corrupt || !entries[0].Verified.Equal(at.Add(time.Minute)) || entries[1].Corrupt || !entries[2].Verified.IsZero() {
		t.Errorf("%+v, %v", entries, err)
	}
}

// A page of backups reads the verdicts of its names only.
func TestVerdictsOfAPage(t *testing.T) {
	st := memstore.New()
	for _, name := range []string{"a", "a-b", "a.b", "b", "c"} {
		st.Set(VerdictKey(name, "u", time.Unix(1_700_000_000, 0), false), nil)
	}
	for after, want := range map[string]string{"": "a,a-b,a.b,b,c", "a-b": "a,a.b,b,c", "a": "b,c", "c": ""} {
		all, err := readVerdicts(t.Context(), st, after, "")
		if got := namesOfVerdicts(all); err != nil || got != want {
			t.Errorf("after %q: %s, want %s, %v", after, got, want, err)
		}
	}
	if all, err := readVerdicts(t.Context(), st, "a-b", "a"); err != nil || namesOfVerdicts(all) != "a,a.b" {
		t.Errorf("%v, %v", all, err)
	}
}

// A page of backups reads what is proven of its names only, and takes nothing for a backup that
// was proven of an earlier one of the name.
func TestProofsOfAPage(t *testing.T) {
	st := memstore.New()
	for _, name := range []string{"a", "a-b", "a.b", "b", "c"} {
		st.Set(layout.RehearsalKey(name, "u", "", "L2"), nil)
	}
	for _, tc := range []struct{ after, last, want string }{
		{"", "", "a,a-b,a.b,b,c"}, {"a-b", "", "a,a.b,b,c"}, {"a", "", "b,c"}, {"c", "", ""}, {"a-b", "a", "a,a.b"}, {"", "b", "a,a-b,a.b,b"},
	} {
		ahead, err := readAhead(t.Context(), st, layout.RehearsalRoot, startBehind(layout.RehearsalRoot, tc.after))
		if err != nil {
			t.Fatal(err)
		}
		proofs, err := proofsOf(t.Context(), st, ahead, tc.last)
		if got := strings.Join(slices.Sorted(maps.Keys(proofs)), ","); err != nil || got != tc.want {
			t.Errorf("after %q up to %q: %s, want %s, %v", tc.after, tc.last, got, tc.want, err)
		}
		entries := []BackupEntry{{Name: "a", UID: "u"}, {Name: "a", UID: "later"}}
		if markProofs(entries, proofs); strings.HasPrefix(tc.want, "a,") && entries[0].Proof.Level != "L2" || !entries[1].Proof.At.IsZero() {
			t.Errorf("%+v", entries)
		}
	}
}

// What lies behind the keys that were read ahead is read up to where it is wanted.
func TestKeysAheadGoOn(t *testing.T) {
	st := memstore.New()
	for i := range 2*keysPerRequest + 7 {
		st.Set(fmt.Sprintf("%s%05d", layout.RehearsalRoot, i), nil)
	}
	for _, most := range []int{1, keysPerRequest, keysPerRequest + 1, 2*keysPerRequest + 7} {
		ahead, err := readAhead(t.Context(), st, layout.RehearsalRoot, "")
		if err != nil || len(ahead.keys) != keysPerRequest {
			t.Fatalf("%d keys, %v", len(ahead.keys), err)
		}
		var got []string
		err = ahead.each(t.Context(), st, func(i store.Info) error {
			if len(got) == most {
				return errPageFull
			}
			got = append(got, i.Key)
			return nil
		})
		if err != nil || len(got) != most || !slices.IsSorted(got) || len(slices.Compact(got)) != most {
			t.Errorf("%d of %d keys, %v", len(got), most, err)
		}
	}
}

func namesOfVerdicts(all verdicts) string {
	var names []string
	for _, name := range []string{"a", "a-b", "a.b", "b", "c"} {
		if _, ok := all[[2]string{name, uidDigest("u")}]; ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// FuzzVerdict reads keys that anybody may have written: what is taken for a verdict is of a
// backup that can be named, and not of the future.
func FuzzVerdict(f *testing.F) {
	f.Add(VerdictKey("b", "u", time.Unix(1_700_000_000, 0), false))
	f.Add(VerdictKey("b", "u", time.Unix(1_700_000_000, 0), true))
	f.Add(layout.VerificationRoot + "../" + strings.Repeat("0", 16) + "-1700000000-good.json")
	f.Add(layout.VerificationRoot + "b/" + strings.Repeat("0", 16) + "-9999999999-good.json")
	f.Fuzz(func(t *testing.T, key string) {
		d, ok := parseVerdict(key)
		if !ok {
			return
		}
		if archive.ValidateBackupName(d.backup) != nil || d.At.After(time.Now().Add(clockSkew)) || !strings.HasPrefix(key, layout.VerificationDir(d.backup)) {
			t.Errorf("%+v", d)
		}
	})
}
