package show

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// quietFor is how often a wait without a terminal says that it still waits.
const quietFor = 10 * time.Second

// State is one state of a run to be shown.
type State struct {
	Phase, Step    string
	Objects, Total int64
	Bytes          int64
	// Volumes have a complete snapshot, or are restored.
	Volumes, TotalVolumes int
	VolumesPercent        int // of the data of all snapshots; 0: the provider does not tell
	Warnings              int
	Errors                int
	Trouble               string
}

// Progress shows a run while it goes on: one live line on a terminal, a line now
// and then elsewhere. Trouble gets a line of its own when it begins. Safe for
// concurrent use.
type Progress struct {
	w       io.Writer
	width   func() int // columns of the terminal, 0 when there is none
	now     func() time.Time
	started time.Time

	mu      sync.Mutex
	live    bool // a live line stands on the screen
	said    time.Time
	step    string
	trouble string
}

// NewProgress shows on w. width gives the terminal's columns at the moment, 0
// where w is no terminal.
func NewProgress(w io.Writer, width func() int, now func() time.Time) *Progress {
	return &Progress{w: w, width: width, now: now, started: now()}
}

// Show takes a new state.
func (p *Progress) Show(s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(Clean(s.Trouble))
	now := p.now()
	line := s.Line(now.Sub(p.started))
	if width := p.width(); width > 0 {
		p.print("\r\x1b[K" + clip(line, width-1))
		p.live = true
		return
	}
	if s.Step != p.step || now.Sub(p.said) >= quietFor {
		p.step, p.said = s.Step, now
		p.print(line + "\n")
	}
}

// note tells a new trouble, and that it is over.
func (p *Progress) note(trouble string) {
	if trouble == p.trouble {
		return
	}
	over := trouble == ""
	p.trouble = trouble
	p.clear()
	if over {
		p.print("note: all is well again\n")
		return
	}
	p.print("note: " + trouble + "\n")
}

// Done takes the live line away, so that results follow on a clean line.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *Progress) clear() {
	if p.live {
		p.print("\r\x1b[K")
		p.live = false
	}
}

// print drops errors: progress is a courtesy, and a run that is waited for must not
// be given up because nobody reads it.
func (p *Progress) print(text string) { _, _ = io.WriteString(p.w, text) }

// Line is the state in one line.
func (s State) Line(elapsed time.Duration) string {
	parts := []string{"[" + Clock(elapsed) + "]", Or(s.Phase, "New")}
	if objects := s.objects(); objects != "" {
		parts = append(parts, objects)
	}
	if volumes := s.volumes(); volumes != "" {
		parts = append(parts, volumes)
	}
	if s.Bytes > 0 {
		parts = append(parts, Bytes(s.Bytes))
	}
	if s.Warnings+s.Errors > 0 {
		parts = append(parts, Plural(int64(s.Warnings), "warning")+", "+Plural(int64(s.Errors), "error"))
	}
	if s.Step != "" {
		parts = append(parts, Clean(s.Step))
	}
	return strings.Join(parts, "  ")
}

func (s State) objects() string {
	switch {
	case s.Total > 0:
		percent := min(100, s.Objects*100/s.Total)
		return fmt.Sprintf("%s/%s objects (%d%%)", Count(s.Objects), Count(s.Total), percent)
	case s.Objects > 0:
		return Plural(s.Objects, "object")
	default:
		return ""
	}
}

func (s State) volumes() string {
	if s.TotalVolumes == 0 {
		return ""
	}
	text := fmt.Sprintf("%s/%s volumes", Count(int64(s.Volumes)), Count(int64(s.TotalVolumes)))
	if s.VolumesPercent > 0 {
		text += fmt.Sprintf(" (%d%%)", s.VolumesPercent)
	}
	return text
}

// clip cuts a line to the width of the terminal: a wrapped line cannot be
// overwritten.
func clip(line string, width int) string {
	if width < 1 || utf8.RuneCountInString(line) <= width {
		return line
	}
	runes := []rune(line)
	return string(runes[:width-1]) + "…"
}
