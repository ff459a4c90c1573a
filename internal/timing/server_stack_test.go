//go:build stack

package timing_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lifeboat-backup/lifeboat/internal/timing"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// TestServerIsDueAtTheSameTimes: Temporal's server, given the calendar of a timing, starts runs
// at exactly the times that the timing says: daily ones in zones of all sorts (make soak: in
// every zone) from 2024 to 2034, and others for a year.
func TestServerIsDueAtTheSameTimes(t *testing.T) {
	daily := []string{"30 2 * * *", "0 0 * * *"}
	zones := []string{"UTC", "Europe/Berlin", "America/Nuuk", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca", "America/Havana", "Pacific/Auckland", "America/New_York"}
	if os.Getenv(soakVariable) != "" {
		daily, zones = append(daily, "30 23 * * *"), allZones(t)
	}
	from, until := years()
	var asked []question
	for _, zone := range zones {
		for _, expression := range daily {
			asked = append(asked, question{parse(t, expression, zone), from, until})
		}
	}
	for _, expression := range expressions() {
		zone := "Europe/Berlin"
		if strings.HasPrefix(expression, "@every") {
			zone = ""
		}
		asked = append(asked, question{parse(t, expression, zone), from.AddDate(2, 3, 7), from.AddDate(3, 3, 7)})
	}
	for i, got := range serverTimes(t, asked) {
		q := asked[i]
		if want := q.Between(q.from.Add(-time.Second), q.until, 1<<30); !sameTimes(got, want) {
			t.Errorf("%s in %s: the server is due %d times, the timing %d", q, q.Zone(), len(got), len(want))
		}
	}
}

type question struct {
	timing.Timing
	from, until time.Time
}

// serverTimes asks the server's code about all specs at once.
func serverTimes(t *testing.T, asked []question) (answers [][]time.Time) {
	t.Helper()
	if err := stack.Build(context.Background(), io.Discard, "duetimes"); err != nil {
		t.Fatal(err)
	}
	program, err := stack.Binary("duetimes")
	if err != nil {
		t.Fatal(err)
	}
	var specs bytes.Buffer
	for _, q := range asked {
		line, err := protojson.Marshal(specOf(q.Calendar(q.from, q.until)))
		if err != nil {
			t.Fatal(err)
		}
		specs.Write(append(line, '\n'))
	}
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stderr = &specs, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var due []time.Time
		for word := range strings.FieldsSeq(line) {
			second, err := strconv.ParseInt(word, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			due = append(due, time.Unix(second, 0))
		}
		answers = append(answers, due)
	}
	if len(answers) != len(asked) {
		t.Fatalf("%d answers to %d questions", len(answers), len(asked))
	}
	return answers
}

// specOf is what a client sends to the server.
func specOf(c timing.Calendar) *schedulepb.ScheduleSpec {
	spec := &schedulepb.ScheduleSpec{StartTime: timestamppb.New(c.From), EndTime: timestamppb.New(c.Until)}
	if c.Every > 0 {
		spec.Interval = []*schedulepb.IntervalSpec{{Interval: durationpb.New(c.Every)}}
	}
	for _, r := range c.Rules {
		spec.StructuredCalendar = append(spec.StructuredCalendar, &schedulepb.StructuredCalendarSpec{
			Year: rangesOf(r.Years), Month: rangesOf(r.Months), DayOfMonth: rangesOf(r.Days), DayOfWeek: rangesOf(r.Weekdays),
			Hour: rangesOf(r.Hours), Minute: rangesOf(r.Minutes), Second: []*schedulepb.Range{{}},
		})
	}
	return spec
}

func rangesOf(field []timing.Range) (out []*schedulepb.Range) {
	for _, r := range field {
		out = append(out, &schedulepb.Range{Start: int32(r.First), End: int32(r.Last), Step: int32(r.Step)})
	}
	return out
}
