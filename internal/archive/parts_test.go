package archive_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

const mib = 1 << 20

func staged(key string, size int64) archive.Segment { return archive.Segment{Key: key, Size: size} }

func inline(n int) archive.Segment {
	return archive.Segment{Inline: bytes.Repeat([]byte("x"), n), Size: int64(n)}
}

func TestPlanParts(t *testing.T) {
	many := func(n int, size int64) []archive.Segment {
		segs := []archive.Segment{inline(60)}
		for i := range n {
			segs = append(segs, staged(fmt.Sprint(i), size))
		}
		return append(segs, inline(40))
	}
	for name, c := range map[string]struct {
		segs           []archive.Segment
		copies, parts  int
		uploadedAtMost int64
	}{
		"nothing":                  {nil, 0, 1, 0},
		"empty segments":           {[]archive.Segment{inline(0), staged("a", 0)}, 0, 1, 0},
		"header and trailer":       {many(0, 0), 0, 1, 100},
		"one small chunk":          {many(1, mib), 0, 1, mib + 100},
		"one chunk of 8 MiB":       {many(1, 8*mib), 0, 2, 8*mib + 100},
		"one large chunk":          {many(1, 100*mib), 1, 3, 5*mib + 100},
		"chunks of 8 MiB":          {many(10, 8*mib), 9, 11, 8*mib + 100},
		"chunks just too small":    {many(10, 5*mib-1), 0, 6, 50*mib + 100},
		"one of exactly 5 MiB":     {[]archive.Segment{staged("a", 5*mib)}, 1, 1, 0},
		"one of 5 MiB less 1":      {[]archive.Segment{staged("a", 5*mib-1)}, 0, 1, 5 * mib},
		"over 5 GiB by 1":          {[]archive.Segment{staged("a", 5<<30+1)}, 2, 2, 0},
		"exactly 5 GiB":            {[]archive.Segment{staged("a", 5<<30)}, 1, 1, 0},
		"one of 1 TiB":             {[]archive.Segment{staged("a", 1<<40)}, 205, 205, 0},
		"more than 10,000 chunks":  {many(30_000, 8*mib), 0, 6001, 240_001 * mib},
		"as many parts as allowed": {many(9_999, 8*mib), 9_998, 10_000, 8*mib + 100},
		"small, large alternating": {[]archive.Segment{staged("a", mib), staged("b", 8*mib), staged("c", mib), staged("d", 64*mib), staged("e", mib)}, 1, 4, 17 * mib},
	} {
		parts, err := archive.PlanParts(c.segs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		copies, uploaded := checkParts(t, name, c.segs, parts)
		if copies != c.copies || len(parts) != c.parts || uploaded > c.uploadedAtMost {
			t.Errorf("%s: %d parts, %d copies, %d bytes uploaded; want %d, %d, at most %d", name, len(parts), copies, uploaded, c.parts, c.copies, c.uploadedAtMost)
		}
	}
}

// checkParts verifies S3's limits, and that the parts are the segments' bytes.
func checkParts(t *testing.T, name string, segs []archive.Segment, parts []archive.Part) (copies int, uploaded int64) {
	t.Helper()
	var have []archive.Segment
	for i, p := range parts {
		if (p.Size < archive.MinPartBytes && i < len(parts)-1) || p.Size > archive.MaxPartBytes {
			t.Errorf("%s: part %d has %d bytes", name, i, p.Size)
		}
		sum := int64(0)
		for _, s := range p.Segments {
			sum += s.Size
		}
		if sum != p.Size || (p.Copy && (len(p.Segments) != 1 || p.Segments[0].Key == "")) {
			t.Errorf("%s: part %d: %d bytes in %d segments, size %d", name, i, sum, len(p.Segments), p.Size)
		}
		if p.Copy {
			copies++
		} else {
			uploaded += p.Size
		}
		have = append(have, p.Segments...)
	}
	if len(parts) > archive.MaxParts || len(parts) == 0 {
		t.Errorf("%s: %d parts", name, len(parts))
	}
	if g, w := merge(have), merge(segs); fmt.Sprint(g) != fmt.Sprint(w) {
		t.Errorf("%s: bytes %.300v, want %.300v", name, g, w)
	}
	return copies, uploaded
}

// merge joins neighbouring parts of one staged object.
func merge(segs []archive.Segment) []archive.Segment {
	var out []archive.Segment
	for _, s := range segs {
		if n := len(out); n > 0 && s.Key != "" && out[n-1].Key == s.Key && out[n-1].Offset+out[n-1].Size == s.Offset {
			out[n-1].Size += s.Size
		} else if s.Size > 0 {
			out = append(out, s)
		}
	}
	return out
}

func TestPlanPartsRefuses(t *testing.T) {
	for name, segs := range map[string][]archive.Segment{
		"negative size":     {staged("a", -1)},
		"negative offset":   {{Key: "a", Offset: -1, Size: 1}},
		"wrong inline size": {{Inline: []byte("ab"), Size: 3}},
		"too much":          {staged("a", archive.MaxParts*int64(archive.MaxPartBytes)), staged("b", 1)},
	} {
		if parts, err := archive.PlanParts(segs); err == nil {
			t.Errorf("%s: %d parts", name, len(parts))
		}
	}
}
