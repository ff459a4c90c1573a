package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/readthrough"
)

// terminationLog is where Kubernetes looks for what a container says when it ends.
const terminationLog = "/dev/termination-log"

// reachAfter is how long a pod waits before it tries to leave its network.
const reachAfter = 2 * time.Second

// readVolume reads a mounted volume through, for a drill whose pod this is, tries meanwhile to reach
// an address outside, if it is given one, and says what it found. Only a directory that cannot be
// opened, and a pod that is stopped meanwhile, is an error.
func readVolume(ctx context.Context, dir, outside string, out io.Writer) error {
	reached := make(chan bool, 1)
	go func() { reached <- outside != "" && readthrough.Reaches(ctx, outside, reachAfter) }()
	res, err := readthrough.Read(ctx, dir)
	if err != nil {
		return err
	}
	if outside != "" {
		res.Tried = 1
		if <-reached {
			res.Reached = 1
		}
		if err := ctx.Err(); err != nil {
			return err // what was not tried for as long as it may take has shown nothing
		}
	}
	text, err := json.Marshal(res)
	if err != nil {
		return err
	}
	if _, err := os.Stat(terminationLog); err == nil {
		return os.WriteFile(terminationLog, text, 0o600)
	}
	_, err = fmt.Fprintln(out, string(text))
	return err
}
