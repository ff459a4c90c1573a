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
	margin   = "    "
	patience = 2 * time.Second  // what takes longer shows that it goes on
	quietFor = 15 * time.Second // without a terminal: a line this often
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

// say is one line of the story.
func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		s.print(margin + strings.TrimRight(line, "\n"))
	}
}

// command shows what is run, as a person would type it.
func (s *screen) command(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(margin + s.bold("$ "+strings.Join(words, " ")))
}

// last is the end of the story.
func (s *screen) last(text string) {
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

// during runs do and shows, while it takes long, what goes on and since when.
func (s *screen) during(what string, do func() error) error {
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
	start, said := time.Now(), time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-ticker.C:
			if now.Sub(start) >= patience && (s.term || now.Sub(said) >= quietFor) {
				s.alive(now.Sub(start))
				said = now
			}
		}
	}
}

func (s *screen) alive(since time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf("%s... %s (%s)", margin, s.doing, since.Round(time.Second))
	if !s.term {
		fmt.Fprintln(s.w, line)
		return
	}
	s.clear()
	fmt.Fprint(s.w, line)
	s.live = true
}

// Write takes the stack's progress, whole lines: finished builds are told, the
// rest is what the live line shows.
func (s *screen) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		line = strings.TrimSpace(line)
		s.set(strings.TrimSuffix(line, " ..."))
		if strings.HasPrefix(line, "build ") && !strings.HasSuffix(line, "...") {
			s.say("%s", line)
		}
	}
	return len(p), nil
}
