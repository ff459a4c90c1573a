// Command ebscsi is the local stack's CSI driver of EBS, under either of its names: controller, node
// service with registration at the kubelet, provisioner, and an attacher for nodes
// that have no kubelet. It talks to the EBS simulator through the EC2 API; only
// where a volume's data lies it asks of the simulator's admin API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/kubelet"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "ebscsi:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ec2, err := cloud.New(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	controller := driver.NewController(ec2)
	services := []registrar{&driver.Identity{Driver: o.driver}}
	if o.runs(controllerMode) {
		services = append(services, controller)
	}
	if o.runs(nodeMode) {
		node, err := newNode(ctx, cancel, o, ec2)
		if err != nil {
			return err
		}
		services = append(services, node)
	}
	if err := serve(ctx, cancel, o.address, services...); err != nil {
		return err
	}
	if o.runs(controllerMode) {
		if err := control(ctx, o, ec2, controller); err != nil {
			return err
		}
	}
	serveHealth(ctx, cancel, o.health)
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// newNode also serves the socket by which the kubelet learns of the driver.
func newNode(ctx context.Context, cancel context.CancelCauseFunc, o options, ec2 *cloud.Client) (*driver.Node, error) {
	sim, err := simulator.New(o.endpoint, o.adminTokens)
	if err != nil {
		return nil, err
	}
	registration := &kubelet.Registration{Driver: o.driver, Socket: o.address}
	if err := serve(ctx, cancel, registration.Path(o.registry), registration); err != nil {
		return nil, err
	}
	return &driver.Node{Cloud: ec2, VolumeDir: sim.VolumeDir, InstanceID: o.instance, Zone: o.zone}, nil
}

// serveHealth answers once everything above has started.
func serveHealth(ctx context.Context, cancel context.CancelCauseFunc, address string) {
	if address == "" {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			cancel(fmt.Errorf("serve health: %w", err))
		}
	}()
	slog.Info("the driver works", "health", address)
}
