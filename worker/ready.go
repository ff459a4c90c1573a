package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
)

// readyTimeout is longer than what the answer to /readyz may take.
const readyTimeout = checkTimeout + 5*time.Second

// askReady asks the worker that serves its health at an address of this machine or container
// whether it is ready, and says why it is not.
func askReady(ctx context.Context, listen string) error {
	if listen == config.Off {
		return errors.New("health.listen is off: there is nobody to ask")
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("health.listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the worker does not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode == http.StatusOK {
		return nil
	}
	const mostText = 4 << 10 // bytes; two causes in a line each
	text, err := io.ReadAll(io.LimitReader(res.Body, mostText))
	return errors.Join(fmt.Errorf("the worker is not ready: %s", strings.TrimSpace(string(text))), err)
}
