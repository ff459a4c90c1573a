package show

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// PlanLine is one object of a dry run. The worker that wrote it has masked secret values.
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
// the fields that change; then how many objects there are of each action. Objects
// that stay as they are appear in these counts only.
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
			return fmt.Errorf("read plan: line %d is not valid: %w", sumCounts(counts)+1, err)
		}
		line.Action = planAction(line.Action)
		counts[line.Action]++
		if err := line.printTo(w); err != nil {
			return fmt.Errorf("print plan: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("read plan: one object is larger than %d MiB", maxPlanLine>>20)
		}
		return fmt.Errorf("read plan: %w", err)
	}
	if _, err := fmt.Fprintln(w, summaryLine(counts)); err != nil {
		return fmt.Errorf("print plan: %w", err)
	}
	return nil
}

// planAction is the action as a plan says it: objects that the worker decided on before it
// compared them carry the action of a report, in the past tense.
func planAction(action string) string {
	switch action {
	case "created", "updated":
		return strings.TrimSuffix(action, "d")
	case "skipped":
		return "skip"
	case "failed":
		return "fail"
	default:
		return action
	}
}

// printTo prints the object and the fields that change; it prints nothing for an object that
// stays as it is.
func (l PlanLine) printTo(w io.Writer) error {
	sign := signOf(l.Action)
	if sign == "" {
		return nil
	}
	text := sign + " " + l.Resource + " " + report.ObjectName(l.Namespace, l.Name)
	if l.Reason != "" {
		text += "  (" + l.Reason + ")"
	}
	if _, err := fmt.Fprintln(w, Clean(text)); err != nil {
		return err
	}
	for _, c := range l.Diff {
		if c.isBookkeeping() {
			continue
		}
		if _, err := fmt.Fprintf(w, "    %s: %s\n", Clean(c.Path), c.changeText()); err != nil {
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

// isBookkeeping is true for the labels that every restored object gets; listing them
// under each would bury the changes.
func (c Change) isBookkeeping() bool {
	return c.Path == `metadata.labels["velero.io/backup-name"]` || c.Path == `metadata.labels["velero.io/restore-name"]`
}

// changeText says what becomes of the field, and what the backup had where that is
// something else.
func (c Change) changeText() string {
	backup, live, result := valueText(c.Backup), valueText(c.Live), valueText(c.Result)
	text := live + " becomes " + result
	switch {
	case live == result && live == absent:
		return "left out; the backup has " + backup
	case live == result:
		text = "stays " + live
	}
	if backup != result {
		text += "; the backup has " + backup
	}
	return text
}

// absent stands for a field that is not there.
const absent = "(none)"

// valueText is a value as JSON on one line, cut where it is long.
func valueText(v any) string {
	if v == nil {
		return absent
	}
	data, err := marshalPlain(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 200 // characters; the plan file has all of them
	return Clean(clipLine(string(data), most))
}

// sumCounts is the number of objects of all actions.
func sumCounts(counts map[string]int64) int64 {
	var n int64
	for _, c := range counts {
		n += c
	}
	return n
}

// summaryLine counts the objects of each action. It empties counts.
func summaryLine(counts map[string]int64) string {
	all, parts := sumCounts(counts), []string{}
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
	if other := sumCounts(counts); other > 0 { // of a newer worker
		parts = append(parts, Count(other)+" of another kind")
	}
	return Plural(all, "object") + ": " + strings.Join(parts, ", ") + "."
}
