package report

import (
	"context"
	"log/slog"
	"time"
)

// LogEvent logs with the time of the event, not of the writing: a log that is written
// again has the same bytes.
func LogEvent(l *Log, at time.Time, msg string, args ...any) {
	r := slog.NewRecord(at, slog.LevelInfo, msg, 0)
	r.Add(args...)
	_ = l.Handle(context.Background(), r) // never fails, see Log
}

// ReasonsInResult is how many reasons travel through Temporal, as text; all of
// them stand in the results file.
const ReasonsInResult = 5
