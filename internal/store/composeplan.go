package store

// S3's limits on the parts of a multipart upload.
const (
	minPart  = 5 << 20 // every part but the last, in bytes
	maxParts = 10_000
	// minCopy is one byte more than minPart: S3 copies a byte range only out
	// of objects larger than 5 MiB.
	minCopy = minPart + 1
	// maxCopy is far below S3's 5 GiB a part, so that big copies run in
	// parallel and one stays short.
	maxCopy = 512 << 20
	// bufferPart is how much is read and sent where copying is not possible.
	bufferPart = 8 << 20
)

// piece is one part of the upload: a server-side copy, or bytes gathered from
// several parts.
type piece struct {
	copied Part   // Key is empty for gathered pieces
	gather []Part // in order
	size   int64
}

// planner cuts the wanted parts into pieces that S3 accepts: each but the last
// has at least minPart bytes, each copy takes at least minCopy.
type planner struct {
	pieces  []piece
	open    piece // being gathered
	canCopy bool
}

func planPieces(parts []Part, canCopy bool) []piece {
	p := planner{canCopy: canCopy}
	for _, part := range parts {
		for part.byteLength() > 0 {
			part = p.takePart(part)
		}
	}
	p.flushPiece()
	return p.pieces
}

// takePart moves the beginning of part into the plan and returns what is left.
func (p *planner) takePart(part Part) Part {
	left := part.byteLength()
	switch need := minPart - p.open.size; {
	case p.open.size >= bufferPart:
		p.flushPiece()
		return part
	case part.Key == "" || left < minCopy || !p.canCopy:
		return p.gatherBytes(part, min(left, bufferPart-p.open.size))
	case p.open.size == 0 || need <= 0:
		p.flushPiece()
		return p.copyRange(part)
	case left-need >= minCopy:
		return p.gatherBytes(part, need) // fill up, then copy the rest
	default:
		return p.gatherBytes(part, min(left, bufferPart-p.open.size))
	}
}

func (p *planner) flushPiece() {
	if p.open.size > 0 {
		p.pieces = append(p.pieces, p.open)
	}
	p.open = piece{}
}

func (p *planner) gatherBytes(part Part, n int64) Part {
	head, rest := splitPart(part, n)
	p.open.gather = append(p.open.gather, head)
	p.open.size += n
	return rest
}

// copyRange takes at most maxCopy, or a little less so that the rest can be copied
// too.
func (p *planner) copyRange(part Part) Part {
	n := part.Size
	if n > maxCopy {
		n = maxCopy
		if part.Size-n < minCopy {
			n -= minCopy
		}
	}
	head, rest := splitPart(part, n)
	p.pieces = append(p.pieces, piece{copied: head, size: n})
	return rest
}

// planEqualPieces cuts the wanted parts into pieces of one length, but for the last, which may be
// shorter. What lies within one stored object is copied.
func planEqualPieces(parts []Part, canCopy bool) []piece {
	var p planner
	length := equalLength(parts)
	for _, part := range parts {
		for part.byteLength() > 0 {
			if p.open.size == length {
				p.flushPiece()
			}
			part = p.gatherBytes(part, min(part.byteLength(), length-p.open.size))
		}
	}
	p.flushPiece()
	for i, one := range p.pieces {
		if canCopy && len(one.gather) == 1 && one.gather[0].Key != "" && one.size >= minCopy {
			p.pieces[i] = piece{copied: one.gather[0], size: one.size}
		}
	}
	return p.pieces
}

// equalLength is the length of equal pieces in bytes: bufferPart, or as many MiB as keep their
// number within maxParts, which takes more than 80 GB.
func equalLength(parts []Part) int64 {
	var total int64
	for _, part := range parts {
		total += part.byteLength()
	}
	const mib = 1 << 20
	return max(bufferPart, (total/maxParts/mib+1)*mib)
}

// haveEqualLengths says that all pieces but the last are of one length, and the last is not longer.
func haveEqualLengths(pieces []piece) bool {
	for i, p := range pieces {
		if p.size > pieces[0].size || p.size < pieces[0].size && i < len(pieces)-1 {
			return false
		}
	}
	return true
}

func splitPart(part Part, n int64) (head, rest Part) {
	if part.Key == "" {
		return Part{Inline: part.Inline[:n]}, Part{Inline: part.Inline[n:]}
	}
	head, rest = part, part
	head.Size = n
	rest.Offset += n
	rest.Size -= n
	return head, rest
}
