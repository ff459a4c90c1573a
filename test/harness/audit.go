package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// AuditLog is the API server's log of writes, in which every line stands before its answer is sent.
type AuditLog struct{ policy, path string }

// auditPolicy logs who writes what, at a level.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: %s, verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
`

// AuditEvent is a write as the API server logs it. Object is what was sent, at the level Request.
type AuditEvent struct {
	Verb       string
	RequestURI string
	UserAgent  string
	ObjectRef  struct{ Resource, Namespace, Name, APIGroup, Subresource string }
	Object     json.RawMessage `json:"requestObject"`
}

// NewAuditLog prepares a log in a directory. The level is Metadata, or Request: with contents.
func NewAuditLog(dir, level string) (*AuditLog, error) {
	a := &AuditLog{policy: filepath.Join(dir, "policy.yaml"), path: filepath.Join(dir, "audit.log")}
	if err := os.WriteFile(a.policy, fmt.Appendf(nil, auditPolicy, level), 0o600); err != nil {
		return nil, fmt.Errorf("prepare an audit log: %w", err)
	}
	return a, nil
}

// Args are the flags of the API server that writes the log.
func (a *AuditLog) Args() []string {
	return []string{"--audit-policy-file=" + a.policy, "--audit-log-path=" + a.path}
}

// Length is that of the log, in bytes: what is written from now on begins there.
func (a *AuditLog) Length() (int64, error) {
	info, err := os.Stat(a.path)
	if err != nil {
		return 0, fmt.Errorf("audit log: %w", err)
	}
	return info.Size(), nil
}

// Requests are what Lifeboats have sent with a writing verb since the log had a length, dry runs
// and reviews included.
func (a *AuditLog) Requests(since int64) (events []AuditEvent, err error) {
	f, err := os.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.NewSectionReader(f, since, 1<<40))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var e AuditEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if strings.HasPrefix(e.UserAgent, "lifeboat/") {
			events = append(events, e)
		}
	}
	return events, lines.Err()
}

// IsWrite says whether it changes something: a dry run does not, nor does a review.
func (e AuditEvent) IsWrite() bool {
	isReview := strings.HasSuffix(e.ObjectRef.APIGroup, "authorization.k8s.io") && strings.Contains(e.ObjectRef.Resource, "reviews")
	return !isReview && !strings.Contains(e.RequestURI, "dryRun=All")
}
