package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/net"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

const (
	acceptJSON = "application/json"
	// The second choice is for aggregated servers that know no metadata view.
	acceptMetaList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
	// maxStatus bounds the body of a refusal that is read; a Status with a
	// cause for every field of an object stays far below.
	maxStatus = 1 << 20
)

// call is one request, without its tries.
type call struct {
	method, path string
	query        url.Values
	body         []byte
	contentType  string // of body
	accept       string // empty means JSON
	class        class
	what         string            // for errors: "create secrets bookstore/db"
	warn         func(text string) // receives the server's warnings; may be nil
}

// callBytes performs a call and returns the response body.
func (c *Client) callBytes(ctx context.Context, k call) ([]byte, error) {
	var out []byte
	err := c.callUntilDone(ctx, k, func(body io.Reader) error {
		var buf bytes.Buffer
		_, err := buf.ReadFrom(io.LimitReader(body, int64(c.opts.MaxObject)+1))
		if err == nil && buf.Len() > c.opts.MaxObject {
			return fmt.Errorf("response is larger than %d bytes: %w", c.opts.MaxObject, ErrTooLarge)
		}
		out = buf.Bytes()
		return markLost(err)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// callUntilDone performs a call until it succeeds, fails for good, or has been tried for
// RetryFor. read receives the body of a success; an error of it that is a
// lostError causes another try.
func (c *Client) callUntilDone(ctx context.Context, k call, read func(io.Reader) error) error {
	retry := newRetry(c.opts.RetryFor)
	for {
		err := c.callOnce(ctx, k, read)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", k.what, context.Cause(ctx))
		}
		wait, again := retry.nextWait(err)
		if !again && isRefusal(k, err) {
			if err = c.doubtRefusal(ctx, k, err, func() error { return c.callOnce(ctx, k, read) }); err == nil {
				return nil
			}
			wait, again = retry.nextWait(err)
		}
		if !again {
			return fmt.Errorf("%s: %w", k.what, err)
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return fmt.Errorf("%s: %w", k.what, err)
		}
	}
}

// callOnce is one try: it holds a slot of the limiter from the request to the end
// of the body.
func (c *Client) callOnce(ctx context.Context, k call, read func(io.Reader) error) error {
	slot, err := c.limiter.Acquire(ctx, k.class)
	if err != nil {
		return err
	}
	if err := k.checkLease(ctx); err != nil {
		slot.Release(OutcomeLost)
		return err
	}
	ctx, measured := telemetry.BeginCall(ctx, "kubernetes", k.operation())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := newWatchdog(c.opts.Timeout, cancel)
	defer idle.stopTimer()
	resp, err := c.sendRequest(ctx, k) //nolint:bodyclose // drain closes it
	if err != nil {
		slot.Release(OutcomeLost)
		measured.End(ctx, 0, telemetry.ResultLost)
		return markLost(watchdogCause(ctx, err))
	}
	defer drainBody(resp.Body)
	slot.noteResponse()
	measured.End(ctx, resp.StatusCode, resultOf(resp.StatusCode))
	body := &watchedBody{resp.Body, idle}
	if resp.StatusCode >= http.StatusMultipleChoices {
		slot.Release(outcomeOf(resp.StatusCode))
		text, _ := io.ReadAll(io.LimitReader(body, maxStatus)) // what is missing makes it no Status
		return statusError(resp, text)
	}
	defer slot.Release(OutcomeOK)
	reportWarnings(resp, k.warn)
	return watchdogCause(ctx, read(body))
}

// checkLease fails where the call would change something for an attempt that counts as dead.
func (k call) checkLease(ctx context.Context) error {
	if k.method == http.MethodGet {
		return nil
	}
	return lease.Check(ctx)
}

// operation is what a call does, in the words of the API server's own rules. It names no type:
// a cluster may have hundreds.
func (k call) operation() string {
	switch {
	case k.class == classList:
		return "list"
	case k.method == http.MethodGet:
		return "get"
	case k.method == http.MethodPost:
		return "create"
	case k.method == http.MethodPut:
		return "update"
	}
	return strings.ToLower(k.method)
}

// resultOf is what became of a request, as telemetry has it. That there is no such object, or
// one already, is an answer.
func resultOf(status int) string {
	switch {
	case status < http.StatusBadRequest, status == http.StatusNotFound, status == http.StatusConflict:
		return telemetry.ResultOK
	case outcomeOf(status) == OutcomeThrottled:
		return telemetry.ResultThrottled
	}
	return telemetry.ResultRefused
}

func (c *Client) sendRequest(ctx context.Context, k call) (*http.Response, error) {
	u := *c.base
	u.Path, u.RawPath = "", ""
	target := u.String() + trimSlash(c.base.EscapedPath()) + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, bytes.NewReader(k.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", acceptJSON)
	if k.accept != "" {
		req.Header.Set("Accept", k.accept)
	}
	if k.contentType != "" {
		req.Header.Set("Content-Type", k.contentType)
	}
	return c.nextConnection().Do(req)
}

func trimSlash(path string) string {
	for len(path) > 0 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	return path
}

// reportWarnings hands on the texts of the response's Warning headers.
func reportWarnings(resp *http.Response, warn func(string)) {
	if warn == nil {
		return
	}
	found, _ := net.ParseWarningHeaders(resp.Header["Warning"]) // what cannot be read is no warning to show
	for _, w := range found {
		warn(w.Text)
	}
}

// drainBody reads what little may be left so that the connection can be reused.
func drainBody(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10)
	_ = body.Close()
}

// markLost marks an error of the connection.
func markLost(err error) error {
	if err == nil {
		return nil
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the URL says nothing that the call's name does not
	}
	return &lostError{err}
}

// watchdogCause puts the watchdog's reason in the place of "context canceled".
func watchdogCause(ctx context.Context, err error) error {
	if err != nil && errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errIdle) {
		return &lostError{errIdle}
	}
	return err
}

// errIdle is the watchdog's reason.
var errIdle = errors.New("the server stopped sending")

// watchdog cancels a request when the server is silent for too long. The time
// that the reader of the body takes between reads does not count.
type watchdog struct {
	after time.Duration
	timer *time.Timer
}

func newWatchdog(after time.Duration, cancel context.CancelCauseFunc) *watchdog {
	return &watchdog{after, time.AfterFunc(after, func() { cancel(errIdle) })}
}

func (w *watchdog) stopTimer() { w.timer.Stop() }

type watchedBody struct {
	io.Reader
	idle *watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.idle.timer.Reset(b.idle.after)
	n, err := b.Reader.Read(p)
	b.idle.timer.Stop()
	return n, err
}
