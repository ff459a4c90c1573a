package show

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Time prints a time as Velero's tables do; the zero time is "<nil>" there.
func Time(t time.Time) string {
	if t.IsZero() {
		return "<nil>"
	}
	return t.UTC().Format("2006-01-02 15:04:05 -0700 MST")
}

// FromNow says how far away a time is: "29d", "5h ago", "n/a" for none.
func FromNow(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "n/a"
	case t.Before(now):
		return duration.ShortHumanDuration(now.Sub(t)) + " ago"
	default:
		return duration.ShortHumanDuration(t.Sub(now))
	}
}

// Bytes prints a size in binary units.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, suffix := float64(n)/unit, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB", "PiB"} {
		if value < unit {
			break
		}
		value, suffix = value/unit, next
	}
	return fmt.Sprintf("%.1f %s", value, suffix)
}

// Count prints a number with thousands separated.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Plural is "1 object", "2 objects".
func Plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}

// Clock prints how long something has lasted: 00:07, 12:30, 1:02:03.
func Clock(d time.Duration) string {
	s := int64(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// Or is s, or fallback where s is empty.
func Or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// LabelPairs are labels as key=value, sorted.
func LabelPairs(set map[string]string) []string {
	var pairs []string
	for key, value := range set {
		pairs = append(pairs, key+"="+value)
	}
	slices.Sort(pairs)
	return pairs
}

// Clean keeps text of foreign origin (a bucket, an API server's refusal) on one
// line and free of control characters, which a terminal would obey.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		default:
			return r
		}
	}, s)
}

// CleanLines is Clean that leaves the ends of lines: for errors, which may be several.
func CleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// ProblemCounts is "1 warning, 2 errors".
func ProblemCounts(warnings, errs int) string {
	return Plural(int64(warnings), "warning") + ", " + Plural(int64(errs), "error")
}

// Took is how long something lasted.
func Took(from, to time.Time) string {
	// Velero's documents, where these times come from, know whole seconds only.
	if d := to.Sub(from).Round(time.Second); !from.IsZero() && d >= time.Second {
		return d.String()
	}
	return "under 1s"
}

// TimeOrZero is the zero time, which show prints as none, for nil.
func TimeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
