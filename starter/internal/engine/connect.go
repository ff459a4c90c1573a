package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
)

// connectTimeout is how long a person waits to hear that nothing answers.
const connectTimeout = 5 * time.Second

// Options say where to connect. Address, namespace, TLS and API key come from the
// standard Temporal variables and profile file.
type Options struct {
	// Cluster is the cluster to talk about; empty means LIFEBOAT_CLUSTER, else
	// the only one there is.
	Cluster string
	// Env replaces the process environment in tests; nil means the process's.
	Env envconfig.EnvLookup
}

// Engine is a connection for one cluster. Close it.
type Engine struct {
	c       client.Client
	conv    converter.DataConverter
	address string
	space   string // Temporal namespace
	cluster string
}

// Connect dials the Temporal server and settles which cluster is meant. It fails
// within connectTimeout when nothing answers.
func Connect(ctx context.Context, o Options) (*Engine, error) {
	if o.Env == nil {
		o.Env = envconfig.EnvLookupOS
	}
	opts, err := clientOptions(o.Env)
	if err != nil {
		return nil, err
	}
	e := &Engine{conv: converter.GetDefaultDataConverter(), address: opts.HostPort, space: opts.Namespace}
	if e.c, err = dial(ctx, opts); err != nil {
		return nil, fmt.Errorf("temporal at %s: %w; set TEMPORAL_ADDRESS (and TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_* where the server asks for them)", e.address, err)
	}
	if e.cluster, err = e.chooseCluster(ctx, o); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func clientOptions(env envconfig.EnvLookup) (client.Options, error) {
	opts, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: env})
	if err != nil {
		return opts, fmt.Errorf("temporal connection settings: %w", err)
	}
	if opts.HostPort == "" {
		opts.HostPort = client.DefaultHostPort
	}
	if opts.Namespace == "" {
		opts.Namespace = client.DefaultNamespace
	}
	host, _ := os.Hostname() // only a label in the UI; an unknown host is no reason to fail
	opts.Identity = "lifeboat-cli@" + host
	opts.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are returned, not logged
	opts.ConnectionOptions.GetSystemInfoTimeout = connectTimeout
	return opts, nil
}

func dial(ctx context.Context, opts client.Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := client.DialContext(ctx, opts)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("no answer within %s", connectTimeout)
	}
	if err != nil {
		return nil, explain(err)
	}
	return c, nil
}

// Cluster is the cluster this connection is about.
func (e *Engine) Cluster() string { return e.cluster }

// Address is the Temporal server's.
func (e *Engine) Address() string { return e.address }

// Close releases the connection.
func (e *Engine) Close() { e.c.Close() }
