//go:build stack

package node

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/database"
)

// counting are hooks that leave a row each, with how many rows there were.
const counting = `        pre.hook.backup.velero.io/container: postgres
        pre.hook.backup.velero.io/command: '["psql", "--quiet", "-c", "CHECKPOINT", "-c", "INSERT INTO hook SELECT ''pre'', count(*) FROM load"]'
        pre.hook.backup.velero.io/on-error: Fail
        post.hook.backup.velero.io/container: postgres
        post.hook.backup.velero.io/command: '["psql", "--quiet", "-c", "INSERT INTO hook SELECT ''post'', count(*) FROM load"]'
`

// schema has 5,000 known rows, and a table that is written while backups are taken:
// one row a transaction, numbered without a gap.
const schema = `
CREATE TABLE known AS SELECT n, md5(n::text) AS text FROM generate_series(1, 5000) n;
CREATE TABLE load (n bigserial PRIMARY KEY, text text GENERATED ALWAYS AS (md5(n::text)) STORED);
CREATE TABLE hook (name text, rows bigint);
`

// postgres is one database on a cluster.
type postgres struct {
	cluster
	namespace, pod string
}

// at is the same database somewhere else.
func (p postgres) at(c cluster, namespace string) postgres {
	return postgres{cluster: c, namespace: namespace, pod: p.pod}
}

// startPostgres makes a database with known rows and lets the load begin.
func (c cluster) startPostgres(t *testing.T, namespace string) postgres {
	t.Helper()
	c.applyIn(t, namespace, database.Manifest("postgres", counting))
	p := postgres{cluster: c, namespace: namespace, pod: database.Pod}
	p.awaitReady(t)
	p.sql(t, schema)
	p.load(t)
	within(t, patience, "load", func() error {
		if n := p.rows(t); n < 100 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	return p
}

// load lets the writer begin.
func (p postgres) load(t *testing.T) {
	t.Helper()
	p.exec(t, p.namespace, p.pod, "touch", "/run/postgresql/go")
}

// awaitReady waits for the Pod that a controller makes.
func (p postgres) awaitReady(t *testing.T) {
	t.Helper()
	within(t, patience, "pod made", func() error {
		if p.Object(t, "pods", p.namespace, p.pod) == nil {
			return errText("there is none")
		}
		return nil
	})
	p.ready(t, p.namespace, p.pod)
}

// sql runs statements and returns the rows of the last, without decoration.
func (p postgres) sql(t *testing.T, statements string) string {
	t.Helper()
	return p.exec(t, p.namespace, p.pod, "sh", "-c", `printf %s "$0" | psql --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1`, statements)
}

// content is all that a database holds, row by row.
type content struct{ known, load, hook []string }

func (p postgres) content(t *testing.T) content {
	t.Helper()
	return content{
		known: p.lines(t, "SELECT n || ' ' || text FROM known ORDER BY n"),
		load:  p.lines(t, "SELECT n || ' ' || text FROM load ORDER BY n"),
		hook:  p.lines(t, "SELECT name || ' ' || rows FROM hook"),
	}
}

func (p postgres) lines(t *testing.T, query string) []string {
	t.Helper()
	out := p.sql(t, query)
	if out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

func (p postgres) rows(t *testing.T) int {
	t.Helper()
	return number(t, p.sql(t, "SELECT count(*) FROM load"))
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// isSnapshotOf fails the test unless a restored database is what the original was at
// one moment: all known rows; of the others, which were written all the time, the
// beginning without a gap; of the hooks, the last one before that moment.
func (got content) isSnapshotOf(t *testing.T, original content) {
	t.Helper()
	if !slices.Equal(got.known, original.known) || len(got.known) != 5000 {
		t.Errorf("%d known rows, not the original's %d", len(got.known), len(original.known))
	}
	n := len(got.load)
	if n > len(original.load) || !slices.Equal(got.load, original.load[:n]) {
		t.Errorf("%d rows of the load are not the first of the original's %d", n, len(original.load))
	}
	if len(got.hook) > len(original.hook) || !slices.Equal(got.hook, original.hook[:len(got.hook)]) {
		t.Errorf("hooks left %q, in the original %q", got.hook, original.hook)
	}
}

// isBetweenHooks fails the test unless a restored database is of a moment after the
// pre hook and before the post hook of a backup: it has the row of the one, no row of
// the other, and no fewer and no more rows of the load than they saw.
func (got content) isBetweenHooks(t *testing.T, original content) {
	t.Helper()
	got.isSnapshotOf(t, original)
	at := len(got.hook)
	if at == 0 || at >= len(original.hook) {
		t.Fatalf("hooks left %q, in the original %q", got.hook, original.hook)
	}
	pre, okPre := strings.CutPrefix(got.hook[at-1], "pre ")
	post, okPost := strings.CutPrefix(original.hook[at], "post ")
	if !okPre || !okPost {
		t.Fatalf("hooks left %q, in the original %q", got.hook, original.hook)
	}
	if n := len(got.load); n < number(t, pre) || n > number(t, post) {
		t.Errorf("%d rows of the load; the hooks saw %s before and %s after", n, pre, post)
	}
	t.Logf("%d rows of the load; the hooks saw %s before and %s after; %d in the end", len(got.load), pre, post, len(original.load))
}

// works shows that the database takes writes.
func (p postgres) works(t *testing.T) {
	t.Helper()
	before := p.rows(t)
	p.sql(t, "INSERT INTO load DEFAULT VALUES; CHECKPOINT")
	if after := p.rows(t); after != before+1 {
		t.Errorf("%d rows and one more are %d", before, after)
	}
}
