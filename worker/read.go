package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/lifeboat-backup/lifeboat/internal/drill/readthrough"
)

// terminationLog is where Kubernetes looks for what a container says when it ends.
const terminationLog = "/dev/termination-log"

// readVolume reads a mounted volume through, for a drill whose pod this is, and says what it
// found. Only a directory that cannot be opened is an error.
func readVolume(ctx context.Context, dir string, out io.Writer) error {
	res, err := readthrough.Read(ctx, dir)
	if err != nil {
		return err
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
