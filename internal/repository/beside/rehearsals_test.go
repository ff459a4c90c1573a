package beside_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func rehearsal(backup, uid, asked, level string) contract.RehearsalResult {
	return contract.RehearsalResult{Backup: backup, UID: uid, Asked: asked, Level: level}
}

// The last result of each version counts, of the backup of that UID only; a listing tells the
// level without reading any.
func TestRehearsals(t *testing.T) {
	st := memstore.New()
	for _, r := range []contract.RehearsalResult{
		rehearsal("a", "u1", "", ""), rehearsal("a", "u1", "", "L2"), rehearsal("a", "u1", "1.38", "L0"), rehearsal("a", "u0", "", "L1"),
		rehearsal("a-b", "u2", "", "L1"), rehearsal("b", "u3", "", ""), rehearsal("c", "u4", "1.38", "L2"),
	} {
		if err := beside.WriteRehearsal(t.Context(), st, r); err != nil {
			t.Fatal(err)
		}
	}
	st.Set(layout.RehearsalDir("a")+"u1+1.39.L2.json", []byte("{"))
	st.Set(layout.RehearsalRoot+"stray.json", []byte("{}"))
	got, err := beside.ReadRehearsals(t.Context(), st, "a", "u1")
	if err != nil || len(got) != 2 || got[0].Level != "L2" || got[0].Asked != "" || got[1].Asked != "1.38" {
		t.Errorf("%+v, %v", got, err)
	}
	proofs, err := repository.ListProofs(t.Context(), st)
	if err != nil || len(proofs) != 3 || proofs["a-b"].Level != "L1" || proofs["b"].Level != "" || proofs["b"].UID != "u3" {
		t.Errorf("%+v, %v", proofs, err)
	}
	if err := beside.ForgetDeletion(t.Context(), st, "a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := beside.ReadRehearsals(t.Context(), st, "a", "u1"); len(got) > 0 {
		t.Errorf("still there: %+v", got)
	}
	if got, _ := beside.ReadRehearsals(t.Context(), st, "a-b", "u2"); len(got) != 1 {
		t.Errorf("another backup's: %+v", got)
	}
}
