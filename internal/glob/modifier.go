package glob

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxModifier bounds a pattern, in bytes: the longest type name is less than half of it.
const maxModifier = 1024

// CompileModifier compiles the pattern of a modifier. No separator (0) makes '*' and '**'
// the same.
func CompileModifier(pattern string, separator byte) (*regexp.Regexp, error) {
	if len(pattern) > maxModifier {
		return nil, fmt.Errorf("has %d bytes; at most %d make sense", len(pattern), maxModifier)
	}
	g := modifierCompiler{rest: pattern, one: "(?s:.)"}
	if separator != 0 {
		g.one = "[^" + regexp.QuoteMeta(string(separator)) + "]"
	}
	for g.rest != "" {
		if err := g.compileNext(); err != nil {
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

// modifierCompiler writes the regular expression of a pattern.
type modifierCompiler struct {
	rest  string // still to be read
	one   string // any character but the separator
	depth int    // of braces
	out   strings.Builder
}

func (g *modifierCompiler) compileNext() error {
	c := g.rest[0]
	switch {
	case strings.HasPrefix(g.rest, "**"):
		g.appendExpression(2, "(?s:.*)")
	case c == '*':
		g.appendExpression(1, g.one+"*")
	case c == '?':
		g.appendExpression(1, g.one)
	case c == '{':
		g.depth++
		g.appendExpression(1, "(?:")
	case c == ',' && g.depth > 0:
		g.appendExpression(1, "|")
	case c == '}' && g.depth > 0:
		g.depth--
		g.appendExpression(1, ")")
	case c == '[':
		return g.appendClass()
	case c == ']' || c == '}':
		return fmt.Errorf("has '%c' without its opening one", c)
	case c == '\\' && len(g.rest) == 1:
		return errors.New(`ends in '\'`)
	case c == '\\':
		g.rest = g.rest[1:]
		fallthrough
	default:
		g.appendLiteral()
	}
	return nil
}

func (g *modifierCompiler) appendExpression(n int, expression string) {
	g.rest = g.rest[n:]
	g.out.WriteString(expression)
}

// appendLiteral takes one whole character.
func (g *modifierCompiler) appendLiteral() {
	r, n := utf8.DecodeRuneInString(g.rest) // of a broken byte, what matches no name
	g.appendExpression(n, regexp.QuoteMeta(string(r)))
}

// appendClass takes a class of characters.
func (g *modifierCompiler) appendClass() error {
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
