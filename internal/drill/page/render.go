package page

import (
	_ "embed" // for the template
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

//go:embed page.html
var pageText string

// Options say what is known beside the bytes.
type Options struct {
	Verified bool   // the signature was checked with a key that the reader gave
	File     string // name of the file, for the command that checks it
}

// Render writes the page of a file of evidence. What was not verified is marked as such, on
// top. The same file and options give the same page.
func Render(w io.Writer, file []byte, e evidence.Evidence, o Options) error {
	if evidence.DigestOf(file) != e.Digest {
		return fmt.Errorf("render page: the evidence was not read from these bytes")
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"duration": duration, "bytes": binarySize, "count": thousands, "minute": minute, "day": day, "short": short,
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	if err := t.Execute(w, newView(file, e, o)); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	return nil
}

// view is what the template needs beside the predicate.
type view struct {
	evidence.Predicate
	Options
	Subjects []evidence.Subject
	Digest   evidence.Digest
	Signer   evidence.Digest
	Download template.URL // the file itself
	Levels   []levelRow
	Timeline []bar
	Trends   []trend
	Drills   []drillRow
	Held     int // assertions
	Found    evidence.Count
	Controls []Control
}

func newView(file []byte, e evidence.Evidence, o Options) view {
	p := e.Statement.Predicate
	v := view{
		Predicate: p, Options: o, Subjects: e.Statement.Subject, Digest: e.Digest, Signer: e.Signer,
		Download: template.URL("data:application/json;base64," + base64.StdEncoding.EncodeToString(file)), //nolint:gosec // base64 needs no escapes
		Levels:   levelRows(p.Claim.Levels), Timeline: timeline(p), Drills: drillRows(e),
		Controls: Controls(),
	}
	v.Trends = trends(v.Drills, p.Objective)
	for _, a := range p.Assertions {
		if a.Outcome == evidence.Held {
			v.Held++
		}
	}
	for _, l := range p.Teardown.LeakScan {
		v.Found += l.Found
	}
	return v
}

// levelRow is a level with what it means.
type levelRow struct {
	evidence.LevelResult
	Means string
}

func levelRows(levels []evidence.LevelResult) []levelRow {
	means := map[evidence.Level]string{
		evidence.L0: "every byte agrees with the manifest",
		evidence.L1: "an API server's dry run takes every object",
		evidence.L2: "every object is created and equals the backup",
		evidence.L3: "volumes are made, their file systems can be read",
		evidence.L4: "workloads are ready",
		evidence.L5: "the user's assertions hold",
	}
	var out []levelRow
	for _, l := range levels {
		out = append(out, levelRow{l, means[l.Level]})
	}
	return out
}

// bar is a phase in the timeline; Left and Width are percent of the whole.
type bar struct {
	evidence.Phase
	Left, Width float64
	Took        evidence.Millis
}

func timeline(p evidence.Predicate) []bar {
	var end evidence.Millis = 1
	for _, phase := range p.Measured.Phases {
		end = max(end, phase.Finished.Since(p.Drill.Asked))
	}
	var out []bar
	for _, phase := range p.Measured.Phases {
		took := phase.Finished.Since(phase.Started)
		out = append(out, bar{phase, percent(phase.Started.Since(p.Drill.Asked), end), max(percent(took, end), 0.5), took})
	}
	return out
}

func percent(part, whole evidence.Millis) float64 { return 100 * float64(part) / float64(whole) }
