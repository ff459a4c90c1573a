package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	readyPath = "/readyz"
	// refusalPause is after how long a refused request is sent once more. An API server that
	// starts serves requests some 20 to 170 ms before it has read its roles and refuses them.
	refusalPause = time.Second
	// refusalAge is how long one refusal that stood vouches for others, so that a role that
	// lacks a permission costs no pause a request.
	refusalAge = 5 * time.Second
)

// Ping asks whether the server has finished starting; the error says why it has not, or
// that it does not answer. One that keeps the answer to itself is taken to have.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.callBytes(ctx, call{method: http.MethodGet, path: readyPath, class: classRead, what: "ask whether the API server is ready"})
	if IsForbidden(err) || IsUnauthorized(err) || IsNotFound(err) {
		return nil
	}
	return err
}

// doubtRefusal decides about a refusal, which is what a server that is starting answers, too:
// one that is not ready has given no answer, and one that is ready is asked once more after a
// pause.
func (c *Client) doubtRefusal(ctx context.Context, k call, err error, again func() error) error {
	if k.path == readyPath || c.opts.RetryFor < 0 || time.Since(time.Unix(0, c.refused.Load())) < refusalAge {
		return err
	}
	if notReady := c.Ping(ctx); notReady != nil {
		return markLost(fmt.Errorf("it refused while it was not ready: %w", notReady))
	}
	if poll.Wait(ctx, refusalPause) != nil {
		return err
	}
	if err = again(); isRefusal(k, err) {
		c.refused.Store(time.Now().UnixNano())
	}
	return err
}

// isRefusal tells that the server refused who we are or what we may do. Admission, which
// also answers 403, does not see reads and has other words than "cannot".
func isRefusal(k call, err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status().Code {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return k.method == http.MethodGet || strings.Contains(status.Status().Message, " cannot ")
	}
	return false
}
