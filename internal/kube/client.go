package kube

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lifeboat-backup/lifeboat/internal/kube/jsonlist"
)

// Options tunes a Client. The zero value is right for production.
type Options struct {
	// MinInFlight and MaxInFlight bound the adaptive concurrency; 0 means 4 and
	// 64.
	MinInFlight, MaxInFlight int
	// Connections is the number of TCP connections that requests are spread
	// over; 0 means 2. client-go would send all on one.
	Connections int
	// Timeout is how long the server may take to answer, or to send the next
	// bytes of an answer; 0 means 60 s, the API server's own limit.
	Timeout time.Duration
	// RetryFor is how long one call is tried again after 429, 5xx and lost
	// connections; 0 means 30 s, negative means not at all.
	RetryFor time.Duration
	// PageSize is the number of objects asked for in one list response; 0 means
	// 500, Velero's and kubectl's default.
	PageSize int64
	// MaxObject bounds one object's bytes; 0 means 8 MiB.
	MaxObject int
	// Compression asks for gzip responses: worth its CPU only far from the
	// server.
	Compression bool
	// UserAgent names us in the API server's audit log; empty means "lifeboat".
	UserAgent string
}

func (o Options) withDefaults() Options {
	setDefault(&o.MinInFlight, 4)
	setDefault(&o.MaxInFlight, 64)
	setDefault(&o.Connections, 2)
	setDefault(&o.Timeout, 60*time.Second)
	setDefault(&o.RetryFor, 30*time.Second)
	setDefault(&o.PageSize, 500)
	setDefault(&o.MaxObject, jsonlist.DefaultMaxItem)
	setDefault(&o.UserAgent, "lifeboat")
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Client talks to one API server. It is safe for concurrent use; a process
// needs one for each cluster, so that one Limiter sees all of its requests.
type Client struct {
	opts     Options
	cfg      *rest.Config
	base     *url.URL
	http     []*http.Client
	next     atomic.Uint64
	refused  atomic.Int64 // when a refusal last stood, in ns since 1970
	limiter  *Limiter
	splitter jsonlist.Splitter
}

// New makes a Client; it does not connect yet.
func New(cfg *RESTConfig, o Options) (*Client, error) {
	o = o.withDefaults()
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // the Limiter decides, not client-go's fixed rate
	cfg.DisableCompression = !o.Compression
	if cfg.UserAgent == "" {
		cfg.UserAgent = o.UserAgent
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("kube client: host %q: %w", cfg.Host, err)
	}
	c := &Client{opts: o, cfg: cfg, base: base, limiter: NewLimiter(o.MinInFlight, o.MaxInFlight)}
	c.splitter.MaxItem = o.MaxObject
	for range o.Connections {
		h, err := newConnection(cfg)
		if err != nil {
			return nil, fmt.Errorf("kube client: %w", err)
		}
		c.http = append(c.http, h)
	}
	return c, nil
}

// newConnection makes an HTTP client with a connection pool of its own. client-go
// shares one pool among all equal configurations; a dial function of its own
// makes a configuration unequal.
func newConnection(cfg *rest.Config) (*http.Client, error) {
	own := rest.CopyConfig(cfg)
	if own.Dial == nil && own.Transport == nil {
		own.Dial = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return rest.HTTPClientFor(own)
}

// Limiter is the client's adaptive concurrency limiter, for its figures.
func (c *Client) Limiter() *Limiter { return c.limiter }

// RESTConfig is a copy of how the client reaches its server and authenticates to it,
// for protocols that client-go speaks by itself.
func (c *Client) RESTConfig() *RESTConfig { return rest.CopyConfig(c.cfg) }

// SubresourceURL is the address of a subresource of an object, such as a pod's "exec".
func (c *Client) SubresourceURL(r Resource, namespace, name, subresource string) *url.URL {
	return c.base.JoinPath(r.urlPath(namespace, name, subresource))
}

// Close drops idle connections; running calls go on.
func (c *Client) Close() {
	for _, h := range c.http {
		h.CloseIdleConnections()
	}
}

// nextConnection picks the connection of the next request.
func (c *Client) nextConnection() *http.Client {
	return c.http[c.next.Add(1)%uint64(len(c.http))]
}
