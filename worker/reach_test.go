package main

import (
	"log/slog"
	"strings"
	"testing"
)

// What changes is told, in one line with its cause; what stays as it is is not told again.
func TestReachTells(t *testing.T) {
	var log strings.Builder
	r := &reach{log: slog.New(slog.NewTextHandler(&log, nil)), causes: map[string]string{}}
	for _, cause := range []string{"", "", "no such bucket", "no such bucket", "access denied", ""} {
		r.tell(t.Context(), "storage location west", cause)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	want := []string{`level=INFO msg="can be used" what="storage location west"`, `cause="no such bucket"`, `cause="access denied"`, "level=INFO"}
	if len(lines) != len(want) {
		t.Fatalf("told\n%s", log.String())
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			t.Errorf("line %d: %s, want %s", i, lines[i], want[i])
		}
	}
}
