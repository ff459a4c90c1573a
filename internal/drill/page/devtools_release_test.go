//go:build stack && release

package page

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// browser is Debian's chromium without a window and without a network, spoken to by its DevTools
// protocol: JSON over two pipes, each message ended by a zero.
type browser struct {
	in     io.Writer
	out    *bufio.Reader
	calls  int
	events []message // that came since the last page was opened
}

// message is a command, its answer or an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Params    json.RawMessage `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     json.RawMessage `json:"error,omitempty"`
}

// screen is what a page is shown on.
type screen struct {
	Width  int  `json:"width"`
	Height int  `json:"height"`
	Scale  int  `json:"deviceScaleFactor"`
	Mobile bool `json:"mobile"`
	media  string
}

// shown is a page as it was shown.
type shown struct {
	url     string
	events  []message
	layout  layout
	picture []byte // PNG
}

// layout is measured in the page.
type layout struct {
	Width, Scroll int      // of the screen, and of what is on it
	Out           []string // what runs out of its box, or of the screen
}

const measure = `(() => {
  const width = document.documentElement.clientWidth, out = [];
  for (const e of document.querySelectorAll("body *:not(svg *)")) {
    const box = e.getBoundingClientRect(), name = e.tagName + " " + e.textContent.trim().slice(0, 60);
    if (box.right > width + 1 || box.left < -1) out.push("runs out of the screen: " + name);
    if (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === "visible") out.push("runs out of its box: " + name);
  }
  return {Width: width, Scroll: document.documentElement.scrollWidth, Out: out};
})()`

// startBrowser starts a browser that ends with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	if err := stack.InstallProgram(t.Context(), os.Stderr, "chromium", "chromium"); err != nil {
		t.Fatal(err)
	}
	commands, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--user-data-dir="+t.TempDir(),
		"--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{commands, answers} // 3 and 4, as the browser expects them
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	answers.Close()
	b := &browser{in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		b.call(t, "", "Browser.close", nil, nil) // its files are gone before the folder is removed
		_ = cmd.Wait()
		cancel()
	})
	return b
}

// call sends a command and waits for its answer.
func (b *browser) call(t *testing.T, session, method string, params map[string]any, result any) {
	t.Helper()
	text, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	b.calls++
	command, err := json.Marshal(message{ID: b.calls, Method: method, SessionID: session, Params: text})
	if err == nil {
		_, err = b.in.Write(append(command, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	answer := b.await(t, func(m message) bool { return m.ID == b.calls })
	if answer.Error != nil {
		t.Fatalf("%s: %s", method, answer.Error)
	}
	if result != nil {
		if err := json.Unmarshal(answer.Result, result); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
}

// await reads messages up to one of a kind.
func (b *browser) await(t *testing.T, wanted func(message) bool) (m message) {
	t.Helper()
	for {
		line, err := b.out.ReadBytes(0)
		if err != nil {
			t.Fatalf("the browser has ended: %v", err)
		}
		m = message{}
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			t.Fatal(err)
		}
		b.events = append(b.events, m)
		if wanted(m) {
			return m
		}
	}
}

// open opens a page in a tab of its own, on a screen.
func (b *browser) open(t *testing.T, html string, s screen) (session, url string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	var tab struct{ TargetID, SessionID string }
	b.call(t, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &tab)
	b.call(t, "", "Target.attachToTarget", map[string]any{"targetId": tab.TargetID, "flatten": true}, &tab)
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(t, tab.SessionID, domain+".enable", nil, nil)
	}
	b.call(t, tab.SessionID, "Emulation.setDeviceMetricsOverride", map[string]any{"width": s.Width, "height": s.Height, "deviceScaleFactor": s.Scale, "mobile": s.Mobile}, nil)
	b.call(t, tab.SessionID, "Emulation.setEmulatedMedia", map[string]any{"media": s.media}, nil)
	b.events, url = nil, "file://"+file
	b.call(t, tab.SessionID, "Page.navigate", map[string]any{"url": url}, nil)
	loaded := func(m message) bool { return m.Method == "Page.loadEventFired" && m.SessionID == tab.SessionID }
	for _, m := range b.events {
		if loaded(m) {
			return tab.SessionID, url
		}
	}
	b.await(t, loaded)
	return tab.SessionID, url
}

// show shows a page on a screen.
func (b *browser) show(t *testing.T, html string, s screen) (out shown) {
	t.Helper()
	session, url := b.open(t, html, s)
	var evaluated struct{ Result struct{ Value layout } }
	b.call(t, session, "Runtime.evaluate", map[string]any{"expression": measure, "returnByValue": true}, &evaluated)
	var picture struct{ Data []byte }
	b.call(t, session, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &picture)
	out = shown{url, b.events, evaluated.Result.Value, picture.Data}
	b.call(t, session, "Page.close", nil, nil)
	return out
}

// print prints a page on A4.
func (b *browser) print(t *testing.T, html string) []byte {
	t.Helper()
	session, _ := b.open(t, html, screens["desktop"])
	var printed struct{ Data []byte }
	b.call(t, session, "Page.printToPDF", map[string]any{"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true}, &printed)
	b.call(t, session, "Page.close", nil, nil)
	return printed.Data
}

// faults are what is wrong with how a page was shown.
func (s shown) faults() (all []string) {
	for _, m := range s.events {
		switch m.Method {
		case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown":
			all = append(all, "console: "+string(m.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			if err := json.Unmarshal(m.Params, &p); err != nil {
				all = append(all, err.Error())
			} else if p.Request.URL != s.url && !strings.HasPrefix(p.Request.URL, "data:") {
				all = append(all, "asks for "+p.Request.URL)
			}
		}
	}
	if s.layout.Width == 0 || s.layout.Scroll > s.layout.Width {
		all = append(all, fmt.Sprintf("wider than the screen: %d of %d", s.layout.Scroll, s.layout.Width))
	}
	return append(all, s.layout.Out...)
}
