package jsonlist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// errMore says that the value may be fine but its end is not in the buffer yet.
var errMore = errors.New("value continues beyond the buffer")

// maxDepth is the nesting that encoding/json allows; it bounds the recursion.
const maxDepth = 10000

// scanner walks one complete document or value held in b. Every method takes
// the offset to begin at and returns the offset after what it read.
type scanner struct{ b []byte }

func syntaxError(what string, at int) (int, error) {
	return at, fmt.Errorf("invalid JSON at byte %d: %s", at, what)
}

// skipSpace skips white space; it returns errMore at the end of the buffer.
func (s scanner) skipSpace(i int) (int, error) {
	for ; i < len(s.b); i++ {
		if c := s.b[i]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return i, nil
		}
	}
	return i, errMore
}

// skipValue skips one value of any kind that begins at i.
func (s scanner) skipValue(i, depth int) (int, error) {
	switch c := s.b[i]; {
	case c == '"':
		return s.skipString(i)
	case c == '{':
		return s.skipObject(i, depth+1)
	case c == '[':
		return s.skipArray(i, depth+1)
	case c == '-' || c >= '0' && c <= '9':
		return s.skipNumber(i)
	case c == 't':
		return s.skipLiteral(i, "true")
	case c == 'f':
		return s.skipLiteral(i, "false")
	case c == 'n':
		return s.skipLiteral(i, "null")
	}
	return syntaxError("expected a value", i)
}

func (s scanner) skipLiteral(i int, want string) (int, error) {
	have := s.b[i:min(len(s.b), i+len(want))]
	if string(have) != want[:len(have)] {
		return syntaxError("expected "+want, i)
	}
	if len(have) < len(want) {
		return i, errMore
	}
	return i + len(want), nil
}

// skipObject skips the object whose brace stands at i.
func (s scanner) skipObject(i, depth int) (int, error) {
	return s.scanMembers(i, depth, nil)
}

// scanMembers walks the object whose brace stands at i. For every member it calls
// on with the offsets of the quoted key and of the value; on skips the value.
// A nil on skips every value.
func (s scanner) scanMembers(i, depth int, on func(keyFrom, keyTo, value int) (int, error)) (int, error) {
	if depth > maxDepth {
		return syntaxError("nested too deeply", i)
	}
	i, err := s.skipSpace(i + 1)
	if err != nil {
		return i, err
	}
	if s.b[i] == '}' {
		return i + 1, nil
	}
	for {
		key, keyEnd, value, err := s.scanKey(i)
		if err != nil {
			return i, err
		}
		if on == nil {
			i, err = s.skipValue(value, depth)
		} else {
			i, err = on(key, keyEnd, value)
		}
		if err != nil {
			return i, err
		}
		var done bool
		if i, done, err = s.skipSeparator(i, '}'); done || err != nil {
			return i, err
		}
	}
}

// scanKey reads a quoted key and its colon; value is where the value begins.
func (s scanner) scanKey(i int) (from, to, value int, err error) {
	if s.b[i] != '"' {
		_, err = syntaxError("expected a key", i)
		return i, i, i, err
	}
	if to, err = s.skipString(i); err != nil {
		return i, to, i, err
	}
	value = to
	if value >= len(s.b) || s.b[value] != ':' {
		if value, err = s.skipSpace(value); err != nil {
			return i, to, value, err
		}
		if s.b[value] != ':' {
			_, err = syntaxError("expected ':'", value)
			return i, to, value, err
		}
	}
	value++
	if value < len(s.b) && s.b[value] > ' ' {
		return i, to, value, nil
	}
	value, err = s.skipSpace(value)
	return i, to, value, err
}

// skipSeparator reads the separator after a member or element: either the closing
// byte (done) or a comma, after which it stands at the next member.
func (s scanner) skipSeparator(i int, closing byte) (int, bool, error) {
	i, err := s.skipSpace(i)
	if err != nil {
		return i, false, err
	}
	switch s.b[i] {
	case closing:
		return i + 1, true, nil
	case ',':
		i, err = s.skipSpace(i + 1)
		return i, false, err
	}
	i, err = syntaxError("expected ',' or '"+string(closing)+"'", i)
	return i, false, err
}

func (s scanner) skipArray(i, depth int) (int, error) {
	if depth > maxDepth {
		return syntaxError("nested too deeply", i)
	}
	i, err := s.skipSpace(i + 1)
	if err != nil {
		return i, err
	}
	if s.b[i] == ']' {
		return i + 1, nil
	}
	for {
		if i, err = s.skipValue(i, depth); err != nil {
			return i, err
		}
		var done bool
		if i, done, err = s.skipSeparator(i, ']'); done || err != nil {
			return i, err
		}
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stopMask marks (in the high bit of each byte) the bytes of w at which a string
// scan must stop: a quote, a backslash, or a control character. Bytes after
// the first mark may be marked wrongly, the first is exact.
func stopMask(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
}

// skipString skips the string whose opening quote stands at i.
func (s scanner) skipString(i int) (int, error) {
	b := s.b
	for i++; ; {
		if i+8 <= len(b) {
			m := stopMask(binary.LittleEndian.Uint64(b[i:]))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		} else if i = skipPlain(b, i); i == len(b) {
			return i, errMore
		}
		if b[i] == '"' {
			return i + 1, nil
		}
		var err error
		if i, err = s.skipEscape(i); err != nil {
			return i, err
		}
	}
}

// skipPlain skips bytes that stand for themselves in a string, one by one.
func skipPlain(b []byte, i int) int {
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}

// skipEscape skips the escape sequence whose backslash stands at i.
func (s scanner) skipEscape(i int) (int, error) {
	if s.b[i] != '\\' {
		return syntaxError("control character in a string", i)
	}
	if i+1 >= len(s.b) {
		return i, errMore
	}
	switch s.b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		return s.skipHex4(i + 2)
	}
	return syntaxError("unknown escape in a string", i)
}

func (s scanner) skipHex4(i int) (int, error) {
	for end := i + 4; i < end; i++ {
		if i >= len(s.b) {
			return i, errMore
		}
		c := s.b[i] | 0x20
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') || s.b[i] < '0' {
			return syntaxError("bad \\u escape", i)
		}
	}
	return i, nil
}
