//go:build stack && release

package page

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// picturesDir gets the page of each file as a browser shows it, to be looked at.
const picturesDir = "../../../dist/page"

// screens are what the page is looked at on. Paper is A4 between the margins of the page, at the 96
// points an inch of a browser.
var screens = map[string]screen{
	"desktop": {Width: 1280, Height: 900, Scale: 1},
	"phone":   {Width: 390, Height: 844, Scale: 2, Mobile: true},
	"paper":   {Width: 680, Height: 1009, Scale: 1, media: "print"},
}

// TestPageInBrowser: in a browser without a network, the page of all evidence that is valid asks for
// nothing, has no word on the console, fits into the width of a desktop, of a phone and of paper, and
// prints.
func TestPageInBrowser(t *testing.T) {
	b := startBrowser(t)
	files, err := filepath.Glob(filepath.Join(corpusDir, "files", "valid-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no evidence in %s: %v", corpusDir, err)
	}
	if err := os.MkdirAll(picturesDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, _ := render(t, "files/"+name+".json", Options{Verified: true, File: name + ".json"})
			for device, s := range screens {
				shown := b.show(t, text, s)
				if len(shown.faults()) > 0 {
					t.Errorf("on %s: %q", device, shown.faults())
				}
				save(t, name+"-"+device+".png", shown.picture)
			}
			pdf := b.print(t, text)
			if pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1)); !bytes.HasPrefix(pdf, []byte("%PDF-")) || pages < 1 || pages > 12 {
				t.Errorf("printed on %d pages, %d bytes", pages, len(pdf))
			}
			save(t, name+".pdf", pdf)
		})
	}
}

// TestPageInBrowserCanFail: of a page with faults each is found.
func TestPageInBrowserCanFail(t *testing.T) {
	b := startBrowser(t)
	text, _ := render(t, "files/valid-small.json", Options{Verified: true})
	for planted, found := range map[string]string{
		`<img src="https://pictures.example.com/x.png">`:                           "console: ",
		`<script>console.log("hello")</script>`:                                    "console: ",
		`<div style="width:1500px">wide</div>`:                                     "wider than the screen",
		`<p style="width:3rem;white-space:nowrap">much longer than its box is</p>`: "runs out of its box: P",
	} {
		faults := b.show(t, strings.Replace(text, "</main>", planted+"</main>", 1), screens["phone"]).faults()
		if !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, found) }) {
			t.Errorf("%s: %q is not among %q", planted, found, faults)
		}
	}
	open := strings.Replace(text, "default-src 'none'", "default-src *", 1)
	open = strings.Replace(open, "img-src data:", "img-src *", 1)
	faults := b.show(t, strings.Replace(open, "</main>", `<img src="https://pictures.example.com/x.png"></main>`, 1), screens["desktop"]).faults()
	if !slices.Contains(faults, "asks for https://pictures.example.com/x.png") {
		t.Errorf("a request is not noticed: %q", faults)
	}
}

func save(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(picturesDir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
