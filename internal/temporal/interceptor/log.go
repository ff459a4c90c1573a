package interceptor

import (
	"context"
	"log/slog"
	"slices"
)

// LogHandler gives the SDK's lines the keys that Lifeboat's have, and the backup or restore that
// they are about.
type LogHandler struct {
	slog.Handler
	carried []string // keys that each line of the logger has already
}

// keys are ours by the SDK's. What is the same in every line of a worker is left out.
func keys() map[string]string {
	return map[string]string{
		"WorkflowID": "workflow", "RunID": "run", "ActivityType": "activity", "Attempt": "attempt", "WorkflowType": "type", "Error": "error",
		"Namespace": "", "TaskQueue": "", "WorkerID": "", "ActivityID": "", "WorkerType": "",
	}
}

// Handle implements slog.Handler.
func (h LogHandler) Handle(ctx context.Context, r slog.Record) error {
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(h.translate(attrs)...)
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	attrs = h.translate(attrs)
	carried := slices.Clone(h.carried)
	for _, a := range attrs {
		carried = append(carried, a.Key)
	}
	return LogHandler{h.Handler.WithAttrs(attrs), carried}
}

// WithGroup implements slog.Handler.
func (h LogHandler) WithGroup(name string) slog.Handler {
	return LogHandler{h.Handler.WithGroup(name), nil}
}

// translate names attributes as we do. One whose name the line has already, as the type of a child
// beside that of its workflow, keeps the SDK's: a line of JSON says no key twice.
func (h LogHandler) translate(attrs []slog.Attr) (out []slog.Attr) {
	ours := keys()
	for _, a := range attrs {
		key, known := ours[a.Key]
		switch {
		case known && key == "":
			continue
		case known && !slices.Contains(h.carried, key):
			a.Key = key
		}
		out = append(out, a)
		if noun, name := subjectOf(a.Value.String()); a.Key == "workflow" && name != "" {
			out = append(out, slog.String(noun, name))
		}
	}
	return out
}
