package stack

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// Proxy is a TCP proxy on loopback, to stand between a client and a component
// and cut the line as a network would. TLS and request signatures pass through.
type Proxy struct {
	target string
	addr   string

	mu       sync.Mutex
	listener net.Listener // nil while cut
	conns    map[net.Conn]struct{}
	closed   bool
}

// NewProxy starts a proxy to a target, host:port or the URL of a component.
func NewProxy(target string) (*Proxy, error) {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		target = u.Host
	}
	port, err := freePort() // fixed, so that Heal finds it free again
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, addr: loopback(port), conns: map[net.Conn]struct{}{}}
	return p, p.Heal()
}

// Addr is the proxy's host:port; it stays the same over Cut and Heal.
func (p *Proxy) Addr() string { return p.addr }

// Cut drops every connection and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		conn.Close()
	}
	clear(p.conns)
}

// Heal accepts connections again; on a proxy that is not cut it does nothing.
func (p *Proxy) Heal() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("proxy to %s: %w", p.target, err)
	}
	p.listener = l
	go p.serve(l)
	return nil
}

// Close ends the proxy for good.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
}

func (p *Proxy) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go p.forward(l, client)
	}
}

func (p *Proxy) forward(l net.Listener, client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		client.Close()
		return
	}
	if !p.keep(l, client, server) {
		return
	}
	defer p.drop(client, server)
	done := make(chan struct{})
	go func() { defer close(done); pipe(server, client) }()
	pipe(client, server)
	<-done
}

// pipe copies one direction and passes on its end, so that a half-closed
// connection still carries the answer.
func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	tcp, ok := to.(*net.TCPConn)
	if err != nil || !ok || tcp.CloseWrite() != nil {
		to.Close()
	}
}

// keep registers the pair, unless the line was cut since its client was accepted.
func (p *Proxy) keep(l net.Listener, pair ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range pair {
		if p.listener != l {
			conn.Close()
			continue
		}
		p.conns[conn] = struct{}{}
	}
	return p.listener == l
}

func (p *Proxy) drop(pair ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range pair {
		conn.Close()
		delete(p.conns, conn)
	}
}
