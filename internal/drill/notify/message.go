package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// Message is how a drill ended. Its JSON is the body of webhooks of the form "json".
type Message struct {
	// Version is that of this form: 1.
	Version int `json:"version"`
	// ID is the drill's.
	ID      string `json:"id"`
	Drill   string `json:"drill"`
	Cluster string `json:"cluster"`
	Backup  string `json:"backup"`
	// Verdict is passed or failed, Level the highest that was proven.
	Verdict   string    `json:"verdict"`
	Level     string    `json:"level"`
	Objective string    `json:"objectiveLevel"`
	Failures  []Failure `json:"failures,omitempty"`
	// RTO and RPO are in milliseconds, as evidence has them; absent where they were not measured.
	RTO      int64     `json:"rtoMs,omitempty"`
	RPO      int64     `json:"rpoMs,omitempty"`
	Asked    time.Time `json:"asked"`
	Finished time.Time `json:"finished"`
	// Evidence is the SHA-256 of the evidence's file.
	Evidence string `json:"evidenceSha256,omitempty"`
}

// Failure is what speaks against the drill.
type Failure struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// MessageOf makes a message of the evidence of a drill and the digest of its file.
func MessageOf(p *evidence.Predicate, digest evidence.Digest) Message {
	m := Message{
		Version: 1, ID: p.Drill.ID, Drill: p.Drill.Name, Cluster: p.Source.Cluster.Name, Backup: p.Source.Backup.Name,
		Verdict: string(p.Claim.Verdict), Level: string(p.Claim.Level), Objective: string(p.Objective.Level),
		RPO: int64(p.Measured.RPO.Worst()), Asked: p.Drill.Asked.Time(), Finished: p.Drill.Finished.Time(), Evidence: string(digest),
	}
	m.RTO = int64(p.TimeToProof())
	for _, f := range p.Claim.Failures {
		m.Failures = append(m.Failures, Failure{string(f.Code), f.Detail})
	}
	return m
}

// MessageWithout makes a message of a drill that has left no evidence, for a cause.
func MessageWithout(res contract.DrillResult, cluster, cause string) Message {
	return Message{
		Version: 1, ID: res.ID, Drill: res.Name, Cluster: cluster, Backup: res.Backup, Verdict: string(evidence.Failed), Level: string(evidence.LevelNone),
		Failures: []Failure{{string(evidence.Aborted), cause}}, Asked: res.Asked, Finished: res.Finished,
	}
}

// passed reports whether nothing speaks against the drill.
func (m *Message) passed() bool { return m.Verdict == string(evidence.Passed) }

// summary is one line.
func (m *Message) summary() string {
	if m.passed() {
		return fmt.Sprintf("Restore drill %s of cluster %s passed: backup %s is proven at %s", m.Drill, m.Cluster, m.Backup, m.Level)
	}
	if m.Evidence == "" {
		return fmt.Sprintf("Restore drill %s of cluster %s failed, and has left no evidence", m.Drill, m.Cluster)
	}
	return fmt.Sprintf("Restore drill %s of cluster %s failed: backup %s is proven at %s, wanted is %s", m.Drill, m.Cluster, m.Backup, m.Level, m.Objective)
}

// details are the figures, then a line for each failure, the first twenty.
func (m *Message) details() string {
	const mostLines = 20
	lines := []string{fmt.Sprintf("RTO %s, RPO %s.", duration(m.RTO), duration(m.RPO))}
	for i, f := range m.Failures {
		if i == mostLines {
			lines = append(lines, fmt.Sprintf("and %d more", len(m.Failures)-i))
			break
		}
		lines = append(lines, f.Code+": "+f.Detail)
	}
	return strings.Join(lines, "\n")
}

func duration(millis int64) string {
	if millis == 0 {
		return "not measured"
	}
	return (time.Duration(millis) * time.Millisecond).Round(time.Second).String()
}

// cut bounds a text.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
