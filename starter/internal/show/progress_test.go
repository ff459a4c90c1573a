package show_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Unix(0, 0)} }

func TestProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	c := newClock()
	p := show.NewProgress(&out, func() int { return 0 }, c.now)
	state := show.State{Phase: "InProgress", Step: "exporting", Objects: 10, Total: 1000}
	for range 13 { // one look a second
		p.Show(state)
		c.t = c.t.Add(time.Second)
		state.Objects += 10
	}
	state.Step = "composing"
	p.Show(state)
	p.Done()
	want := `[00:00]  InProgress  10/1,000 objects (1%)  exporting
[00:10]  InProgress  110/1,000 objects (11%)  exporting
[00:13]  InProgress  140/1,000 objects (14%)  composing
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestProgressOnTerminal(t *testing.T) {
	var out bytes.Buffer
	c := newClock()
	p := show.NewProgress(&out, func() int { return 30 }, c.now)
	p.Show(show.State{Phase: "InProgress", Step: strings.Repeat("long ", 20)})
	p.Show(show.State{Phase: "InProgress", Trouble: "api server down"})
	p.Show(show.State{Phase: "InProgress", Trouble: "api server down"})
	p.Show(show.State{Phase: "InProgress"})
	p.Done()
	p.Done()
	want := "\r\x1b[K[00:00]  InProgress  long lo…" +
		"\r\x1b[Knote: api server down\n\r\x1b[K[00:00]  InProgress" +
		"\r\x1b[K[00:00]  InProgress" +
		"\r\x1b[Knote: all is well again\n\r\x1b[K[00:00]  InProgress\r\x1b[K"
	if out.String() != want {
		t.Errorf("got\n%q\nwant\n%q", out.String(), want)
	}
}

func TestLine(t *testing.T) {
	for _, tc := range []struct {
		state show.State
		want  string
	}{
		{show.State{}, "[00:00]  New"},
		{show.State{Phase: "InProgress", Objects: 1}, "[00:00]  InProgress  1 object"},
		{show.State{Phase: "InProgress", Objects: 12, Total: 10, Bytes: 2048}, "[00:00]  InProgress  12/10 objects (100%)  2.0 KiB"},
		{show.State{Phase: "InProgress", Objects: 9, Total: 10, Volumes: 3, TotalVolumes: 1200, Bytes: 1}, "[00:00]  InProgress  9/10 objects (90%)  3/1,200 volumes  1 B"},
		{show.State{Phase: "InProgress", TotalVolumes: 1, VolumesPercent: 43}, "[00:00]  InProgress  0/1 volumes (43%)"},
		{show.State{Phase: "Finalizing", Warnings: 1, Errors: 2, Step: "writing"}, "[00:00]  Finalizing  1 warning, 2 errors  writing"},
		{show.State{Phase: "InProgress", Step: "pods", Waits: "namespace shop"}, "[00:00]  InProgress  pods, waiting for namespace shop"},
		{show.State{Phase: "InProgress", Waits: "namespace shop"}, "[00:00]  InProgress  waiting for namespace shop"},
	} {
		if got := tc.state.Line(0); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
