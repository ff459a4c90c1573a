package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// sticky remembers the first error of a writer, so that a full disk or a closed
// pipe behind standard output ends in an exit code and not in a cut result.
type sticky struct {
	w   io.Writer
	err error
}

// Write passes p on; after an error it only repeats the error.
func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	var n int
	n, s.err = s.w.Write(p)
	return n, s.err
}

// say prints a result. An error of standard output is kept and ends the command.
func (a *app) say(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stdout, format, args...)
}

// note prints a remark to standard error. When that fails there is nowhere left to
// say so.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format, args...)
}

// noteUnread names the storage locations that an answer leaves out.
func (a *app) noteUnread(unread []contract.UnreadLocation) {
	for _, u := range unread {
		a.note("warning: storage location %q could not be read, what lies there is left out: %s\n", u.Name, show.Clean(u.Message))
	}
}

// noteDifferentWorkers names the workers of the cluster where they do not all serve the
// same cluster and storage locations, as while a change of configuration is rolled out.
func (a *app) noteDifferentWorkers(ctx context.Context, be backend) ([]temporal.Poller, error) {
	all, err := be.Pollers(ctx)
	if err != nil || !temporal.Differ(all) {
		return all, err
	}
	a.note("warning: workers of cluster %s that polled lately differ; the one that was started last answers\n", be.Cluster())
	for _, p := range all {
		if p.Started.IsZero() {
			a.note("  %s: of an older version\n", show.Clean(p.Name))
			continue
		}
		a.note("  %s: cluster uid %s, storage locations %s, started %s\n",
			show.Clean(p.Name), show.Clean(p.ClusterUID), show.Clean(p.Configuration), p.Started.Format(time.RFC3339))
	}
	return all, nil
}
