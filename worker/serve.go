package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// serveHTTP serves health, metrics and, where configured, profiles, until the returned
// function is called. From the end of ctx on the worker is not ready any more.
func serveHTTP(ctx context.Context, cfg *config.Config, seen *observer, kc *kube.Client, tc *temporal.Client) (func(), error) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		checkReady(w, r, func(r context.Context) error {
			return errors.Join(stopError(ctx), tc.CheckHealth(r), kc.Ping(r), seen.ready())
		})
	})
	stopHealth, err := startServer(cfg.Health.Listen, mux)
	if err != nil {
		return nil, fmt.Errorf("health.listen: %w", err)
	}
	pages := http.NewServeMux()
	pages.Handle("/metrics", onceReady(seen.ready, promhttp.HandlerFor(seen.Registry, promhttp.HandlerOpts{})))
	stopMetrics, err := startServer(cfg.Metrics.Listen, pages)
	if err != nil {
		stopHealth()
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	stopProfiler, err := startServer(cfg.Profiler.Listen, profileHandler())
	if err != nil {
		stopHealth()
		stopMetrics()
		return nil, fmt.Errorf("profiler.listen: %w", err)
	}
	return func() { stopHealth(); stopMetrics(); stopProfiler() }, nil
}

func profileHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// checkTimeout is how long Temporal and the API server together may take to answer.
const checkTimeout = 5 * time.Second

// onceReady refuses until what a handler shows is there: a scrape that finds gauges missing
// would take schedules for deleted.
func onceReady(ready func() error, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// stopError says that the worker was asked to end: it takes no more work.
func stopError(ctx context.Context) error {
	if ctx.Err() != nil {
		return errors.New("the worker stops")
	}
	return nil
}

// checkReady answers whether Temporal and the API server do, the metrics are there, and the
// worker goes on.
func checkReady(w http.ResponseWriter, r *http.Request, check func(context.Context) error) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	if err := check(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// startServer serves h at an address, unless that is empty or off. The function that it
// returns stops the server and waits for its end.
func startServer(address string, h http.Handler) (func(), error) {
	if address == "" || address == config.Off {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ends with ErrServerClosed when stopped
	}()
	return func() { _ = s.Close(); <-done }, nil
}
