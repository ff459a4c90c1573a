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
	Waits          string // what the run waits for
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
	step    string // with what is waited for
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
	p.noteTrouble(Clean(s.Trouble))
	now := p.now()
	line := s.Line(now.Sub(p.started))
	if width := p.width(); width > 0 {
		p.printText("\r\x1b[K" + clipLine(line, width-1))
		p.live = true
		return
	}
	if step := s.stepText(); step != p.step || now.Sub(p.said) >= quietFor {
		p.step, p.said = step, now
		p.printText(line + "\n")
	}
}

// noteTrouble prints a trouble when it begins, and a line when it is over.
func (p *Progress) noteTrouble(trouble string) {
	if trouble == p.trouble {
		return
	}
	over := trouble == ""
	p.trouble = trouble
	p.clearLine()
	if over {
		p.printText("note: all is well again\n")
		return
	}
	p.printText("note: " + trouble + "\n")
}

// Done takes the live line away, so that results follow on a clean line.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clearLine()
}

func (p *Progress) clearLine() {
	if p.live {
		p.printText("\r\x1b[K")
		p.live = false
	}
}

// printText drops errors: progress is a courtesy, and a run that is waited for must not
// be given up because nobody reads it.
func (p *Progress) printText(text string) { _, _ = io.WriteString(p.w, text) }

// Line is the state in one line.
func (s State) Line(elapsed time.Duration) string {
	parts := []string{"[" + Clock(elapsed) + "]", Or(s.Phase, "New")}
	if objects := s.objectsText(); objects != "" {
		parts = append(parts, objects)
	}
	if volumes := s.volumesText(); volumes != "" {
		parts = append(parts, volumes)
	}
	if s.Bytes > 0 {
		parts = append(parts, Bytes(s.Bytes))
	}
	if s.Warnings+s.Errors > 0 {
		parts = append(parts, Plural(int64(s.Warnings), "warning")+", "+Plural(int64(s.Errors), "error"))
	}
	if step := s.stepText(); step != "" {
		parts = append(parts, Clean(step))
	}
	return strings.Join(parts, "  ")
}

// stepText is the step of the run, and what it waits for.
func (s State) stepText() string {
	if s.Waits == "" {
		return s.Step
	}
	return strings.TrimPrefix(s.Step+", waiting for "+s.Waits, ", ")
}

// objectsText says how many objects are done, and of how many where that is known.
func (s State) objectsText() string {
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

// volumesText says how many volumes are done; it is empty for a run without volumes.
func (s State) volumesText() string {
	if s.TotalVolumes == 0 {
		return ""
	}
	text := fmt.Sprintf("%s/%s volumes", Count(int64(s.Volumes)), Count(int64(s.TotalVolumes)))
	if s.VolumesPercent > 0 {
		text += fmt.Sprintf(" (%d%%)", s.VolumesPercent)
	}
	return text
}

// clipLine cuts a line to the width of the terminal: a wrapped line cannot be
// overwritten.
func clipLine(line string, width int) string {
	if width < 1 || utf8.RuneCountInString(line) <= width {
		return line
	}
	runes := []rune(line)
	return string(runes[:width-1]) + "…"
}
