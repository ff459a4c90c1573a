package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// quiet is how long a port has to stay without an error until it counts as open: a kubelet
// tells of a refused connection, and says nothing of one that was made.
const quiet = time.Second

// Port connects to a port of a pod through port-forward, over a WebSocket or SPDY, and closes
// the connection. nil says that something listens there: it sent bytes, or nobody refused
// for a second.
func Port(ctx context.Context, c *kube.Client, namespace, pod string, port int32) error {
	done := make(chan error, 1)
	go func() { done <- connectPort(ctx, c, namespace, pod, port) }() // dialling knows no context
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("port-forward to port %d of pods %s/%s: %w", port, namespace, pod, err)
	}
	return nil
}

func connectPort(ctx context.Context, c *kube.Client, namespace, pod string, port int32) error {
	dialer, err := newDialer(c, namespace, pod)
	if err != nil {
		return err
	}
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	refusals, data, err := openStreams(connection, port)
	if err != nil {
		return err
	}
	return awaitAnswer(ctx, refusals, data)
}

func newDialer(c *kube.Client, namespace, pod string) (httpstream.Dialer, error) {
	config, at := c.RESTConfig(), c.SubresourceURL(kube.Pods(), namespace, pod, "portforward")
	first, err := portforward.NewSPDYOverWebsocketDialerForStreaming(at, config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	second := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	return portforward.NewFallbackDialerForStreaming(first, second, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// openStreams asks for a connection to a port: one stream for what goes wrong, one for data.
func openStreams(connection httpstream.Connection, port int32) (refusals, data io.Reader, err error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	first, err := connection.CreateStream(headers)
	if err != nil {
		return nil, nil, err
	}
	_ = first.Close() // nothing is written to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	second, err := connection.CreateStream(headers)
	return first, second, err
}

// awaitAnswer waits for a refusal, for bytes, or until it has been quiet for long enough.
func awaitAnswer(ctx context.Context, refusals, data io.Reader) error {
	const longest = 512
	refused, greeted := make(chan string, 1), make(chan bool, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(refusals, longest)) // the end of the connection ends it
		refused <- string(text)
	}()
	go func() {
		n, _ := data.Read(make([]byte, 1))
		greeted <- n > 0
	}()
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		select {
		case text := <-refused:
			if text != "" {
				return errors.New(text)
			}
			refused = nil
		case something := <-greeted:
			if something {
				return nil
			}
			greeted = nil
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
