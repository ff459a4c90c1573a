package exec

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// streamCommand runs argv and returns when its streams have ended. It uses a connection
// of its own and no slot of the limiter: a command may run for minutes and costs
// the API server nothing meanwhile. stdin may be nil.
func (e *execution) streamCommand(ctx context.Context, argv []string, stdin *commandStdin, out *output) error {
	// client-go logs what it returns as well, and reports streams that we cut.
	ctx = klog.NewContext(ctx, logr.Discard())
	target := e.client.SubresourceURL(kube.Pods(), e.req.Namespace, e.req.Pod, "exec")
	query := url.Values{"container": {e.req.Container}, "command": argv, "stdout": {"true"}, "stderr": {"true"}}
	opts := remotecommand.StreamOptions{Stdout: out, Stderr: out.stderrWriter()}
	if stdin != nil {
		query.Set("stdin", "true")
		opts.Stdin = stdin
	}
	target.RawQuery = query.Encode()
	// A WebSocket is a GET and needs the verb get of pods/exec on API servers
	// before 1.35; SPDY is a POST and needs create.
	cfg := e.client.RESTConfig()
	first, err := remotecommand.NewWebSocketExecutor(cfg, http.MethodGet, target.String())
	if err != nil {
		return err
	}
	err = first.StreamWithContext(ctx, opts)
	if err == nil || !httpstream.IsUpgradeFailure(err) && !httpstream.IsHTTPSProxyError(err) {
		return err
	}
	second, fail := remotecommand.NewSPDYExecutor(cfg, http.MethodPost, target)
	if fail != nil {
		return fail
	}
	return clearerError(err, second.StreamWithContext(ctx, opts))
}

// clearerError picks the error of the second protocol, unless it is a refusal as well
// and only the first has the server's status.
func clearerError(first, second error) error {
	var up *httpstream.UpgradeFailureError
	var status *apierrors.StatusError
	if second != nil && isNeverStarted(second) && errors.As(first, &up) && errors.As(up.Cause, &status) {
		return status
	}
	return second
}
