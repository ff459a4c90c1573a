package stack

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// echoServer answers each line with itself.
func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }()
		}
	}()
	return l.Addr().String()
}

func say(conn net.Conn, line string) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestProxyCutsAndHeals(t *testing.T) {
	p, err := NewProxy("http://" + echoServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := say(conn, "before"); got != "before\n" {
		t.Fatalf("through the proxy: got %q, %v", got, err)
	}

	p.Cut()
	if got, err := say(conn, "cut"); err == nil {
		t.Errorf("open connection survived the cut: got %q", got)
	}
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("a cut proxy accepts connections")
	}

	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	again, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatalf("after heal: %v", err)
	}
	defer again.Close()
	if got, err := say(again, "after"); got != "after\n" {
		t.Fatalf("after heal: got %q, %v", got, err)
	}
}

func TestProxyPassesHalfClose(t *testing.T) {
	p, err := NewProxy(echoServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "last words")
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
	if got, err := io.ReadAll(conn); string(got) != "last words" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestClosedProxyStaysClosed(t *testing.T) {
	p, err := NewProxy(echoServer(t))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("a closed proxy healed")
	}
}
