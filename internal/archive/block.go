package archive

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/content"
)

// entryLine is the stored form of an Entry: one JSON object a line.
type entryLine struct {
	Resource  string `json:"r"`
	Version   string `json:"v"`
	Namespace string `json:"ns,omitempty"`
	Name      string `json:"n"`
	Offset    int64  `json:"o"`
	Size      int64  `json:"s"`
	SHA256    string `json:"h"`
	Content   string `json:"c,omitempty"`
}

// appendEntry writes an entry's line without reflection: it is on the hot path.
func appendEntry(dst []byte, k Key, off, size int64, sum, content []byte) []byte {
	dst = appendString(append(dst, `{"r":`...), k.Resource)
	dst = appendString(append(dst, `,"v":`...), k.Version)
	if k.Namespace != "" {
		dst = appendString(append(dst, `,"ns":`...), k.Namespace)
	}
	dst = appendString(append(dst, `,"n":`...), k.Name)
	dst = strconv.AppendInt(append(dst, `,"o":`...), off, 10)
	dst = strconv.AppendInt(append(dst, `,"s":`...), size, 10)
	dst = hex.AppendEncode(append(dst, `,"h":"`...), sum)
	dst = hex.AppendEncode(append(dst, `","c":"`...), content)
	return append(dst, "\"}\n"...)
}

// appendString quotes a validated key part; only the rare one needs escapes.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c == '"' || c == '\\' || c < 0x20 {
			q, _ := json.Marshal(s) // a string always marshals
			return append(dst, q...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// parseBlock reads an uncompressed index block and checks it against its member.
// The error says what contradicts; the caller adds the place.
func parseBlock(raw []byte, m Member) ([]Entry, error) {
	if m.Objects > bytes.Count(raw, []byte{'\n'}) { // before allocating for them
		return nil, fmt.Errorf("index block ends before its %d objects", m.Objects)
	}
	entries := make([]Entry, 0, m.Objects)
	end, text := int64(0), string(raw) // the entries' strings share this one
	for len(text) > 0 {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			return nil, fmt.Errorf("index block ends within a line")
		}
		e, err := parseEntry(line, m, end)
		if err != nil {
			return nil, fmt.Errorf("index entry %d: %w", len(entries), err)
		}
		if len(entries) == m.Objects {
			return nil, fmt.Errorf("index block has more than %d objects", m.Objects)
		}
		entries, text, end = append(entries, e), rest, e.Offset+e.Size
	}
	if len(entries) != m.Objects {
		return nil, fmt.Errorf("index block has %d objects, directory says %d", len(entries), m.Objects)
	}
	return entries, nil
}

func parseEntry(line string, m Member, end int64) (Entry, error) {
	l, err := parseLine(line)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Key:    Key{Resource: l.Resource, Version: l.Version, Namespace: l.Namespace, Name: l.Name},
		Offset: l.Offset, Size: l.Size, SHA256: l.SHA256, Content: l.Content,
	}
	if err := e.Validate(); err != nil {
		return Entry{}, err
	}
	if e.Size < 0 || e.Size > MaxObjectBytes || e.Offset < end+blockSize || e.Offset > m.RawSize-e.Size || e.Offset%blockSize != 0 {
		return Entry{}, fmt.Errorf("%s: body %d+%d does not lie in the member", e.Key, e.Offset, e.Size)
	}
	if !validDigest(e.SHA256) || e.Content != "" && !isHex(e.Content, 2*content.Size) {
		return Entry{}, fmt.Errorf("%s: malformed digest", e.Key)
	}
	if !mayHold(m.Spans, e.Key) {
		return Entry{}, fmt.Errorf("%s: outside the member's spans", e.Key)
	}
	return e, nil
}

// mayHold says whether a member with these spans may hold the key.
func mayHold(spans []Span, k Key) bool {
	var buf [256]byte
	var obj []byte
	for _, s := range spans {
		if s.Resource != k.Resource {
			continue
		}
		if obj == nil {
			obj = appendObject(buf[:0], k)
		}
		// The compiler compares these conversions without allocating.
		if s.First <= string(obj) && string(obj) <= s.Last {
			return true
		}
	}
	return false
}
