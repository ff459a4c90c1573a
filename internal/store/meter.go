package store

import (
	"io"
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// meter counts traffic; it is shared by all requests of a store.
type meter struct{ requests, read, written atomic.Int64 }

// Stats counts what went over the wire since the store was opened.
func (s *S3) Stats() Stats {
	return Stats{Requests: s.meter.requests.Load(), BytesRead: s.meter.read.Load(), BytesWritten: s.meter.written.Load()}
}

// countingClient counts requests and bytes. Request bytes are taken from the
// declared length: wrapping the body would hide its type from net/http.
type countingClient struct {
	next  aws.HTTPClient
	meter *meter
}

// Do sends the request and counts it.
func (c *countingClient) Do(req *http.Request) (*http.Response, error) {
	c.meter.requests.Add(1)
	if req.ContentLength > 0 {
		c.meter.written.Add(req.ContentLength)
	}
	resp, err := c.next.Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &countingBody{ReadCloser: resp.Body, n: &c.meter.read}
	return resp, nil
}

type countingBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}
