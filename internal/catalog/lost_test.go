package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
)

// TestUnreadOnce: a location that neither of two backups could be sought in is told of once.
func TestUnreadOnce(t *testing.T) {
	away, east := contract.UnreadLocation{Name: "away", Message: "no such host"}, contract.UnreadLocation{Name: "east", Message: "denied"}
	if got := unionOf([]contract.UnreadLocation{away}, []contract.UnreadLocation{away, east}); !slices.Equal(got, []contract.UnreadLocation{away, east}) {
		t.Errorf("%v", got)
	}
}

// TestLostBackup: a backup whose document was deleted is listed as corrupt once a verification has found
// that, as long as no deletion removes it; whoever asks for it is told what is wrong.
func TestLostBackup(t *testing.T) {
	st := repositorytest.Holding("good", "lost")
	c, lost := readerOver(repositorytest.Stores{"default": st}), layout.Backup{Name: "lost"}
	st.Set(lost.Manifest(), []byte("{")) // not even that can be read
	st.Remove(lost.Metadata())
	phases := func() (all []string) {
		rows, _ := readAll(t, c, contract.ReadInput{})
		for _, r := range rows {
			all = append(all, r.Name+" "+r.Phase)
		}
		return all
	}
	if got := phases(); len(got) != 1 {
		t.Errorf("before a verification: %q", got)
	}
	v := beside.Verification{Name: "lost", At: time.Now().UTC()}
	v.AddDamage(lost.Metadata(), "the file is missing")
	if err := v.Write(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if got := phases(); len(got) != 2 || got[1] != "lost Corrupt" {
		t.Errorf("after it: %q", got)
	}
	_, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "lost"})
	if failure.TypeOf(err) != contract.ErrTypeNotFound || !strings.Contains(err.Error(), `backup "lost": its document `+lost.Metadata()+` was deleted from storage location default`) {
		t.Errorf("%v", err)
	}
	if _, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "none"}); err == nil || strings.Contains(err.Error(), "was deleted") {
		t.Errorf("%v", err)
	}
	st.Set(layout.Tombstone("lost"), []byte("{}"))
	if got := phases(); len(got) != 1 {
		t.Errorf("in a deletion: %q", got)
	}
}
