package report

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// DefaultLogBytes bounds the log of one run, uncompressed: enough for about
// 50,000 lines, small beside the worker's memory budget.
const DefaultLogBytes = 8 << 20

// Log is a slog.Handler that keeps lines in memory, in the text form in which
// Velero writes logs, so that `velero backup logs` reads like Velero's own.
// It is bounded: once nine tenths are used only warnings and errors are kept,
// and once all is used nothing is; the last line then says how much is
// missing. Safe for concurrent use.
type Log struct {
	store *logStore
	level slog.Level
	bound []byte // attributes bound by With, already rendered
	group string // prefix of later keys, "a.b."
}

type logStore struct {
	mu      sync.Mutex
	buf     []byte
	limit   int
	dropped int
}

// NewLog returns a log that keeps at most limit bytes (DefaultLogBytes when
// limit is not positive) of lines at or above level.
func NewLog(limit int, level slog.Level) *Log {
	if limit <= 0 {
		limit = DefaultLogBytes
	}
	return &Log{store: &logStore{limit: limit}, level: level}
}

// Enabled implements slog.Handler.
func (l *Log) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

// Handle implements slog.Handler. It never fails: a line beyond the limit is
// counted as dropped.
func (l *Log) Handle(_ context.Context, r slog.Record) error {
	line := make([]byte, 0, 160)
	if !r.Time.IsZero() {
		line = appendPair(line, "time", r.Time.UTC().Format(time.RFC3339))
	}
	line = appendPair(line, "level", levelName(r.Level))
	line = appendPair(line, "msg", r.Message)
	if len(l.bound) > 0 {
		line = append(append(line, ' '), l.bound...)
	}
	r.Attrs(func(a slog.Attr) bool {
		line = appendAttr(line, l.group, a)
		return true
	})
	l.store.addLine(append(line, '\n'), r.Level >= slog.LevelWarn)
	return nil
}

// WithAttrs implements slog.Handler.
func (l *Log) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *l
	next.bound = append([]byte(nil), l.bound...)
	for _, a := range attrs {
		next.bound = appendAttr(next.bound, l.group, a)
	}
	return &next
}

// WithGroup implements slog.Handler: the group becomes a prefix of the keys.
func (l *Log) WithGroup(name string) slog.Handler {
	if name == "" {
		return l
	}
	next := *l
	next.group = l.group + name + "."
	return &next
}

func (s *logStore) addLine(line []byte, important bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.limit
	if !important {
		limit -= limit / 10
	}
	if len(s.buf)+len(line) > limit {
		s.dropped++
		return
	}
	s.buf = append(s.buf, line...)
}

// Reasons logs every reason at its severity, so that the log alone tells the
// story too.
func (l *Log) Reasons(at time.Time, reasons []Reason) {
	for _, r := range reasons {
		level := slog.LevelWarn
		if r.IsError() {
			level = slog.LevelError
		}
		rec := slog.NewRecord(at, level, r.Message, 0)
		rec.AddAttrs(slog.String("code", string(r.Code)), slog.String("object", r.Object()), slog.String("next", r.Next))
		_ = l.Handle(context.Background(), rec) // Handle never fails
	}
}

// WriteTo writes the lines kept so far and, if any were dropped, one line
// that says how many. It may be called more than once.
func (l *Log) WriteTo(w io.Writer) (int64, error) {
	l.store.mu.Lock()
	text, dropped := l.store.buf[:len(l.store.buf):len(l.store.buf)], l.store.dropped
	l.store.mu.Unlock()
	if dropped > 0 {
		text = appendPair(text, "level", "warning")
		text = appendPair(text, "msg", strconv.Itoa(dropped)+" log lines left out: the log reached its limit")
		text = append(text, '\n')
	}
	n, err := w.Write(text)
	if err != nil {
		return int64(n), fmt.Errorf("write log: %w", err)
	}
	return int64(n), nil
}

// Gzip writes the lines as the content of Velero's <name>-logs.gz.
func (l *Log) Gzip(w io.Writer) error {
	zw := gzip.NewWriter(w)
	if _, err := l.WriteTo(zw); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return fmt.Errorf("compress log: %w", err)
	}
	return nil
}

// LogEvent logs with the time of the event, not of the writing: a log that is written
// again has the same bytes.
func LogEvent(l *Log, at time.Time, msg string, args ...any) {
	r := slog.NewRecord(at, slog.LevelInfo, msg, 0)
	r.Add(args...)
	_ = l.Handle(context.Background(), r) // never fails, see Log
}
