package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// duration prints the two largest units of a duration: 3 d 4 h, 26 h, 11 min 30 s, 420 ms.
// Objectives are in hours: a day begins to be a unit with the third.
func duration(m evidence.Millis) string {
	d := m.Duration()
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if unit.name == "d" && d < 48*time.Hour {
			continue
		}
		if n := d / unit.size; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.size
		}
	}
	return strings.Join(parts, " ")
}

func binarySize(n evidence.Count) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB"}
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

func thousands(n evidence.Count) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func minute(m evidence.Moment) string { return m.Time().Format("2006-01-02 15:04 UTC") }

func day(m evidence.Moment) string { return m.Time().Format("2006-01-02") }

// short is the beginning of a digest.
func short(d evidence.Digest) string { return string(d[:min(12, len(d))]) }
