package main

import (
	"io"
	"net"
	"sync/atomic"
)

// counter is a TCP proxy that counts the bytes which the server sends.
type counter struct {
	l      net.Listener
	target string
	n      atomic.Int64
}

func newCounter(target string) (*counter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{l: l, target: target}
	go c.serve()
	return c, nil
}

func (c *counter) Addr() string { return c.l.Addr().String() }
func (c *counter) Read() int64  { return c.n.Load() }
func (c *counter) Close() error { return c.l.Close() }

func (c *counter) serve() {
	for {
		client, err := c.l.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", c.target)
		if err != nil {
			client.Close()
			continue
		}
		go func() {
			defer server.Close()
			_, _ = io.Copy(server, client) // a broken connection is the client's to notice
		}()
		go func() {
			defer client.Close()
			_, _ = io.Copy(client, io.TeeReader(server, c))
		}()
	}
}

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
