package ebssim

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// maxAudit bounds the log; the oldest calls are dropped.
const maxAudit = 100_000

// Call is one line of the audit log.
type Call struct {
	Time time.Time `json:"time"`
	// Took is real time, waiting included.
	Took   Duration `json:"took"`
	ID     string   `json:"id"`
	Who    string   `json:"who"`
	Action string   `json:"action"`
	// Params has no tokens.
	Params map[string]string `json:"params"`
	// Result is OK, an error code, or "dropped before" or "dropped after" and what
	// the answer would have been.
	Result string `json:"result"`
	// Denied is what the caller's policies have not allowed, "" where they have, whatever came of it.
	Denied string `json:"denied,omitempty"`
}

// Audit is every call since the start or the last ClearAudit, oldest first.
func (s *Sim) Audit() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.audit)
}

// ClearAudit empties the log.
func (s *Sim) ClearAudit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audit = nil
}

func (s *Sim) record(c *call, began time.Time, result string) {
	line := Call{
		Time: c.now, Took: Duration(time.Since(began)), ID: c.id, Action: c.action, Params: public(c.params), Result: result, Denied: c.denied,
	}
	if c.who != nil {
		line.Who = c.who.arn
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.audit) >= maxAudit {
		s.audit = slices.Delete(s.audit, 0, maxAudit/10)
	}
	s.audit = append(s.audit, line)
}

// public is the parameters without what says nothing and what nobody may see.
func public(p wire.Params) map[string]string {
	out := map[string]string{}
	for key := range p {
		switch key {
		case "Action", "Version":
		case "WebIdentityToken":
			out[key] = "(not shown)"
		default:
			out[key] = p.Get(key)
		}
	}
	return out
}

func requestID() string {
	raw := make([]byte, 16)
	rand.Read(raw)
	text := hex.EncodeToString(raw)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// newSecret is 40 characters that nobody can guess.
func newSecret() string {
	raw := make([]byte, 20)
	rand.Read(raw)
	return hex.EncodeToString(raw)
}
