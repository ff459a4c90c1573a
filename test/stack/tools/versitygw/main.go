// Command versitygw is the object store of the local stack: the S3 gateway of that
// name over a directory, with the arguments of the upstream command that the stack
// uses, and those of its variables that docker-compose.yml sets. The upstream command also links its integration tests and the backends for
// Azure, ScoutFS and another S3, which together are two fifths of what it compiles.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "versitygw:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	gateway := defaultConfig()
	rest, err := parseGateway(gateway, args)
	if err != nil {
		return err
	}
	store, err := openDirectory(rest)
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, store, gateway)
}

// defaultConfig has the upstream command's defaults.
func defaultConfig() *embedgw.Config {
	return &embedgw.Config{
		MaxConnections: 250_000, MaxRequests: 100_000,
		AdminMaxConnections: 250_000, AdminMaxRequests: 100_000,
		MultipartMaxParts: 10_000,
	}
}

// parseGateway reads the flags before the word "posix" and returns what follows it.
func parseGateway(gateway *embedgw.Config, args []string) ([]string, error) {
	flags := flag.NewFlagSet("versitygw", flag.ContinueOnError)
	flags.StringVar(&gateway.RootUserAccess, "access", os.Getenv("ROOT_ACCESS_KEY"), "access key of the only account")
	flags.StringVar(&gateway.RootUserSecret, "secret", os.Getenv("ROOT_SECRET_KEY"), "its secret key")
	flags.StringVar(&gateway.Region, "region", "us-east-1", "region that clients sign for")
	flags.StringVar(&gateway.HealthPath, "health", os.Getenv("VGW_HEALTH"), "path that answers 200 without a signature")
	flags.BoolVar(&gateway.Quiet, "quiet", false, "do not log requests")
	flags.StringVar(&gateway.AccessLog, "access-log", "", "file for a line a request")
	port := flags.String("port", cmp.Or(os.Getenv("VGW_PORT"), ":7070"), "address to listen on, host:port")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	gateway.Ports = []string{*port}
	if flags.Arg(0) != "posix" {
		return nil, fmt.Errorf("parse arguments: the command is posix, not %q", flags.Arg(0))
	}
	return flags.Args()[1:], nil
}

// openDirectory reads the arguments after "posix" and opens the directory they name;
// its subdirectories are the buckets.
func openDirectory(args []string) (*posix.Posix, error) {
	// The numbers are the upstream command's defaults.
	opts := posix.PosixOpts{Concurrency: 5000, IOBufferSize: 1 << 20, CopyObjectThreshold: 5 << 30}
	opts.SetNewDirPerm(0o755)
	opts.SetNewFilePerm(0o644)
	flags := flag.NewFlagSet("posix", flag.ContinueOnError)
	flags.StringVar(&opts.VersioningDir, "versioning-dir", "", "where versions lie; without it buckets cannot be versioned")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 {
		return nil, fmt.Errorf("parse arguments: want one directory, got %q", flags.Args())
	}
	metadata := meta.XattrMeta{}
	if err := metadata.Test(flags.Arg(0)); err != nil {
		return nil, fmt.Errorf("try extended attributes: %w", err)
	}
	store, err := posix.New(flags.Arg(0), metadata, opts)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", flags.Arg(0), err)
	}
	return store, nil
}
