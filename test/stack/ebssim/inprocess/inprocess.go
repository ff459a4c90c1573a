// Package inprocess hands requests to a simulator without a network, so that a test in virtual
// time waits for nothing but timers.
package inprocess

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
)

// Do is the simulator's answer to the request of a client. Its error is io.ErrUnexpectedEOF
// where the simulator drops the connection.
func Do(sim http.Handler, r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	rec := &recorder{ResponseRecorder: httptest.NewRecorder()}
	sim.ServeHTTP(rec, in)
	if rec.dropped {
		return nil, io.ErrUnexpectedEOF
	}
	return rec.Result(), nil
}

// recorder lets the simulator drop the connection.
type recorder struct {
	*httptest.ResponseRecorder
	dropped bool
}

func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.dropped = true
	ours, theirs := net.Pipe()
	_ = theirs.Close()
	return ours, nil, nil
}
