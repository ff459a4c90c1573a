package archive

import (
	"bytes"
	"slices"

	"github.com/klauspost/compress/gzip"
)

// closeMember compresses the open member and its index block into the chunk.
func (w *Writer) closeMember() (err error) {
	// A large member begins a new chunk where it may not fit into the one that is well filled:
	// the buffer of the chunk would be doubled for it. S3 copies parts of 5 MiB and more.
	if n := int64(len(w.data)); n >= w.limits.ChunkBytes*5/8 && n+int64(len(w.raw)) > w.limits.ChunkBytes+w.limits.MemberBytes {
		if err := w.emitChunk(); err != nil {
			return err
		}
	}
	m := Member{
		Offset: int64(len(w.data)), RawSize: int64(len(w.raw)), Objects: w.count,
		Spans: w.closeSpans(),
	}
	w.reserveChunk()
	if w.data, err = appendGzip(w.gz, w.data, w.raw); err != nil {
		return err
	}
	m.Size = int64(len(w.data)) - m.Offset
	m.SHA256 = Digest(w.data[m.Offset:])
	m.Index.Offset = int64(len(w.blocks))
	if w.blocks, err = appendGzip(w.gz, w.blocks, w.lines); err != nil {
		return err
	}
	m.Index.Size = int64(len(w.blocks)) - m.Index.Offset
	m.Index.SHA256 = Digest(w.blocks[m.Index.Offset:])
	w.members = append(w.members, m)
	w.raw, w.lines, w.count = w.raw[:0], w.lines[:0], 0
	return nil
}

// reserveChunk makes room for a whole chunk once it is clear that one will be filled:
// doubling would end with half as much again, and as much garbage. Small exports
// never pay for it.
func (w *Writer) reserveChunk() {
	const filling, blocks = 1 << 20, 1 << 19 // the index blocks come behind the members
	if full := w.limits.ChunkBytes + w.limits.MemberBytes + blocks; len(w.data) > filling && int64(cap(w.data)) < full {
		w.data = slices.Grow(w.data, int(full)-len(w.data))
	}
}

// widenSpan takes the object into the span of its resource.
func (w *Writer) widenSpan(resource string, object []byte) {
	for i := len(w.spans) - 1; i >= 0; i-- {
		s := &w.spans[i]
		if s.resource != resource {
			continue
		}
		if bytes.Compare(object, s.last) > 0 {
			s.last = append(s.last[:0], object...)
		} else if bytes.Compare(object, s.first) < 0 {
			s.first = append(s.first[:0], object...)
		}
		return
	}
	w.openSpan(resource, object)
}

func (w *Writer) openSpan(resource string, object []byte) {
	n := len(w.spans)
	if n < cap(w.spans) {
		w.spans = w.spans[:n+1] // keeps the byte buffers of an earlier member
	} else {
		w.spans = append(w.spans, openSpan{})
	}
	s := &w.spans[n]
	s.resource = resource
	s.first = append(s.first[:0], object...)
	s.last = append(s.last[:0], object...)
}

func (w *Writer) closeSpans() []Span {
	spans := make([]Span, len(w.spans))
	for i, s := range w.spans {
		spans[i] = Span{Resource: s.resource, First: string(s.first), Last: string(s.last)}
	}
	w.spans = w.spans[:0]
	return spans
}

// appendGzip appends one whole gzip member to dst.
func appendGzip(gz *gzip.Writer, dst, raw []byte) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	gz.Reset(buf)
	if _, err := gz.Write(raw); err != nil {
		return dst, err
	}
	if err := gz.Close(); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}
