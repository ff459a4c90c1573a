package store_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Keys that nothing of ours can have are passed over in a listing, whatever somebody has put there:
// they neither fail it nor get into names.
func TestListPassesOverOddKeys(t *testing.T) {
	rec := newRecorder(t)
	rec.answer = func(w http.ResponseWriter, r request) bool {
		if r.op != "ListObjectsV2" {
			return false
		}
		var out strings.Builder
		for _, name := range []string{"../up", "a&#x7f;b", "good", "x/./y", "x/../../y", strings.Repeat("n", 1100), "zeta"} {
			if strings.Contains(r.query, "delimiter") {
				fmt.Fprintf(&out, "<CommonPrefixes><Prefix>backups/%s/</Prefix></CommonPrefixes>", name)
			} else {
				fmt.Fprintf(&out, "<Contents><Key>backups/%s</Key><Size>1</Size></Contents>", name)
			}
		}
		fmt.Fprintf(w, "<ListBucketResult>%s</ListBucketResult>", out.String())
		return true
	}
	s := rec.open(t, nil)
	var keys []string
	if err := s.List(t.Context(), "backups/", func(i store.Info) error { keys = append(keys, i.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"backups/good", "backups/zeta"}; !slices.Equal(keys, want) {
		t.Errorf("listed %.200q, want %q", keys, want)
	}
	dirs, err := s.Dirs(t.Context(), "backups/")
	if want := []string{"good", "zeta"}; err != nil || !slices.Equal(dirs, want) {
		t.Errorf("directories %.200q, %v, want %q", dirs, err, want)
	}
}
