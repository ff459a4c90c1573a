package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/klog/v2"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

// dialAgain is the pause before a forward that broke is made anew.
const dialAgain = time.Second

// Forward listens on a port of this machine's loopback and carries what comes in to a port of a
// pod, until ctx ends. A connection to the API server that breaks takes those that it carries
// with it, and is made anew behind the same port.
func Forward(ctx context.Context, c *kube.Client, namespace, pod string, port int32) (local int, err error) {
	// client-go logs each connection that ends; what fails is seen by who uses the port.
	ctx = klog.NewContext(ctx, logr.Discard())
	first, ended, err := forwardOnce(ctx, c, namespace, pod, 0, port)
	if err != nil {
		return 0, err
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-ended:
			}
			for ctx.Err() == nil {
				if _, ended, err = forwardOnce(ctx, c, namespace, pod, first, port); err == nil {
					break
				}
				_ = poll.Wait(ctx, dialAgain)
			}
		}
	}()
	return first, nil
}

// forwardOnce forwards until ended is closed.
func forwardOnce(ctx context.Context, c *kube.Client, namespace, pod string, from int, port int32) (local int, ended <-chan struct{}, err error) {
	dialer, err := newDialer(c, namespace, pod)
	if err != nil {
		return 0, nil, err
	}
	ready, over := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("%d:%d", from, port)}, ready, io.Discard, io.Discard)
	if err != nil {
		return 0, nil, err
	}
	var failed error
	go func() {
		defer close(over)
		failed = forwarder.ForwardPorts()
	}()
	select {
	case <-ready:
		ports, err := forwarder.GetPorts()
		if err != nil || len(ports) == 0 {
			return 0, nil, errors.Join(errors.New("port-forward listens on no port"), err)
		}
		return int(ports[0].Local), over, nil
	case <-over:
		return 0, nil, fmt.Errorf("port-forward to port %d of pods %s/%s: %w", port, namespace, pod, errors.Join(failed, ctx.Err()))
	}
}
