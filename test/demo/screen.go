package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	margin   = "   "
	columns  = 104             // of text; longer lines are wrapped
	patience = 2 * time.Second // what takes longer shows on a terminal that it goes on
)

// screen prints the story: numbered steps, indented lines below them and, while
// something takes long, a line that shows it. Safe for concurrent use.
type screen struct {
	w    io.Writer
	term bool // a terminal: live lines and bold face work

	mu    sync.Mutex
	steps int
	live  bool   // a live line stands on the screen
	doing string // what takes long, for the live line
}

func newScreen(w io.Writer) *screen {
	f, ok := w.(*os.File)
	return &screen{w: w, term: ok && term.IsTerminal(int(f.Fd()))}
}

// step begins the next part of the story.
func (s *screen) step(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps++
	s.print("\n" + s.bold(fmt.Sprintf("%d. ", s.steps)+fmt.Sprintf(format, args...)))
}

// say is one line of the story, or several. Long ones are wrapped.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		for _, part := range wrap(strings.TrimRight(line, "\n")) {
			s.print(margin + part)
		}
	}
}

// raw is lines to copy: never wrapped.
func (s *screen) raw(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range lines {
		s.print(margin + line)
	}
}

// command shows what is run, as a person would type it.
func (s *screen) command(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := wrap("$ " + strings.Join(words, " "))
	for i, part := range parts {
		if i < len(parts)-1 {
			part += " \\"
		}
		s.print(margin + s.bold(part))
	}
}

// headline stands for itself: the title and the end of the story.
func (s *screen) headline(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print("\n" + s.bold(text))
}

func (s *screen) print(line string) {
	s.clear()
	fmt.Fprintln(s.w, line)
}

func (s *screen) bold(text string) string {
	if !s.term {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func (s *screen) clear() {
	if s.live {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.live = false
	}
}

// wrap breaks a line between words; what follows the first line is indented below
// its first word.
func wrap(line string) []string {
	rest := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(rest)]
	var out []string
	for len(indent)+len(rest) > columns {
		at := strings.LastIndex(rest[:columns-len(indent)+1], " ")
		if at < 0 {
			at = strings.Index(rest, " ")
		}
		if at < 0 {
			break
		}
		out = append(out, indent+rest[:at])
		if len(out) == 1 {
			indent += "  "
		}
		rest = rest[at+1:]
	}
	return append(out, indent+rest)
}

// during runs do and shows, while it takes long, what goes on and since when. Only a
// terminal has the line that shows it.
func (s *screen) during(what string, do func() error) error {
	if !s.term {
		return do()
	}
	s.set(what)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { s.tick(done) })
	err := do()
	close(done)
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	return err
}

// set changes what the live line names.
func (s *screen) set(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doing = what
}

func (s *screen) tick(done <-chan struct{}) {
	start := time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			if now.Sub(start) >= patience {
				s.alive(now.Sub(start))
			}
		}
	}
}

func (s *screen) alive(since time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.w, "%s... %s (%s)", margin, s.doing, since.Round(time.Second))
	s.live = true
}

// Write takes the stack's progress, whole lines: finished builds are told, the
// rest is what the live line shows.
func (s *screen) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2 || words[0] != "build" && words[0] != "start":
		case words[0] == "start":
			s.set("start: " + words[1] + " is healthy")
		case len(words) > 2 && words[2] == "...":
			s.set(strings.Join(append(words[:2:2], words[3:]...), " "))
		default:
			s.say("%s", strings.Join(words, " "))
		}
	}
	return len(p), nil
}
