package chaos

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Call is one request as the proxy saw it.
type Call struct {
	Side   string // "s3" or "api"
	Sig    string // method and target, without what changes between runs
	Nth    int    // of this Sig, from 1
	At     time.Time
	Status int // the server's; 0 while there is none

	Query    url.Values
	IfAbsent bool            // a write on condition that nothing is there
	InFlight int             // with this one, when it arrived
	Gone     <-chan struct{} // closed when the client has given up, or has its answer

	entry *Call // in the proxy's memory
}

// Moment is a side of the server: on the way there, or back.
type Moment string

// Before the server sees a request; After it answered, before the client knows.
const (
	Before Moment = "before"
	After  Moment = "after"
)

// Answer takes the place of the server's. The zero Answer closes the connection.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Hook may act, block, or answer in the server's place; nil passes the call on.
type Hook func(c Call, m Moment) *Answer

// Proxy is an HTTP proxy on loopback between a worker and one component.
type Proxy struct {
	side   string
	addr   string
	name   func(*http.Request) string
	server *http.Server
	next   http.RoundTripper

	mu    sync.Mutex
	hook  Hook
	seen  map[string]int
	calls []*Call
	open  int // requests in flight
}

// NewProxy starts a proxy to target. name makes signatures. With a certificate it
// speaks TLS; roots are what it trusts of the server.
func NewProxy(side, target string, name func(*http.Request) string, cert *tls.Certificate, roots *x509.CertPool) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", target, err)
	}
	p := &Proxy{side: side, addr: l.Addr().String(), name: name, seen: map[string]int{}}
	p.next = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 64, DisableCompression: true,
	}
	quiet := log.New(io.Discard, "", 0)
	p.server = &http.Server{ErrorLog: quiet, ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
			r.Out.Host = r.In.Host // signatures cover it
		},
		Transport: p, ErrorLog: quiet,
		// A server that is gone looks like one to the client, not like a bad gateway.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
	}}
	go func() {
		if cert == nil {
			_ = p.server.Serve(l) // ends when closed
			return
		}
		p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
		_ = p.server.ServeTLS(l, "", "")
	}()
	return p, nil
}

// answered carries a hook's answer through the reverse proxy.
type answered struct{ *Answer }

func (answered) Error() string { return "answered by the test" }

func refuse(w http.ResponseWriter, err error) {
	var a answered
	if !errors.As(err, &a) || a.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	for k, v := range a.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// RoundTrip implements http.RoundTripper: it is where calls are counted and hooked.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := swallow(r); err != nil {
		return nil, err
	}
	c, hook := p.count(r)
	defer p.leave()
	if a := hook(c, Before); a != nil {
		return nil, answered{a}
	}
	resp, err := p.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	c = p.status(c, resp.StatusCode)
	if a := hook(c, After); a != nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return nil, answered{a}
	}
	return resp, nil
}

// swallow reads the whole request before anything is done about it: only then does the
// server part notice that a client has given up, and a request that was given up on
// while it was held is not sent on.
func swallow(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func (p *Proxy) count(r *http.Request) (Call, Hook) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sig := p.name(r)
	p.seen[sig]++
	p.open++
	c := &Call{
		Side: p.side, Sig: sig, Nth: p.seen[sig], At: time.Now(),
		Query: r.URL.Query(), IfAbsent: r.Header.Get("If-None-Match") != "", InFlight: p.open, Gone: r.Context().Done(),
	}
	c.entry = c
	p.calls = append(p.calls, c)
	if p.hook == nil {
		return *c, func(Call, Moment) *Answer { return nil }
	}
	return *c, p.hook
}

func (p *Proxy) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open--
}

func (p *Proxy) status(c Call, status int) Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.entry.Status = status
	return *c.entry
}

// Reset forgets all calls and sets the hook of those to come; nil is none.
func (p *Proxy) Reset(h Hook) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hook, p.seen, p.calls = h, map[string]int{}, nil
}

// Calls are those since Reset, in the order of their arrival.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Call, 0, len(p.calls))
	for _, c := range p.calls {
		out = append(out, *c)
	}
	return out
}

// Close ends the proxy.
func (p *Proxy) Close() { _ = p.server.Close() }

// servingPair is the API server's own certificate, which its clients trust.
func servingPair(caFile string) (*tls.Certificate, *x509.CertPool, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, nil, err
	}
	key := strings.TrimSuffix(caFile, filepath.Ext(caFile)) + ".key"
	cert, err := tls.LoadX509KeyPair(caFile, key)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &cert, roots, nil
}
