package interceptor

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestLogHandler: lines of the SDK have our keys, and none of them twice.
func TestLogHandler(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(LogHandler{Handler: slog.NewJSONHandler(&out, nil)}).With("WorkflowType", "Backup", "WorkflowID", "w", "Namespace", "n")
	logger.Info("ExecuteChildWorkflow", "ChildWorkflowID", "c", "WorkflowType", "DeleteBackup", "ActivityType", "a")
	want := `"type":"Backup","workflow":"w","ChildWorkflowID":"c","WorkflowType":"DeleteBackup","activity":"a"}`
	if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want an end of %s", got, want)
	}
}
