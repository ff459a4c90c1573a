package exec

import "io"

// commandStdin is the stdin of a shell that waits for a line before it becomes the command.
// One goroutine calls release and end, while another one reads.
type commandStdin struct {
	released, ended bool
	line            chan byte
}

func newCommandStdin() *commandStdin { return &commandStdin{line: make(chan byte, 1)} }

// Read implements io.Reader. It waits for release or end.
func (s *commandStdin) Read(p []byte) (int, error) {
	b, more := <-s.line
	if !more {
		return 0, io.EOF
	}
	p[0] = b
	return 1, nil
}

// release sends the line. It never blocks, also if nothing reads any more.
func (s *commandStdin) release() {
	s.released = true
	s.line <- '\n'
	s.end()
}

// end ends stdin, and with it the shell that has read no line. It may be called again.
func (s *commandStdin) end() {
	if !s.ended {
		s.ended = true
		close(s.line)
	}
}
