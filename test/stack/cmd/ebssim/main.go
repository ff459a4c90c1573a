// Command ebssim serves the EBS simulator over HTTP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// grace is how long calls under way may take to end.
const grace = 5 * time.Second

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ebssim:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ebssim", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to serve on")
	dir := flags.String("dir", "", "directory for data and state, over that of the config")
	config := flags.String("config", "", "JSON file of options: accounts, credentials, limits")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *config == "" {
		return errors.New("--config: name a file of options; it has the credentials, which arguments would show to everybody")
	}
	options, err := ebssim.ReadOptions(*config)
	if err != nil {
		return err
	}
	if *dir != "" {
		options.Dir = *dir
	}
	sim, err := ebssim.New(options)
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, sim, *listen, out), sim.Close())
}

func serve(ctx context.Context, sim *ebssim.Sim, address string, out io.Writer) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: grace}
	fmt.Fprintf(out, "serving on http://%s\n", listener.Addr())
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return server.Shutdown(ending)
}
