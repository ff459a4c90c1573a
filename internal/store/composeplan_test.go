package store

import (
	"bytes"
	"testing"
)

func TestPlanPieces(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	stored := func(n int64) Part { return Part{Key: "s", Size: n} }
	inline := func(n int) Part { return Part{Inline: make([]byte, n)} }
	for name, tt := range map[string]struct {
		parts  []Part
		copies int
		total  int
	}{
		"nothing":                {nil, 0, 0},
		"small":                  {[]Part{stored(10), inline(10)}, 0, 1},
		"copy":                   {[]Part{stored(8 * mib)}, 1, 1},
		"all copies":             {[]Part{stored(8 * mib), stored(6 * mib), stored(9 * mib)}, 3, 3},
		"5 MiB is not copied":    {[]Part{stored(5 * mib)}, 0, 1},
		"tail":                   {[]Part{stored(8 * mib), inline(5)}, 1, 2},
		"borrow from the next":   {[]Part{inline(5), stored(20 * mib)}, 1, 2},
		"nothing left to borrow": {[]Part{inline(5), stored(6 * mib)}, 0, 1},
		"full buffer, then copy": {[]Part{inline(5 * mib), stored(6 * mib)}, 1, 2},
		"huge":                   {[]Part{stored(3*maxCopy + 10)}, 4, 4},
		"big inline":             {[]Part{inline(20 * mib)}, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pieces := planPieces(tt.parts, true)
			checkPieces(t, tt.parts, pieces)
			copies := 0
			for _, p := range pieces {
				if p.copied.Key != "" {
					copies++
				}
			}
			if copies != tt.copies || len(pieces) != tt.total {
				t.Errorf("%d copies of %d pieces, want %d of %d", copies, len(pieces), tt.copies, tt.total)
			}
			for _, p := range planPieces(tt.parts, false) {
				if p.copied.Key != "" {
					t.Error("copies although copying is off")
				}
			}
		})
	}
}

// checkPieces proves a plan: S3's limits hold, and the pieces are the parts.
func checkPieces(t *testing.T, parts []Part, pieces []piece) {
	t.Helper()
	var flat []Part
	for i, p := range pieces {
		if i < len(pieces)-1 && p.size < minPart {
			t.Errorf("piece %d of %d has only %d bytes", i, len(pieces), p.size)
		}
		members := p.gather
		if p.copied.Key != "" {
			members = []Part{p.copied}
			if p.size < minCopy || p.size > maxCopy {
				t.Errorf("piece %d copies %d bytes", i, p.size)
			}
		} else if p.size > bufferPart {
			t.Errorf("piece %d holds %d bytes in memory", i, p.size)
		}
		var sum int64
		for _, m := range members {
			sum += m.byteLength()
		}
		if sum != p.size || sum == 0 {
			t.Errorf("piece %d says %d bytes, has %d", i, p.size, sum)
		}
		flat = append(flat, members...)
	}
	if got, want := normal(flat), normal(parts); !equalParts(got, want) {
		t.Errorf("pieces make up %v, want %v", got, want)
	}
}

// normal joins neighbours and drops empty parts, so that equal content is equal.
func normal(parts []Part) []Part {
	var out []Part
	for _, p := range parts {
		last := len(out) - 1
		switch {
		case p.byteLength() == 0:
		case last >= 0 && p.Key == "" && out[last].Key == "":
			out[last].Inline = append(bytes.Clone(out[last].Inline), p.Inline...)
		case last >= 0 && p.Key != "" && out[last].Key == p.Key && out[last].Offset+out[last].Size == p.Offset:
			out[last].Size += p.Size
		default:
			out = append(out, p)
		}
	}
	return out
}

func equalParts(a, b []Part) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || a[i].Offset != b[i].Offset || a[i].Size != b[i].Size || !bytes.Equal(a[i].Inline, b[i].Inline) {
			return false
		}
	}
	return true
}

// TestPlanEqualPieces: the pieces are the parts, of one length but for the last, and no more
// than S3 takes.
func TestPlanEqualPieces(t *testing.T) {
	const mib = 1 << 20
	stored := func(n int64) Part { return Part{Key: "s", Size: n} }
	for name, tt := range map[string]struct {
		parts         []Part
		copies, total int
	}{
		"nothing":   {nil, 0, 0},
		"small":     {[]Part{stored(10), {Inline: make([]byte, 5)}}, 0, 1},
		"chunks":    {[]Part{stored(9 * mib), stored(6 * mib), stored(24 * mib)}, 4, 5},
		"one whole": {[]Part{stored(16 * mib)}, 2, 2},
		"terabytes": {[]Part{stored(1 << 40), stored(1 << 40)}, 9986, 9987},
	} {
		t.Run(name, func(t *testing.T) {
			pieces := planEqualPieces(tt.parts, true)
			var flat []Part
			copies := 0
			for _, p := range pieces {
				flat = append(flat, p.gather...)
				if p.copied.Key != "" {
					flat, copies = append(flat, p.copied), copies+1
				}
			}
			if !haveEqualLengths(pieces) || !equalParts(normal(flat), normal(tt.parts)) {
				t.Errorf("%d pieces make up %v", len(pieces), normal(flat))
			}
			if copies != tt.copies || len(pieces) != tt.total || len(pieces) > maxParts {
				t.Errorf("%d copies of %d pieces, want %d of %d", copies, len(pieces), tt.copies, tt.total)
			}
		})
	}
}

func FuzzPlanPieces(f *testing.F) {
	f.Add(uint32(10), uint32(8<<20), uint32(5<<20), uint32(70_000), uint32(6<<20), false)
	f.Add(uint32(5<<20), uint32(5<<20+1), uint32(0), uint32(1), uint32(513<<20), true)
	f.Fuzz(func(t *testing.T, a, b, c, d, e uint32, inlineFirst bool) {
		var parts []Part
		for i, n := range []uint32{a, b, c, d, e} {
			if (i%2 == 0) == inlineFirst {
				parts = append(parts, Part{Inline: make([]byte, n%(24<<20))})
			} else {
				parts = append(parts, Part{Key: string(rune('a' + i)), Offset: int64(i), Size: int64(n) % (1200 << 20)})
			}
		}
		checkPieces(t, parts, planPieces(parts, true))
		for _, p := range planPieces(parts[:2], false) {
			if p.copied.Key != "" {
				t.Fatal("copies although copying is off")
			}
		}
	})
}
