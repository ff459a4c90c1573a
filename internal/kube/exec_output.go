package kube

import (
	"bytes"
	"strings"
	"sync"
)

// execWords bounds what an error quotes of stderr, in bytes.
const execWords = 512

// execOutput keeps the ends of a command's outputs and the process id that the
// shell prints in front of them. Writers may outlive the stream's call.
type execOutput struct {
	shell  bool
	marker string

	mu     sync.Mutex
	stdout tail
	stderr tail
	head   []byte // the first line as far as it has come; nil after it
	opened bool   // the first line is complete
	id     string
	known  chan string // receives id; never blocks
}

func newExecOutput(size int, marker string, shell bool) *execOutput {
	return &execOutput{shell: shell, marker: marker, known: make(chan string, 1), opened: !shell, stdout: tail{max: size}, stderr: tail{max: size}}
}

// Write receives stdout.
func (o *execOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	if !o.opened {
		p = o.first(p)
	}
	o.stdout.add(p)
	return n, nil
}

// first takes the marker's line off and returns what belongs to the command.
func (o *execOutput) first(p []byte) []byte {
	o.head = append(o.head, p...)
	line, rest, found := bytes.Cut(o.head, []byte{'\n'})
	if !found && len(o.head) < len(o.marker)+32 {
		return nil
	}
	all := o.head
	o.opened, o.head = true, nil
	id, ours := strings.CutPrefix(strings.TrimSuffix(string(line), "\r"), o.marker+" ")
	if !ours {
		return all
	}
	o.id = id
	o.known <- id
	return rest
}

// pid is the process id of the command; empty while it is not known.
func (o *execOutput) pid() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.id
}

// errors is the writer of stderr.
func (o *execOutput) errors() *execErrors { return (*execErrors)(o) }

// execErrors is the stderr of an execOutput.
type execErrors execOutput

// Write receives stderr.
func (o *execErrors) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stderr.add(p)
	return len(p), nil
}

func (o *execOutput) result() ExecResult {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stdout.add(o.head) // a first line that never ended is no marker
	o.head, o.opened = nil, true
	return ExecResult{Stdout: o.stdout.bytes(), Stderr: o.stderr.bytes(), Cut: o.stdout.cut || o.stderr.cut}
}

// lastWords is the end of stderr in one line.
func (o *execOutput) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.stderr.bytes()
	text := strings.ToValidUTF8(string(b[max(0, len(b)-execWords):]), "")
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.TrimSpace(strings.Join(lines, " | "))
}

// tail keeps the last max bytes.
type tail struct {
	max int
	buf []byte
	cut bool
}

func (t *tail) add(p []byte) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.max { // not at every write: copying costs
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.max:]...)
		t.cut = true
	}
}

func (t *tail) bytes() []byte {
	t.cut = t.cut || len(t.buf) > t.max
	return bytes.Clone(t.buf[max(0, len(t.buf)-t.max):])
}
