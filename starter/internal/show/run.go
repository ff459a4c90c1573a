package show

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// RunView is a backup or restore that is not in the bucket: it runs, or failed.
type RunView struct {
	Kind     string            `json:"kind"`
	Name     string            `json:"name"`
	Labels   map[string]string `json:"labels,omitempty"`
	Phase    string            `json:"phase"`
	Backup   string            `json:"backup,omitempty"`
	DryRun   bool              `json:"dryRun,omitempty"`
	Progress string            `json:"progress,omitempty"`
	Trouble  string            `json:"trouble,omitempty"`
	Failure  string            `json:"failureReason,omitempty"`
	Location string            `json:"storageLocation,omitempty"`
	Selector string            `json:"labelSelector,omitempty"`
	Workflow string            `json:"workflowID"`
	Run      string            `json:"runID"`
	Started  time.Time         `json:"started"`
	Closed   time.Time         `json:"ended,omitzero"`
	// Result is that of a restore whose results are stored nowhere.
	Result *contract.RestoreResult `json:"result,omitempty"`
}

// Counts are objects by what became of them.
func Counts(c contract.Counts) string {
	return fmt.Sprintf("%s created, %s updated, %s skipped, %s failed", Count(c.Created), Count(c.Updated), Count(c.Skipped), Count(c.Failed))
}

// printResult prints a result that is all that is kept.
func (p *page) printResult(res *contract.RestoreResult) {
	if res == nil {
		return
	}
	p.printValue(0, "Objects", Counts(res.Counts))
	p.printValue(0, "Volumes", strconv.Itoa(res.Volumes))
	p.printValue(0, "Errors", strconv.Itoa(res.Errors))
	p.printValue(0, "Warnings", strconv.Itoa(res.Warnings))
	p.printList(0, "Reasons", res.Reasons, "")
	if more := res.Errors + res.Warnings - len(res.Reasons); more > 0 {
		p.printValue(1, "Not kept", Plural(int64(more), "reason"))
	}
}

// Document is the view for programs.
func (v RunView) Document() any { return v }

// Print writes the view for people.
func (v RunView) Print(w io.Writer) error {
	p := newPage(w)
	p.printValue(0, "Name", v.Name)
	p.printLabels("Labels", v.Labels)
	p.printValue(0, "Phase", v.Phase)
	p.printIfSet(0, "Backup", v.Backup)
	if v.DryRun {
		p.printValue(0, "Dry run", "true; give its name to --plan to restore what it showed")
	}
	p.printIfSet(0, "Progress", v.Progress)
	p.printIfSet(0, "Held up by", v.Trouble)
	p.printIfSet(0, "Failure reason", v.Failure)
	p.printIfSet(0, "Storage Location", v.Location)
	p.printIfSet(0, "Label selector", v.Selector)
	p.printValue(0, "Started", Time(v.Started))
	if !v.Closed.IsZero() {
		p.printValue(0, "Ended", Time(v.Closed))
	}
	p.printValue(0, "Workflow", v.Workflow)
	p.printValue(0, "Run", v.Run)
	p.printResult(v.Result)
	return p.flushPage()
}
