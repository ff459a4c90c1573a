package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Sticky remembers the first error of a writer, so that a full disk or a closed
// pipe behind standard output ends in an exit code and not in a cut result.
type Sticky struct {
	w   io.Writer
	Err error
}

// Write passes p on; after an error it only repeats the error.
func (s *Sticky) Write(p []byte) (int, error) {
	if s.Err != nil {
		return 0, s.Err
	}
	var n int
	n, s.Err = s.w.Write(p)
	return n, s.Err
}

// Say prints a result. An error of standard output is kept and ends the command.
func (con *Console) Say(format string, args ...any) {
	_, _ = fmt.Fprintf(con.Stdout, format, args...)
}

// Note prints a remark to standard error. When that fails there is nowhere left to
// say so.
func (con *Console) Note(format string, args ...any) {
	_, _ = fmt.Fprintf(con.Stderr, format, args...)
}

// NoteUnread names the storage locations that an answer leaves out.
func (con *Console) NoteUnread(unread []contract.UnreadLocation) {
	for _, u := range unread {
		con.Note("warning: storage location %q could not be read, what lies there is left out: %s\n", u.Name, show.Clean(u.Message))
	}
}

// NoteDifferentWorkers names the workers of the cluster where they do not all serve the
// same cluster and storage locations, as while a change of configuration is rolled out.
func (con *Console) NoteDifferentWorkers(ctx context.Context, be Backend) ([]temporal.Poller, error) {
	all, err := be.Pollers(ctx)
	if err != nil || !temporal.Differ(all) {
		return all, err
	}
	con.Note("warning: workers of cluster %s that polled lately differ; the one that was started last answers\n", be.Cluster())
	for _, p := range all {
		if p.Started.IsZero() {
			con.Note("  %s: of an older version\n", show.Clean(p.Name))
			continue
		}
		con.Note("  %s: cluster uid %s, storage locations %s, started %s\n",
			show.Clean(p.Name), show.Clean(p.ClusterUID), show.Clean(p.Configuration), p.Started.Format(time.RFC3339))
	}
	return all, nil
}

// Confirm wants a yes from standard input; no input at all is a no.
func (con *Console) Confirm(question string) error {
	con.Note("%s [y/N] ", question)
	answer, err := bufio.NewReader(con.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil {
		con.Note("\n")
		return errors.New("nobody answered: nothing was deleted; pass --confirm to delete without asking")
	}
	return errors.New("not confirmed: nothing was deleted")
}
