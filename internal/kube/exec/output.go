package exec

import (
	"bytes"
	"strings"
	"sync"
)

// maxStderrQuote bounds what an error quotes of stderr, in bytes.
const maxStderrQuote = 512

// output keeps the ends of a command's outputs and the process id that the
// shell prints in front of them. Writers may outlive the stream's call.
type output struct {
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

func newOutput(size int, marker string, shell bool) *output {
	return &output{shell: shell, marker: marker, known: make(chan string, 1), opened: !shell, stdout: tail{max: size}, stderr: tail{max: size}}
}

// Write receives stdout.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	if !o.opened {
		p = o.cutMarker(p)
	}
	o.stdout.appendBytes(p)
	return n, nil
}

// cutMarker takes the marker's line off and returns what belongs to the command.
func (o *output) cutMarker(p []byte) []byte {
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

// processID is the process id of the command; empty while it is not known.
func (o *output) processID() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.id
}

// stderrWriter is the writer of stderr.
func (o *output) stderrWriter() *stderrWriter { return (*stderrWriter)(o) }

// stderrWriter is the stderr of an output.
type stderrWriter output

// Write receives stderr.
func (o *stderrWriter) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stderr.appendBytes(p)
	return len(p), nil
}

func (o *output) toResult() Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stdout.appendBytes(o.head) // a first line that never ended is no marker
	o.head, o.opened = nil, true
	return Result{Stdout: o.stdout.lastBytes(), Stderr: o.stderr.lastBytes(), Cut: o.stdout.cut || o.stderr.cut}
}

// lastWords is the end of stderr in one line.
func (o *output) lastWords() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.stderr.lastBytes()
	text := strings.ToValidUTF8(string(b[max(0, len(b)-maxStderrQuote):]), "")
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.TrimSpace(strings.Join(lines, " | "))
}

// tail keeps the last max bytes.
type tail struct {
	max int
	buf []byte
	cut bool
}

func (t *tail) appendBytes(p []byte) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.max { // not at every write: copying costs
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.max:]...)
		t.cut = true
	}
}

func (t *tail) lastBytes() []byte {
	t.cut = t.cut || len(t.buf) > t.max
	return bytes.Clone(t.buf[max(0, len(t.buf)-t.max):])
}
