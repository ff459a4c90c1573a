package show

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// PlanLine is one object of a dry run. Secret values in it are masked already by
// who wrote it.
type PlanLine struct {
	Resource  string   `json:"resource"`
	Namespace string   `json:"namespace,omitempty"`
	Name      string   `json:"name"`
	Action    string   `json:"action"` // create, update, skip, none or fail
	Reason    string   `json:"reason,omitempty"`
	Diff      []Change `json:"diff,omitempty"`
}

// Change is one field in the three states that matter: as backed up, as it is in
// the cluster, as it would be after the restore. An absent state is nil.
type Change struct {
	Path   string `json:"path"`
	Backup any    `json:"backup,omitempty"`
	Live   any    `json:"live,omitempty"`
	Result any    `json:"result,omitempty"`
}

// maxPlanLine bounds one line of a plan: an object of the largest size an API
// server stores, three times, with room for names.
const maxPlanLine = 16 << 20

// Plan prints a plan, JSON lines, as people read it: a sign, the object, why, and
// the fields that change; then how many objects meet which fate. Objects that stay
// as they are count only.
func Plan(w io.Writer, plan io.Reader) error {
	lines := bufio.NewScanner(plan)
	lines.Buffer(make([]byte, 64<<10), maxPlanLine)
	counts := map[string]int64{}
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var line PlanLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("read plan: line %d is not valid: %w", total(counts)+1, err)
		}
		counts[line.Action]++
		if err := line.print(w); err != nil {
			return fmt.Errorf("print plan: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("read plan: one object is larger than %d MiB", maxPlanLine>>20)
		}
		return fmt.Errorf("read plan: %w", err)
	}
	_, err := fmt.Fprintln(w, summary(counts))
	return err
}

func (l PlanLine) print(w io.Writer) error {
	sign := signOf(l.Action)
	if sign == "" {
		return nil
	}
	text := sign + " " + l.Resource + " " + join(l.Namespace, l.Name)
	if l.Reason != "" {
		text += "  (" + l.Reason + ")"
	}
	if _, err := fmt.Fprintln(w, Clean(text)); err != nil {
		return err
	}
	for _, c := range l.Diff {
		if _, err := fmt.Fprintf(w, "    %s\n      backup: %s\n      live:   %s\n      result: %s\n",
			Clean(c.Path), value(c.Backup), value(c.Live), value(c.Result)); err != nil {
			return err
		}
	}
	return nil
}

// signOf marks what happens to an object; one that stays as it is has none.
func signOf(action string) string {
	switch action {
	case "create":
		return "+"
	case "update":
		return "~"
	case "skip":
		return "="
	case "none":
		return ""
	case "fail":
		return "!"
	default:
		return "?"
	}
}

func join(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func value(v any) string {
	if v == nil {
		return "-"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 200 // characters; whole documents are in the plan file
	return Clean(clip(string(data), most))
}

func total(counts map[string]int64) int64 {
	var n int64
	for _, c := range counts {
		n += c
	}
	return n
}

func summary(counts map[string]int64) string {
	all, parts := total(counts), []string{}
	for _, a := range []struct{ action, words string }{
		{"create", "to create"},
		{"update", "to update"},
		{"skip", "to skip"},
		{"none", "already as in the backup"},
		{"fail", "would fail"},
	} {
		parts = append(parts, Count(counts[a.action])+" "+a.words)
		delete(counts, a.action)
	}
	if other := total(counts); other > 0 { // of a newer worker
		parts = append(parts, Count(other)+" of another kind")
	}
	return Plural(all, "object") + ": " + strings.Join(parts, ", ") + "."
}
