package modify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxGlob bounds a pattern, in bytes: the longest type name is less than half of it.
const maxGlob = 1024

// glob compiles a pattern: '*' is any run of characters without the separator, '**' one
// with it, '?' one character that is not the separator, '[ab]', '[a-z]' and '[!a]' are
// classes, '{a,b}' alternatives, and a backslash takes what follows as it is. No separator
// (0) makes '*' and '**' the same. The result takes linear time, whatever the pattern.
func glob(pattern string, separator byte) (*regexp.Regexp, error) {
	if len(pattern) > maxGlob {
		return nil, fmt.Errorf("has %d bytes; at most %d make sense", len(pattern), maxGlob)
	}
	g := globber{rest: pattern, one: "(?s:.)"}
	if separator != 0 {
		g.one = "[^" + regexp.QuoteMeta(string(separator)) + "]"
	}
	for g.rest != "" {
		if err := g.next(); err != nil {
			return nil, err
		}
	}
	if g.depth > 0 {
		return nil, errors.New("has '{' without '}'")
	}
	re, err := regexp.Compile("^" + g.out.String() + "$")
	if err != nil {
		return nil, fmt.Errorf("is not a glob: %w", err)
	}
	return re, nil
}

// globber writes the regular expression of a glob.
type globber struct {
	rest  string // still to be read
	one   string // any character but the separator
	depth int    // of braces
	out   strings.Builder
}

func (g *globber) next() error {
	c := g.rest[0]
	switch {
	case strings.HasPrefix(g.rest, "**"):
		g.take(2, "(?s:.*)")
	case c == '*':
		g.take(1, g.one+"*")
	case c == '?':
		g.take(1, g.one)
	case c == '{':
		g.depth++
		g.take(1, "(?:")
	case c == ',' && g.depth > 0:
		g.take(1, "|")
	case c == '}' && g.depth > 0:
		g.depth--
		g.take(1, ")")
	case c == '[':
		return g.class()
	case c == ']' || c == '}':
		return fmt.Errorf("has '%c' without its opening one", c)
	case c == '\\' && len(g.rest) == 1:
		return errors.New(`ends in '\'`)
	case c == '\\':
		g.rest = g.rest[1:]
		fallthrough
	default:
		g.literal()
	}
	return nil
}

func (g *globber) take(n int, expression string) {
	g.rest = g.rest[n:]
	g.out.WriteString(expression)
}

// literal takes one whole character.
func (g *globber) literal() {
	r, n := utf8.DecodeRuneInString(g.rest) // of a broken byte, what matches no name
	g.take(n, regexp.QuoteMeta(string(r)))
}

// class takes a class of characters.
func (g *globber) class() error {
	body, rest, ok := strings.Cut(g.rest[1:], "]")
	negated := strings.HasPrefix(body, "!")
	body = strings.TrimPrefix(body, "!")
	switch {
	case !ok:
		return errors.New("has '[' without ']'")
	case body == "":
		return errors.New("has an empty class of characters")
	}
	g.rest = rest
	g.out.WriteByte('[')
	if negated {
		g.out.WriteByte('^')
	}
	g.out.WriteString(strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`, `&`, `\&`).Replace(body))
	g.out.WriteByte(']')
	return nil
}
