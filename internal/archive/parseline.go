package archive

import (
	"encoding/json"
	"strconv"
	"strings"
)

// parseLine decodes an entry's line. Lines as appendEntry writes them, without
// escapes, are cut out of the block's own string: a restore reads every line, and
// encoding/json would cost it 8 allocations an object. All others, such as those
// of a later minor version, go through encoding/json.
func parseLine(line string) (entryLine, error) {
	if l, ok := cutLine(line); ok {
		return l, nil
	}
	var l entryLine
	err := json.Unmarshal([]byte(line), &l)
	return l, err
}

// cutLine handles only the exact form; ok is false for anything else.
func cutLine(line string) (l entryLine, ok bool) {
	if strings.IndexByte(line, '\\') >= 0 {
		return l, false
	}
	c := lineCutter{rest: line, ok: true}
	l.Resource = c.cutText(`{"r":"`)
	l.Version = c.cutText(`,"v":"`)
	if strings.HasPrefix(c.rest, `,"ns":"`) {
		l.Namespace = c.cutText(`,"ns":"`)
	}
	l.Name = c.cutText(`,"n":"`)
	l.Offset = c.cutNumber(`,"o":`)
	l.Size = c.cutNumber(`,"s":`)
	l.SHA256 = c.cutText(`,"h":"`)
	if strings.HasPrefix(c.rest, `,"c":"`) { // format 1.0 has none
		l.Content = c.cutText(`,"c":"`)
	}
	return l, c.ok && c.rest == "}"
}

type lineCutter struct {
	rest string
	ok   bool
}

// cutText cuts a string that follows prefix, up to its closing quote.
func (c *lineCutter) cutText(prefix string) string {
	rest, found := strings.CutPrefix(c.rest, prefix)
	end := strings.IndexByte(rest, '"')
	if !c.ok || !found || end < 0 {
		c.ok = false
		return ""
	}
	c.rest = rest[end+1:]
	return rest[:end]
}

// cutNumber cuts decimal digits that follow prefix.
func (c *lineCutter) cutNumber(prefix string) int64 {
	rest, found := strings.CutPrefix(c.rest, prefix)
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(rest[:end], 10, 64)
	if !c.ok || !found || err != nil || (end > 1 && rest[0] == '0') {
		c.ok = false
		return 0
	}
	c.rest = rest[end:]
	return n
}
