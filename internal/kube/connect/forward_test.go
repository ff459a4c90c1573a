package connect_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/lifeboat-backup/lifeboat/internal/kube/connect"
)

// echoes plays the kubelet of a pod that sends back what it gets, and gives each connection.
func echoes(connections chan<- httpstream.Connection) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "no WebSockets here", http.StatusBadRequest)
			return
		}
		if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			return
		}
		connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, replied <-chan struct{}) error {
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeData {
				go func() {
					<-replied
					_, _ = io.Copy(s, s)
				}()
			}
			return nil
		})
		if connection != nil {
			connections <- connection
			<-connection.CloseChan()
		}
	}
}

// said is what a port of this machine answers.
func said(port int, text string) (string, error) {
	c, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	got := make([]byte, len(text))
	_, err = io.ReadFull(c, got)
	return string(got), err
}

// TestForward: bytes go both ways; a connection that breaks is made anew behind the same port; and
// at the end of its context nobody listens there.
func TestForward(t *testing.T) {
	connections := make(chan httpstream.Connection, 2)
	c := client(t, echoes(connections))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	port, err := connect.Forward(ctx, c, "n", "p", 6443)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := said(port, "first"); got != "first" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	_ = (<-connections).Close()
	<-connections // the next one
	var got string
	for end := time.Now().Add(10 * time.Second); got != "second" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		got, err = said(port, "second")
	}
	if got != "second" {
		t.Errorf("after the connection broke: %q, %v", got, err)
	}
	cancel()
	for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, err = said(port, "third")
	}
	if err == nil {
		t.Error("it listens after its end")
	}
}

// TestForwardRefused: what cannot be begun is an error at once.
func TestForwardRefused(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	if _, err := connect.Forward(t.Context(), c, "n", "p", 6443); err == nil {
		t.Error("a refusal is success")
	}
}
