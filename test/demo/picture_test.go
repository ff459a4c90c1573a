//go:build stack

package main

import (
	"encoding/xml"
	"fmt"
	"html"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// picture is what README.md shows of the demo.
const picture = "../../docs/img/demo.svg"

// samePicture holds the picture of the demo against what it printed: up to the comparison, and its
// last word. What differs from run to run is left out. With LIFEBOAT_UPDATE_GOLDEN=1 the picture
// is drawn anew.
func samePicture(t *testing.T, printed string) {
	t.Helper()
	shown, _, whole := strings.Cut(printed, "\n8. ")
	if !whole {
		t.Error("the story has no part behind its comparison")
	}
	shown = "$ make demo\n" + shown + "\n" + lastLine(printed)
	if os.Getenv("LIFEBOAT_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(picture, []byte(draw(shown)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	var drawn struct {
		Lines []string `xml:"text"`
	}
	if err := xml.Unmarshal(text, &drawn); err != nil {
		t.Fatalf("%s: %v", picture, err)
	}
	got, want := lasting(strings.Join(drawn.Lines, "\n")), lasting(shown)
	if !slices.Equal(got, want) {
		t.Errorf("%s is not what the demo prints; draw it anew with LIFEBOAT_UPDATE_GOLDEN=1: it has\n%q\nwant\n%q", picture, got, want)
	}
}

// lasting are the words that are the same in each run: not where lines are wrapped, nor how long
// something took, its size in bytes, on which port, or of which random name.
func lasting(text string) []string {
	varies := regexp.MustCompile(`pvc-[0-9a-f-]{36}|127\.0\.0\.1:\d+|[\d.]+ KiB|(under )?\b(\d+m)?[\d.]+ ?s\b`)
	return strings.Fields(varies.ReplaceAllString(text, "#"))
}

// draw makes a terminal of lines of text.
func draw(text string) string {
	const left, first, line, column = 18, 44.0, 18.5, 7.83
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	longest, y, command := 0, first, false
	var body strings.Builder
	for i, l := range lines {
		n := utf8.RuneCountInString(l)
		longest = max(longest, n)
		command = strings.HasPrefix(strings.TrimSpace(l), "$ ") || command
		if class := classOf(l, command, i == len(lines)-1); n > 0 {
			fmt.Fprintf(&body, "<text x=\"%d\" y=\"%.1f\"%s xml:space=\"preserve\" textLength=\"%.1f\" lengthAdjust=\"spacingAndGlyphs\">%s</text>\n", left, y, class, float64(n)*column, html.EscapeString(l))
		}
		command = command && strings.HasSuffix(l, `\`)
		y += line
	}
	width, height := 2*left+int(float64(longest)*column)+6, int(y+line)
	return fmt.Sprintf(frame, width, height, width, height, width, height) + body.String() + "</svg>\n"
}

// classOf is the face of a line: headings and commands are bold, the last word is green.
func classOf(l string, command, last bool) string {
	switch {
	case last:
		return ` class="g"`
	case command || l != "" && !strings.HasPrefix(l, margin):
		return ` class="b"`
	}
	return ""
}

const frame = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="make demo: backup, loss, restore, identical">
<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#b8c4d0;white-space:pre}.b{font-weight:700;fill:#f0f4f8}.g{font-weight:700;fill:#5fd38d}</style>
<rect width="%d" height="%d" rx="10" fill="#16202b"/>
<circle cx="20" cy="18" r="5.5" fill="#e0645c"/>
<circle cx="38" cy="18" r="5.5" fill="#e0b04c"/>
<circle cx="56" cy="18" r="5.5" fill="#5fb36c"/>
`
