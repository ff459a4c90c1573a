package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestReadVolumeStopped: a pod that is stopped before it has tried to leave its network does not say that
// it could not.
func TestReadVolumeStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var out strings.Builder
	if err := readVolume(ctx, t.TempDir(), "127.0.0.1:1", &out); !errors.Is(err, context.DeadlineExceeded) || out.Len() != 0 {
		t.Errorf("%v: %q", err, out.String())
	}
}
