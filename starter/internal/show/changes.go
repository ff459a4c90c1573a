package show

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

// BackupDiff prints what differs between two backups: the sum, the places, the objects.
func BackupDiff(w io.Writer, d *contract.BackupDiff) error {
	p := newPage(w)
	p.printf("%s (%s) -> %s (%s)\n", Clean(d.From.Backup), Time(d.From.Started), Clean(d.To.Backup), Time(d.To.Started))
	p.printf("%s added, %s removed, %s changed, %s the same\n", Count(d.Added), Count(d.Removed), Count(d.Changed), Count(d.Same))
	for _, n := range d.Notes {
		p.printf("Note: %s\n", Clean(n))
	}
	if len(d.Places) == 0 {
		return p.flushPage()
	}
	p.printf("\n")
	if err := p.flushPage(); err != nil {
		return err
	}
	rows := make([][]string, 0, len(d.Places))
	for _, r := range d.Places {
		rows = append(rows, []string{r.Resource, Or(r.Namespace, "<cluster>"), Count(r.Added), Count(r.Removed), Count(r.Changed)})
	}
	if err := Table(w, []string{"RESOURCE", "NAMESPACE", "ADDED", "REMOVED", "CHANGED"}, rows); err != nil {
		return err
	}
	p = newPage(w)
	p.printRest(int64(d.MorePlaces), "place")
	p.printf("\n")
	for _, o := range d.Objects {
		p.printf("%s %s %s\n", signOfChange(o.Change), Clean(o.Resource), Clean(report.ObjectName(o.Namespace, o.Name)))
	}
	p.printRest(d.MoreObjects, "object")
	return p.flushPage()
}

func (p *page) printRest(n int64, noun string) {
	if n > 0 {
		p.printf("... and %s more\n", Plural(n, noun))
	}
}

func signOfChange(change string) string {
	switch change {
	case "added":
		return "+"
	case "removed":
		return "-"
	}
	return "~"
}

// ObjectDiff prints how an object differs between two backups.
func ObjectDiff(w io.Writer, d stored.ObjectDiff) error {
	p := newPage(w)
	name := Clean(d.Resource + " " + report.ObjectName(d.Namespace, d.Name))
	switch d.Change {
	case "same":
		p.printf("= %s is the same in %s and %s\n", name, Clean(d.From), Clean(d.To))
	case "added":
		p.printf("+ %s is in %s and not in %s\n", name, Clean(d.To), Clean(d.From))
	case "removed":
		p.printf("- %s is in %s and not in %s\n", name, Clean(d.From), Clean(d.To))
	default:
		p.printf("~ %s\n", name)
	}
	for _, f := range d.Fields {
		p.printf("    %s: %s -> %s\n", Clean(f.Path), valueText(f.From), valueText(f.To))
	}
	return p.flushPage()
}

// ObjectHistory prints the backups in which an object became another, or all.
func ObjectHistory(w io.Writer, h *contract.ObjectHistory, all bool) error {
	var rows [][]string
	before := 0
	for i, b := range h.Backups {
		what := changeOfVersion(before, b.Version, i == 0)
		before = b.Version
		if !all && what == "same" {
			continue
		}
		if b.Corrupt {
			what += ", Corrupt"
		}
		version := "<none>"
		if b.Version > 0 {
			version = strconv.Itoa(b.Version)
		}
		rows = append(rows, []string{b.Backup, Time(b.Started), version, what, b.Location})
	}
	if err := Table(w, []string{"BACKUP", "CREATED", "VERSION", "CHANGE", "STORAGE LOCATION"}, rows); err != nil {
		return err
	}
	for _, n := range historyNotes(h) {
		if _, err := fmt.Fprintln(w, Clean(n)); err != nil {
			return fmt.Errorf("print history: %w", err)
		}
	}
	return nil
}

// changeOfVersion says what became of an object since the backup before. A backup that does not
// have it may have been told to leave it out.
func changeOfVersion(before, now int, first bool) string {
	switch {
	case now == 0 && (before != 0 || first):
		return "not there"
	case first:
		return "there"
	case now == before:
		return "same"
	case before == 0:
		return "added"
	}
	return "changed"
}

func historyNotes(h *contract.ObjectHistory) []string {
	notes := append([]string{}, h.Notes...)
	corrupt := 0
	for _, b := range h.Backups {
		if b.Corrupt {
			corrupt++
		}
	}
	switch {
	case corrupt == 1:
		notes = append(notes, "1 backup is Corrupt: a verification has found damage in it")
	case corrupt > 1:
		notes = append(notes, fmt.Sprintf("%d backups are Corrupt: a verification has found damage in them", corrupt))
	}
	if h.Older > 0 {
		notes = append(notes, Plural(int64(h.Older), "older backup")+" not looked at: raise --limit")
	}
	if h.Foreign > 0 {
		notes = append(notes, Plural(int64(h.Foreign), "backup")+" of other clusters left out")
	}
	if h.Unindexed > 0 {
		notes = append(notes, Plural(int64(h.Unindexed), "backup")+" without an index left out: made by Velero, or damaged")
	}
	return notes
}

// NextOfDiff is the command that compares the first object that differs; "" if none does.
func NextOfDiff(d *contract.BackupDiff) string {
	if len(d.Objects) == 0 {
		return ""
	}
	first := d.Objects[0]
	return Clean(fmt.Sprintf("Next: lifeboat backup diff %s %s --object %s/%s", d.From.Backup, d.To.Backup, first.Resource, report.ObjectName(first.Namespace, first.Name))) + "\n"
}

// NextOfHistory is the command that restores the newest version but the last one, or the only
// one that there is, from the newest backup that has it and is not corrupt; isThere is false if
// no backup has the object.
func NextOfHistory(h *contract.ObjectHistory) (text string, isThere bool) {
	last := len(h.Backups) - 1
	for _, b := range slices.Backward(h.Backups) {
		if b.Version > 0 && b.Version != h.Backups[last].Version {
			return fmt.Sprintf("To restore version %d%s --existing-resource-policy update --wait", b.Version, restoreCommand(h, b.Version)), true
		}
	}
	if last < 0 || h.Backups[last].Version == 0 {
		return "", false
	}
	return fmt.Sprintf("It is the same in all backups that have it. To restore it%s --wait", restoreCommand(h, h.Backups[last].Version)), true
}

// restoreCommand is the command that restores a version, and what there is to say before it.
func restoreCommand(h *contract.ObjectHistory, version int) string {
	text := ": lifeboat restore create"
	from := newestOf(h, func(b contract.ObjectState) bool { return b.Version == version && !b.Corrupt })
	if from == "" {
		from = newestOf(h, func(b contract.ObjectState) bool { return b.Version == version })
		text = ", which is only in backups that are Corrupt, as far as it goes: lifeboat restore create --allow-corrupt"
	}
	text += fmt.Sprintf(" --from-backup %s --include-resources %s --include-name %s", from, h.Resource, report.ObjectName(h.Namespace, h.Name))
	if h.Namespace == "" {
		text += " --include-cluster-resources=true"
	}
	return Clean(text)
}

// newestOf is the newest of the backups that fit, "" for none.
func newestOf(h *contract.ObjectHistory, fits func(contract.ObjectState) bool) string {
	for _, b := range slices.Backward(h.Backups) {
		if fits(b) {
			return b.Backup
		}
	}
	return ""
}
