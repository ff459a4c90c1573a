package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
)

// registrar is a gRPC service that adds itself to a server.
type registrar interface{ Register(*grpc.Server) }

// serve serves on a unix socket until the context ends; a socket that an earlier
// run left is replaced.
func serve(ctx context.Context, cancel context.CancelCauseFunc, socket string, services ...registrar) error {
	if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", socket, err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(logFailures))
	for _, service := range services {
		service.Register(server)
	}
	context.AfterFunc(ctx, server.Stop)
	go func() {
		if err := server.Serve(listener); err != nil {
			cancel(fmt.Errorf("serve %s: %w", socket, err))
		}
	}()
	return nil
}

// logFailures says which call failed and how long it took: the callers' logs tell
// neither.
func logFailures(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	start := time.Now()
	answer, err := handle(ctx, request)
	if err != nil {
		slog.Warn("call failed", "method", info.FullMethod, "took", time.Since(start), "error", err)
	} else {
		slog.Debug("call", "method", info.FullMethod, "took", time.Since(start))
	}
	return answer, err
}
