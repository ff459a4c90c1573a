package kube

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"
)

// stream runs argv and returns when its streams have ended. It uses a connection
// of its own and no slot of the limiter: a command may run for minutes and costs
// the API server nothing meanwhile.
func (c *Client) stream(ctx context.Context, r ExecRequest, argv []string, out *execOutput) error {
	// client-go logs what it returns as well, and reports streams that we cut.
	ctx = klog.NewContext(ctx, logr.Discard())
	target := c.base.JoinPath(Pods().path(r.Namespace, r.Pod, "exec"))
	target.RawQuery = url.Values{
		"container": {r.Container}, "command": argv, "stdout": {"true"}, "stderr": {"true"},
	}.Encode()
	opts := remotecommand.StreamOptions{Stdout: out, Stderr: out.errors()}
	// A WebSocket is a GET and needs the verb get of pods/exec on API servers
	// before 1.35; SPDY is a POST and needs create.
	first, err := remotecommand.NewWebSocketExecutor(c.cfg, http.MethodGet, target.String())
	if err != nil {
		return err
	}
	err = first.StreamWithContext(ctx, opts)
	if err == nil || !httpstream.IsUpgradeFailure(err) && !httpstream.IsHTTPSProxyError(err) {
		return err
	}
	second, fail := remotecommand.NewSPDYExecutor(c.cfg, http.MethodPost, target)
	if fail != nil {
		return fail
	}
	return clearer(err, second.StreamWithContext(ctx, opts))
}

// clearer picks the error of the second protocol, unless it is a refusal as well
// and only the first has the server's status.
func clearer(first, second error) error {
	var up *httpstream.UpgradeFailureError
	var status *StatusError
	if second != nil && neverStarted(second) && errors.As(first, &up) && errors.As(up.Cause, &status) {
		return status
	}
	return second
}
