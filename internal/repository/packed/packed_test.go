package packed

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// pack is text, then more of it n times, then its end, compressed.
func pack(t testing.TB, begin, more string, n int, end string) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	chunk := strings.Repeat(more, 1000)
	_, _ = zw.Write([]byte(begin)) // a buffer takes all
	for range n / 1000 {
		_, _ = zw.Write([]byte(chunk))
	}
	_, _ = zw.Write([]byte(strings.Repeat(more, n%1000) + end))
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpackList(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []byte
		want []int
		ok   bool
	}{
		"entries":      {pack(t, "[", "1,", 2, "2]"), []int{1, 1, 2}, true},
		"cut at once":  {pack(t, "[", "1,", 2, "2]")[:12], nil, false},
		"without end":  {pack(t, "[", "1,", 5000, "2]")[:20], nil, false},
		"none":         {pack(t, "[]", "", 0, ""), nil, true},
		"null":         {pack(t, "null", "", 0, ""), nil, true},
		"an object":    {pack(t, "{}", "", 0, ""), nil, false},
		"another kind": {pack(t, `["a"]`, "", 0, ""), nil, false},
		"cut off":      {pack(t, "[1,2", "", 0, ""), nil, false},
		"nothing":      {pack(t, "", "", 0, ""), nil, false},
		"not packed":   {[]byte("[1]"), nil, false},
	} {
		got, err := DecodeList[int](tc.in)
		if (err == nil) != tc.ok || tc.ok && !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A small file that expands to very many values, or to one that is very long, is refused before
// it takes memory.
func TestUnpackBombs(t *testing.T) {
	const most = 400 << 20 // bytes taken in all: of a buffer that grows by doubling half is garbage
	for name, in := range map[string][]byte{
		"empty entries": pack(t, "[", "{},", 150_000, "{}]"),
		"one string":    pack(t, `["`, "aaaaaaaaaa", 7_000_000, `"]`),
		"spaces":        pack(t, "", "          ", 7_000_000, "[]"),
		"fields":        pack(t, `{"errors":{`, `"a":[],`, 400_000, `"b":[]}}`),
		"nested":        pack(t, "", "[", 1_200_000, ""),
	} {
		for form, decode := range map[string]func() error{
			"list": func() error { _, err := DecodeList[snapshotv1.VolumeSnapshotContent](in); return err },
			"document": func() error {
				var doc map[string]map[string]any
				return Decode(in, &doc)
			},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := decode()
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s as a %s: decoded", name, form)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > most {
				t.Errorf("%s as a %s: %d MiB, %v", name, form, taken>>20, err)
			}
			if name != "nested" && !errors.Is(err, archive.ErrHostile) && !strings.Contains(err.Error(), "it is no list") && !strings.Contains(err.Error(), "cannot unmarshal") {
				t.Errorf("%s as a %s: %v", name, form, err)
			}
		}
	}
}
