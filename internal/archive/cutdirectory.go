package archive

import (
	"strings"
	"unicode/utf8"
)

// decodeDirectory decodes an uncompressed directory. One as encodeDirectory writes it, without
// escapes, is cut out of its own text: who looks an object up in a year of backups decodes a
// directory of each, which costs encoding/json ten times as much as to unpack it. All others
// go through encoding/json. The fields are not checked yet.
func decodeDirectory(raw []byte) (Directory, error) {
	if d, ok := cutDirectory(string(raw)); ok {
		return d, nil
	}
	return unmarshalDirectory(raw)
}

// cutDirectory handles only the exact form; ok is false for anything else.
func cutDirectory(text string) (d Directory, ok bool) {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] == '\\' {
			return d, false
		}
	}
	if !utf8.ValidString(text) {
		return d, false
	}
	c := lineCutter{rest: text, ok: true}
	d.FormatVersion = c.cutText(`{"formatVersion":"`)
	if !c.cut(`,"members":[`) {
		return d, false
	}
	d.Members = make([]Member, 0, strings.Count(c.rest, `{"offset":`)/2+1) // each has an offset in both files
	for sep := ""; c.ok && !strings.HasPrefix(c.rest, "]"); sep = "," {
		d.Members = append(d.Members, c.cutMember(sep))
	}
	return d, c.ok && c.rest == "]}"
}

func (c *lineCutter) cutMember(sep string) (m Member) {
	m.Offset = c.cutNumber(sep + `{"offset":`)
	m.Size = c.cutNumber(`,"size":`)
	m.RawSize = c.cutNumber(`,"rawSize":`)
	m.SHA256 = c.cutText(`,"sha256":"`)
	m.Objects = int(c.cutNumber(`,"objects":`))
	m.Index.Offset = c.cutNumber(`,"index":{"offset":`)
	m.Index.Size = c.cutNumber(`,"size":`)
	if strings.HasPrefix(c.rest, `,"sha256":"`) {
		m.Index.SHA256 = c.cutText(`,"sha256":"`)
	}
	c.cut("}")
	if strings.HasPrefix(c.rest, `,"spans":[`) {
		m.Spans = c.cutSpans()
	}
	c.cut("}")
	return m
}

func (c *lineCutter) cutSpans() (spans []Span) {
	c.cut(`,"spans":[`)
	for sep := ""; c.ok && !strings.HasPrefix(c.rest, "]"); sep = "," {
		s := Span{Resource: c.cutText(sep + `{"resource":"`)}
		s.First = c.cutText(`,"first":"`)
		s.Last = c.cutText(`,"last":"`)
		c.cut("}")
		spans = append(spans, s)
	}
	c.cut("]")
	c.ok = c.ok && len(spans) > 0
	return spans
}

// cut cuts fixed text.
func (c *lineCutter) cut(text string) bool {
	rest, found := strings.CutPrefix(c.rest, text)
	if c.ok = c.ok && found; c.ok {
		c.rest = rest
	}
	return c.ok
}
