package report

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// levelName maps slog levels to the words in Velero's logs.
func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warning"
	default:
		return "error"
	}
}

// appendAttr renders one attribute; a group's members get its name as prefix,
// an empty attribute or group leaves no trace, as slog demands.
func appendAttr(line []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return line
	}
	if v.Kind() != slog.KindGroup {
		return appendPair(line, prefix+a.Key, valueText(v))
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, member := range v.Group() {
		line = appendAttr(line, prefix, member)
	}
	return line
}

func valueText(v slog.Value) string {
	if v.Kind() == slog.KindTime {
		return v.Time().UTC().Format(time.RFC3339)
	}
	return v.String()
}

func appendPair(line []byte, key, value string) []byte {
	if n := len(line); n > 0 && line[n-1] != '\n' {
		line = append(line, ' ')
	}
	line = append(line, cleanKey(key)...)
	line = append(line, '=')
	if isPlainValue(value) {
		return append(line, value...)
	}
	return strconv.AppendQuote(line, value)
}

// isPlainValue says whether a value may stand without quotes: it has only letters, digits
// and a few signs.
func isPlainValue(s string) bool {
	if s == "" {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alnum && !strings.ContainsRune("-._/@^+", r)
	}) < 0
}

// cleanKey keeps a key from breaking the line apart.
func cleanKey(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '=' || r == '"' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}
