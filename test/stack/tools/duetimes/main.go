// Command duetimes tells when a Temporal server would start the runs of schedules: by the
// server's own code, without a server. It reads a ScheduleSpec as JSON a line, and writes the
// due times of each, seconds since the epoch, as a line. Specs have to have an end.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/server/service/worker/scheduler"
	"google.golang.org/protobuf/encoding/protojson"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "duetimes:", err)
		os.Exit(1)
	}
}

// longestSpec bounds a line; specs of thirty years have some kilobytes.
const longestSpec = 1 << 22

func run(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, longestSpec)
	w := bufio.NewWriter(out)
	builder := scheduler.NewSpecBuilder()
	for lines.Scan() {
		var spec schedulepb.ScheduleSpec
		if err := protojson.Unmarshal(lines.Bytes(), &spec); err != nil {
			return err
		}
		if err := writeTimes(w, builder, &spec); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return w.Flush()
}

func writeTimes(w io.Writer, builder *scheduler.SpecBuilder, spec *schedulepb.ScheduleSpec) error {
	compiled, err := builder.NewCompiledSpec(spec)
	if err != nil {
		return err
	}
	after := spec.GetStartTime().AsTime().Add(-1)
	for {
		due := compiled.GetNextTime("", after).Nominal
		if due.IsZero() {
			_, err := fmt.Fprintln(w)
			return err
		}
		if _, err := fmt.Fprint(w, due.Unix(), " "); err != nil {
			return err
		}
		after = due
	}
}
