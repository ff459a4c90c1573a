package archive

import "fmt"

// S3's limits of a multipart upload, in bytes and parts
// (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const (
	MinPartBytes = 5 << 20
	MaxPartBytes = 5 << 30
	MaxParts     = 10_000
)

// Part is one part of a multipart upload.
type Part struct {
	// Copy: the part is exactly Segments[0], staged, to be copied by the server.
	// Otherwise the segments are to be read and uploaded one after another.
	Copy     bool
	Segments []Segment
	Size     int64
}

// PlanParts divides segments into parts that S3 accepts: all but the last of 5
// MiB to 5 GiB, at most 10,000. Staged segments are copied where they are large
// enough, the others are merged into uploaded parts of little more than 5 MiB.
// No segments, or only empty ones, make one empty uploaded part.
func PlanParts(segs []Segment) ([]Part, error) {
	total := int64(0)
	for i, s := range segs {
		if s.Size < 0 || s.Offset < 0 || (s.Key == "" && s.Size != int64(len(s.Inline))) {
			return nil, fmt.Errorf("plan parts: segment %d %q: size %d or offset %d", i, s.Key, s.Size, s.Offset)
		}
		total += s.Size
	}
	if total > MaxParts*int64(MaxPartBytes) {
		return nil, fmt.Errorf("plan parts: %d bytes exceed %d parts of %d bytes: back up less in one backup", total, MaxParts, int64(MaxPartBytes))
	}
	// Too many parts: merge more into each. Ends, since at 5 GiB the total fits.
	for least := int64(MinPartBytes); ; least = min(2*least, MaxPartBytes) {
		p := planner{least: least}
		for _, s := range segs {
			p.add(s)
		}
		parts := p.close()
		if len(parts) <= MaxParts {
			return parts, nil
		}
		if least == MaxPartBytes {
			return nil, fmt.Errorf("plan parts: %d segments of %d bytes need %d parts, at most %d", len(segs), total, len(parts), MaxParts)
		}
	}
}

type planner struct {
	least int64 // bytes of a part that is not the last
	parts []Part
	open  Part // to be uploaded; smaller than least between calls
}

func (p *planner) add(s Segment) {
	if s.Size == 0 {
		return
	}
	if s.Key != "" && p.open.Size > 0 {
		// Complete the open part. Take all of a segment whose rest could not be
		// copied: reading it twice by halves would gain nothing.
		if need := p.least - p.open.Size; s.Size-need >= p.least {
			p.upload(cut(s, 0, need))
			s = cut(s, need, s.Size-need)
		}
	}
	if s.Key == "" || s.Size < p.least || p.open.Size > 0 {
		p.upload(s)
		return
	}
	for s.Size > MaxPartBytes {
		// Halve what is less than two parts, so that the rest is large enough.
		n := min(MaxPartBytes, max(s.Size-MaxPartBytes, s.Size/2))
		p.copy(cut(s, 0, n))
		s = cut(s, n, s.Size-n)
	}
	p.copy(s)
}

func (p *planner) upload(s Segment) {
	p.open.Segments = append(p.open.Segments, s)
	p.open.Size += s.Size
	if p.open.Size >= p.least {
		p.flush()
	}
}

func (p *planner) copy(s Segment) {
	p.parts = append(p.parts, Part{Copy: true, Segments: []Segment{s}, Size: s.Size})
}

func (p *planner) flush() {
	p.parts = append(p.parts, p.open)
	p.open = Part{}
}

func (p *planner) close() []Part {
	if p.open.Size > 0 || len(p.parts) == 0 {
		p.flush()
	}
	return p.parts
}

func cut(s Segment, off, n int64) Segment {
	return Segment{Key: s.Key, Offset: s.Offset + off, Size: n}
}
