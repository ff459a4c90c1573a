package kubetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// execStreams are the streams of one command, over either protocol.
type execStreams interface {
	// stdin ends when the client ends it, or the connection.
	stdin() io.Reader
	stdout() io.Writer
	stderr() io.Writer
	// gone is closed when the client has closed the connection.
	gone() <-chan struct{}
	// writeStatus says how the command ended. It comes last.
	writeStatus(status []byte)
	close()
}

// openStreams upgrades a request to the protocol that it asks for, and answers nil once
// it has refused. WebSockets are a GET and SPDY is a POST, as API servers have it.
func openStreams(w http.ResponseWriter, r *http.Request) execStreams {
	switch {
	case r.Method == http.MethodGet && websocket.IsWebSocketUpgrade(r):
		return openWebSocket(w, r)
	case r.Method == http.MethodPost && httpstream.IsUpgradeRequest(r):
		return openSPDY(w, r)
	}
	writeError(w, apierrors.NewBadRequest("unable to upgrade connection: the request asks for neither protocol of exec"))
	return nil
}

// execStatus is the status that ends a command: its exit code, or the error of the
// container runtime.
func execStatus(code int, err error) []byte {
	status := metav1.Status{Status: metav1.StatusSuccess}
	switch {
	case err != nil:
		status = apierrors.NewInternalError(err).ErrStatus
	case code != 0:
		status = metav1.Status{Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Details: &metav1.StatusDetails{
			Causes: []metav1.StatusCause{{Type: "ExitCode", Message: strconv.Itoa(code)}},
		}}
	}
	raw, _ := json.Marshal(status) // a Status can be encoded
	return raw
}

// webSocket has the streams of pods/exec version 5: each message begins with the number
// of its channel.
type webSocket struct {
	mu     sync.Mutex
	conn   *websocket.Conn
	input  *io.PipeReader
	closed chan struct{}
}

func openWebSocket(w http.ResponseWriter, r *http.Request) execStreams {
	up := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return nil // Upgrade has answered
	}
	reader, writer := io.Pipe()
	s := &webSocket{conn: conn, input: reader, closed: make(chan struct{})}
	go func() {
		defer close(s.closed)
		defer func() { _ = writer.Close() }()
		for { // pings are answered while reading
			_, message, err := conn.ReadMessage()
			switch {
			case err != nil:
				return
			case bytes.Equal(message, []byte{255, 0}): // the client has ended channel 0
				_ = writer.Close()
			case len(message) > 0 && message[0] == 0:
				_, _ = writer.Write(message[1:])
			}
		}
	}()
	return s
}

func (s *webSocket) stdin() io.Reader      { return s.input }
func (s *webSocket) stdout() io.Writer     { return webSocketChannel{s, 1} }
func (s *webSocket) stderr() io.Writer     { return webSocketChannel{s, 2} }
func (s *webSocket) gone() <-chan struct{} { return s.closed }

func (s *webSocket) writeStatus(status []byte) {
	_, _ = webSocketChannel{s, 3}.Write(status)
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

func (s *webSocket) close() {
	_ = s.input.Close()
	_ = s.conn.Close()
}

type webSocketChannel struct {
	socket *webSocket
	number byte
}

// Write implements io.Writer.
func (c webSocketChannel) Write(p []byte) (int, error) {
	c.socket.mu.Lock()
	defer c.socket.mu.Unlock()
	return len(p), c.socket.conn.WriteMessage(websocket.BinaryMessage, append([]byte{c.number}, p...))
}

// spdyStreams are the streams of pods/exec version 4 over SPDY, by their type.
type spdyStreams struct {
	conn    httpstream.Connection
	byType  map[string]httpstream.Stream
	arrived chan httpstream.Stream
}

// openSPDY waits until the client has opened its streams: three, and one more with a stdin.
func openSPDY(w http.ResponseWriter, r *http.Request) execStreams {
	if _, err := httpstream.Handshake(r, w, []string{"v4.channel.k8s.io"}); err != nil {
		writeError(w, apierrors.NewBadRequest(err.Error()))
		return nil
	}
	count := 3
	if r.URL.Query().Get("stdin") == "true" {
		count++
	}
	s := &spdyStreams{byType: map[string]httpstream.Stream{}, arrived: make(chan httpstream.Stream, count)}
	s.conn = spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replySent <-chan struct{}) error {
		if stream.Headers().Get("streamType") == "stdin" && count == 3 {
			return errors.New("kubetest: the command has no stdin")
		}
		go func() {
			<-replySent
			s.arrived <- stream
		}()
		return nil
	})
	if s.conn == nil {
		return nil // UpgradeResponse has answered
	}
	for len(s.byType) < count {
		select {
		case stream := <-s.arrived:
			s.byType[stream.Headers().Get("streamType")] = stream
		case <-s.conn.CloseChan():
			return nil
		}
	}
	return s
}

func (s *spdyStreams) stdin() io.Reader  { return s.byType["stdin"] }
func (s *spdyStreams) stdout() io.Writer { return s.byType["stdout"] }
func (s *spdyStreams) stderr() io.Writer { return s.byType["stderr"] }

func (s *spdyStreams) gone() <-chan struct{} {
	out := make(chan struct{})
	go func() {
		defer close(out)
		<-s.conn.CloseChan()
	}()
	return out
}

func (s *spdyStreams) writeStatus(status []byte) { _, _ = s.byType["error"].Write(status) }

func (s *spdyStreams) close() {
	for _, stream := range s.byType {
		_ = stream.Close()
	}
	_ = s.conn.Close()
}
