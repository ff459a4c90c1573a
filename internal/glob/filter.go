package glob

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Reasons why the pattern of a filter is refused.
var (
	errUnsupported = errors.New("has a character that globs do not support (| ( ) ! { } ,)")
	errDoubleStar  = errors.New("has '**'; use a single '*'")
	errEmptyClass  = errors.New("has an empty character class '[]'")
	errUnclosed    = errors.New("has '[' without ']'")
	errUnopened    = errors.New("has ']' without '['")
)

// IsFilter says whether an entry is a pattern and not a plain name.
func IsFilter(entry string) bool { return strings.ContainsAny(entry, "*?[") }

// CheckFilter says what is wrong with a pattern, or nil. Plain names pass.
func CheckFilter(pattern string) error {
	if strings.ContainsAny(pattern, "|()!{},") {
		return errUnsupported
	}
	if strings.Contains(pattern, "**") {
		return errDoubleStar
	}
	for rest := pattern; ; {
		open := strings.IndexAny(rest, "[]")
		if open < 0 {
			return nil
		}
		if rest[open] == ']' {
			return errUnopened
		}
		size := strings.IndexByte(rest[open+1:], ']')
		switch size {
		case -1:
			return errUnclosed
		case 0:
			return errEmptyClass
		}
		rest = rest[open+1+size+1:]
	}
}

// MatchFilter reports whether the pattern matches the whole name. Unlike
// path.Match, no character is special in the name ('/' and '.' are ordinary).
// A malformed pattern matches nothing. The work is at most len(pattern) *
// len(name): on a mismatch only the last '*' is reconsidered.
func MatchFilter(pattern, name string) bool {
	if CheckFilter(pattern) != nil {
		return false
	}
	p, n := 0, 0
	star, mark := -1, 0 // the last '*', and where in name to resume after it
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, n
			p++
			continue
		}
		if size, width, ok := matchOne(pattern[p:], name[n:]); ok {
			p, n = p+size, n+width
			continue
		}
		if star < 0 {
			return false
		}
		_, width := utf8.DecodeRuneInString(name[mark:])
		mark += width
		p, n = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne matches the first character of name against the first element of
// the pattern; it gives the lengths of both.
func matchOne(pattern, name string) (size, width int, ok bool) {
	if pattern == "" {
		return 0, 0, false
	}
	c, width := utf8.DecodeRuneInString(name)
	switch pattern[0] {
	case '?':
		return 1, width, true
	case '[':
		end := strings.IndexByte(pattern, ']')
		return end + 1, width, inClass(pattern[1:end], c)
	}
	return 1, 1, pattern[0] == name[0] // byte by byte: exact for broken UTF-8 too
}

// inClass reports whether c is in the body of a class: single characters and
// ranges lo-hi. A '-' at either end is itself.
func inClass(body string, c rune) bool {
	runes := []rune(body)
	for i := 0; i < len(runes); i++ {
		if i+2 < len(runes) && runes[i+1] == '-' {
			if runes[i] <= c && c <= runes[i+2] {
				return true
			}
			i += 2
			continue
		}
		if runes[i] == c {
			return true
		}
	}
	return false
}
