package interceptor

import (
	"context"
	"log/slog"
)

// LogHandler gives the SDK's lines the keys that Lifeboat's have, and the backup or restore that
// they are about.
type LogHandler struct{ slog.Handler }

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
	out.AddAttrs(translate(attrs)...)
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h LogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return LogHandler{h.Handler.WithAttrs(translate(attrs))}
}

// WithGroup implements slog.Handler.
func (h LogHandler) WithGroup(name string) slog.Handler {
	return LogHandler{h.Handler.WithGroup(name)}
}

func translate(attrs []slog.Attr) (out []slog.Attr) {
	ours := keys()
	for _, a := range attrs {
		key, known := ours[a.Key]
		switch {
		case known && key == "":
			continue
		case known:
			a.Key = key
		}
		out = append(out, a)
		if noun, name := subjectOf(a.Value.String()); a.Key == "workflow" && name != "" {
			out = append(out, slog.String(noun, name))
		}
	}
	return out
}
