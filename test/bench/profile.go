package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// profiler is where the worker serves its profiles when they are asked for.
const profiler = "127.0.0.1:16060"

// profiled takes a CPU profile of the worker while do runs, if profiles are asked
// for, and writes it to <dir>/<name>.pprof.
func (b *bench) profiled(ctx context.Context, name string, do func() error) error {
	if b.profile == "" {
		return do()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	saved := make(chan error, 1)
	go func() { saved <- b.saveProfile(ctx, name) }()
	return errors.Join(do(), <-saved)
}

// saveProfile asks for 5 s: what a run of some seconds does most.
func (b *bench) saveProfile(ctx context.Context, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+profiler+"/debug/pprof/profile?seconds=5", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("profile the worker: %w", err)
	}
	defer resp.Body.Close()
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(b.profile, name+".pprof"))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
