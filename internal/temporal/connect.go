package temporal

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
)

// connectTimeout is how long Connect waits for the server's first answer: as long as
// a person waits to hear that nothing answers.
const connectTimeout = 5 * time.Second

// Options say where to connect and how. What is empty comes from Temporal's standard
// variables and profile file, as TLS and the API key always do.
type Options struct {
	ConfigFile string // profile file to read in place of the standard one
	Profile    string // profile in it
	Address    string
	Namespace  string
	Identity   string                // label in Temporal's UI; empty is the SDK's, process and host
	Logger     *slog.Logger          // log of the SDK; nil discards it
	Metrics    client.MetricsHandler // nil collects none
	// Env replaces the process environment in tests; nil means the process's.
	Env envconfig.EnvLookup
}

// Connection is a connection to one namespace of a Temporal server. Close it.
type Connection struct {
	sdk       client.Client
	converter converter.DataConverter
	address   string
	namespace string
}

// Client is a connection that talks to the workers of one cluster.
type Client struct {
	*Connection
	cluster string
}

// ConnectError says that the server of an address cannot be reached or refuses us.
type ConnectError struct {
	Address string
	cause   error
}

// Error names the server and the cause.
func (e *ConnectError) Error() string { return fmt.Sprintf("temporal at %s: %v", e.Address, e.cause) }

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.cause }

// Connect dials the Temporal server. It gives a *ConnectError within connectTimeout
// when nothing answers.
func Connect(ctx context.Context, o Options) (*Connection, error) {
	settings, err := loadClientOptions(o)
	if err != nil {
		return nil, err
	}
	sdk, err := dialServer(ctx, settings)
	if err != nil {
		return nil, &ConnectError{Address: settings.HostPort, cause: err}
	}
	return &Connection{
		sdk: sdk, converter: converter.GetDefaultDataConverter(),
		address: settings.HostPort, namespace: settings.Namespace,
	}, nil
}

func loadClientOptions(o Options) (client.Options, error) {
	settings, err := loadSettings(o)
	if err != nil {
		return settings, fmt.Errorf("temporal connection settings: %w", err)
	}
	settings.HostPort = cmp.Or(o.Address, settings.HostPort, client.DefaultHostPort)
	settings.Namespace = cmp.Or(o.Namespace, settings.Namespace, client.DefaultNamespace)
	settings.Identity, settings.MetricsHandler = o.Identity, o.Metrics
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	settings.Logger = log.NewStructuredLogger(logger)
	settings.ConnectionOptions.DialOptions = append(settings.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(renewLease))
	return settings, nil
}

// loadSettings reads Temporal's standard environment and file. A key that was read of a file often
// ends in a newline, which no header may have.
func loadSettings(o Options) (client.Options, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{
		ConfigFilePath: o.ConfigFile, ConfigFileProfile: o.Profile, EnvLookup: o.Env,
	})
	if err != nil {
		return client.Options{}, err
	}
	profile.APIKey = strings.TrimSpace(profile.APIKey)
	settings, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{})
	if err == nil && profile.TLS != nil && profile.TLS.ClientCertPath != "" && settings.ConnectionOptions.TLS != nil {
		showNewestCertificate(settings.ConnectionOptions.TLS, profile.TLS.ClientCertPath, profile.TLS.ClientKeyPath)
	}
	return settings, err
}

// showNewestCertificate reads the certificate's files at each connection: what renews certificates
// replaces them, and a server refuses one that has expired.
func showNewestCertificate(config *tls.Config, certificate, key string) {
	config.Certificates = nil
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("certificate for temporal: %w", err)
		}
		return &pair, nil
	}
}

func dialServer(ctx context.Context, settings client.Options) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	sdk, err := client.DialContext(ctx, settings)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("no answer within %s", connectTimeout)
	}
	if err != nil {
		return nil, explainError(err)
	}
	return sdk, nil
}

// SDK is the connection as the SDK's worker takes it; all else goes through this
// package.
func (c *Connection) SDK() client.Client { return c.sdk }

// Address is the Temporal server's.
func (c *Connection) Address() string { return c.address }

// Namespace is the Temporal namespace.
func (c *Connection) Namespace() string { return c.namespace }

// CheckHealth fails when the server does not answer.
func (c *Connection) CheckHealth(ctx context.Context) error {
	_, err := c.sdk.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// Close releases the connection, for its clients too.
func (c *Connection) Close() { c.sdk.Close() }

// ForCluster gives a client for a cluster over this connection.
func (c *Connection) ForCluster(cluster string) *Client {
	return &Client{Connection: c, cluster: cluster}
}

// Cluster is the cluster that the client talks about.
func (c *Client) Cluster() string { return c.cluster }
