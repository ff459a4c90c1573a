package schedules

import (
	stdio "io"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// Kind is of what schedules are, and how people read of them.
type Kind struct {
	drills  bool
	command string // of the program
	name    string // of one in examples
	makeOne string // how one is made

	kind, apiVersion, documents string // the documents
	decode                      func(stdio.Reader) ([]contract.Schedule, error)
	document                    func(contract.ScheduleStatus) any
	applyExample                string

	left, its, leftLong, skips, measured, triggered string // what of it sentences name

	header       []string
	cells        func(s contract.ScheduleStatus, now time.Time) []string
	template     func(contract.ScheduleStatus) any
	templateName string
}

// Backups are schedules of backups.
func Backups() Kind {
	return Kind{
		command: "schedule", name: "nightly", makeOne: `schedule create NAME --schedule "0 2 * * *"`,
		kind: "Schedule", apiVersion: velerov1.SchemeGroupVersion.String(), decode: manifest.Schedules, document: documentOf,
		documents: `Velero's documents as they are, several in a file, with
metadata.namespace, status and labels as repositories have them`,
		applyExample: "\n  velero schedule get -o yaml | lifeboat schedule apply -f -",
		left:         "Their backups", its: "backups", skips: "the run before", measured: ` and the age of the data of the last
good backup (RPO)`,
		leftLong: `Their backups stay until they expire, and the
last good ones stay then too, as long as nobody deletes them by name.`,
		triggered: `If a run of it goes on, the
schedule's own overlap policy decides: the new one is skipped, or begins afterwards. The run
waits for its turn as others do.`,
		header: header(), cells: cells, templateName: "Template",
		template: func(s contract.ScheduleStatus) any { return &s.Schedule.Spec.Template },
	}
}

// Drills are schedules of drills.
func Drills() Kind {
	return Kind{
		drills: true, command: "drill schedule", name: "bookstore", makeOne: "drill schedule NAME --quarterly --from-schedule SCHEDULE",
		kind: definition.Kind, apiVersion: definition.APIVersion, decode: manifest.DrillSchedules, document: drillDocumentOf,
		documents: `documents of kind Drill with a schedule in their spec,
several in a file`,
		left: "The evidence and the drills of the past", its: "evidence and its drills of the past", skips: "another drill of the cluster",
		leftLong: `The evidence of their drills stays, and
says when the next one was due: 'drill verify' will name it as overdue.`,
		triggered: `If a drill of the same
schedule goes on, the new one is skipped; behind another drill of the cluster it waits as
long as its catch-up window allows.`,
		header: drillHeader(), cells: drillCells, templateName: "Drill",
		template: func(s contract.ScheduleStatus) any { return s.Schedule.Drill },
	}
}

// example are lines of a command's help.
func (k Kind) example(lines ...string) string {
	for i, l := range lines {
		lines[i] = "  lifeboat " + k.command + " " + l
	}
	return strings.Join(lines, "\n")
}

// print prints one document, or several as a list.
func (k Kind) print(w stdio.Writer, format string, documents []any, one bool) error {
	if one {
		return show.Document(w, format, documents[0])
	}
	return show.Document(w, format, map[string]any{"apiVersion": k.apiVersion, "kind": k.kind + "List", "items": documents})
}

// drillDocumentOf is the document of a schedule of drills.
func drillDocumentOf(s contract.ScheduleStatus) any { return s.Schedule.DrillDocument() }

func drillHeader() []string {
	return []string{"NAME", "STATUS", "CREATED", "SCHEDULE", "TIME ZONE", "BACKUP OF", "NAMESPACES", "LAST PASSED", "LAST RESULT", "NEXT RUN", "SOURCE"}
}

func drillCells(s contract.ScheduleStatus, now time.Time) []string {
	passed, result := "never", "n/a"
	if s.LastSuccess != nil {
		passed = show.FromNow(s.LastSuccess.Started, now)
	}
	if s.LastResult != nil {
		result = outcomeText(*s.LastResult)
	}
	source, namespaces := "", ""
	if d := s.Schedule.Drill; d != nil {
		source, namespaces = show.Or(d.Source.Backup+d.Source.Schedule, "any schedule"), show.Or(strings.Join(d.IncludedNamespaces, ","), "*")
	}
	return []string{
		s.Schedule.Name, s.Phase, show.Time(s.Created), s.Schedule.Spec.Schedule, show.Or(s.Zone, "UTC"), source, namespaces, passed, result,
		nextText(s.Next, now), s.Source,
	}
}
