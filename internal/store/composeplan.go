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
