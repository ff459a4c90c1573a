package beside

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func verified(uid string, at time.Time, damage ...string) *Verification {
	v := &Verification{Name: "b", UID: uid, At: at, Bytes: 7, Digests: true}
	for _, d := range damage {
		v.AddDamage(d, "gone")
	}
	return v
}

// The newest verification of the backup of that UID counts; older ones are removed, and say
// nothing when somebody puts them back.
func TestNewestVerificationCounts(t *testing.T) {
	st, at := memstore.New(), time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	older := verified("u", at)
	if err := older.Write(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	replayed, _ := st.Object(older.key())
	newer := verified("u", at.Add(time.Minute), "file")
	if err := newer.Write(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if st.Has(older.key()) || len(st.Keys()) != 1 {
		t.Errorf("left: %q", st.Keys())
	}
	st.Set(older.key(), replayed)
	st.Set(verified("u", time.Now().Add(48*time.Hour)).key(), replayed) // from the future
	st.Set(verified("other", at.Add(2*time.Minute)).key(), replayed)    // of another backup of the name
	v, err := ReadVerification(t.Context(), st, "b", "u")
	if err != nil || v == nil || !v.IsCorrupt() || !v.At.Equal(newer.At) {
		t.Errorf("%+v, %v", v, err)
	}
}

// A document that is damaged takes nothing back of what its key says, and what it holds beyond
// the bounds is cut.
func TestDamagedVerification(t *testing.T) {
	st, v := memstore.New(), verified("u", time.Unix(1_700_000_000, 0), "file")
	if err := v.Write(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"{", `{"name":"c","uid":"u"}`, `{"name":"b","uid":"u","at":"2020-01-01T00:00:00Z"}`, strings.Repeat(" ", 4<<20+1)} {
		st.Set(v.key(), []byte(body))
		got, err := ReadVerification(t.Context(), st, "b", "u")
		if err != nil || got == nil || !got.IsCorrupt() || !strings.Contains(got.Damage[0].Found, "cannot be read") {
			t.Errorf("%.40s: %+v, %v", body, got, err)
		}
	}
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf(`{"what":"f%d","found":%q}`, i, strings.Repeat("x", 1000)))
	}
	st.Set(v.key(), fmt.Appendf(nil, `{"name":"b","uid":"u","at":"2023-11-14T22:13:20Z","damage":[%s]}`, strings.Join(many, ",")))
	got, err := ReadVerification(t.Context(), st, "b", "u")
	if err != nil || len(got.Damage) != findingsNamed || got.More != 400 || len(got.Damage[0].Found) > longestFinding+3 {
		t.Errorf("%d findings, %d more, %v", len(got.Damage), got.More, err)
	}
}

// FuzzVerification reads documents that anybody may have written.
func FuzzVerification(f *testing.F) {
	f.Add([]byte(`{"name":"b","uid":"u","at":"2023-11-14T22:13:20Z","damage":[{"what":"f","found":"x"}],"unchecked":["x"],"more":-5}`))
	f.Add([]byte(`{"name":"b","uid":"u","at":"9999-11-14T22:13:20Z"}`))
	f.Add([]byte(`null`))
	key := verified("u", time.Unix(1_700_000_000, 0), "x").key()
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ReadVerification(t.Context(), memstore.New(memstore.WithObjects(map[string][]byte{key: body})), "b", "u")
		if err != nil || v == nil || !v.IsCorrupt() || v.Name != "b" || v.UID != "u" || len(v.Damage) > findingsNamed || len(v.Unchecked) > findingsNamed || v.More < 0 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}
