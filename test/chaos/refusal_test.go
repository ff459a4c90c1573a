//go:build stack

package chaos

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestRefusals lets servers refuse what they are asked for, as they may: an expired
// continue token, 429 and 503 under load.
func TestRefusals(t *testing.T) {
	t.Parallel()
	recordings(t)
	each(t, []job{
		{"expired token, a new one offered", func(ctx context.Context, l *lane) error { return l.expired(ctx, true) }},
		{"expired token, none offered", func(ctx context.Context, l *lane) error { return l.expired(ctx, false) }},
		{"a type goes before it is listed", goneType},
		{"one object may not be read", unreadable},
		{"no conditional writes", withoutConditions},
		{"the API server throttles a restore", func(ctx context.Context, l *lane) error { return l.refusedRestore(ctx, share("api", 4, tooMany)) }},
		{"the API server throttles a backup", func(ctx context.Context, l *lane) error { return l.refusedBackup(ctx, share("api", 4, tooMany)) }},
		{"the object store asks to slow down", func(ctx context.Context, l *lane) error { return l.refusedBackup(ctx, share("s3", 4, slowDown)) }},
		{"concurrency follows refusals", backsOff},
	})
}

// status is a refusal as API servers word it.
func status(code int, reason, token string) string {
	doc, _ := json.Marshal(m{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "refused by the test",
		"metadata": m{"continue": token},
	})
	return string(doc)
}

// expired answers 410 to the second page of a list, once.
func (l *lane) expired(ctx context.Context, offer bool) error {
	name, _ := l.names("backup")
	var done atomic.Bool
	l.arm(func(c Call, at Moment) *Answer {
		page := at == Before && strings.Contains(c.Sig, "/BULK/configmaps?continue") && c.Nth == 2
		if !page || done.Swap(true) {
			return nil
		}
		token := ""
		if offer {
			token = inconsistent(c.Query.Get("continue"))
		}
		return &Answer{Status: http.StatusGone, Header: http.Header{"Content-Type": {"application/json"}}, Body: status(http.StatusGone, "Expired", token)}
	})
	res, err := l.finished(ctx, name, bulkSpec())
	if err != nil {
		return err
	}
	if !done.Load() {
		return errors.New("no second page was asked for")
	}
	if told := strings.Contains(strings.Join(res.Reasons, "\n"), "LIST_INCONSISTENT") && res.Warnings == 1; told != offer {
		return fmt.Errorf("inconsistency told: %t, happened: %t (%d warnings, %v)", told, offer, res.Warnings, res.Reasons)
	}
	return l.sameBackup(ctx, name, res)
}

// inconsistent is the token that an API server offers in place of an expired one: the
// same place, in whatever state the cluster is in now.
func inconsistent(token string) string {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	doc := m{}
	if err != nil || json.Unmarshal(raw, &doc) != nil {
		return ""
	}
	doc["rv"] = -1
	raw, _ = json.Marshal(doc)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// share answers every n-th request of a side in the server's place.
func share(side string, n int64, answer Answer) Hook {
	var count atomic.Int64
	return func(c Call, at Moment) *Answer {
		if c.Side == side && at == Before && count.Add(1)%n == 0 {
			return &answer
		}
		return nil
	}
}

// tooMany is what priority and fairness answers; it asks for a pause of a second.
var tooMany = Answer{
	Status: http.StatusTooManyRequests, Header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}},
	Body: status(http.StatusTooManyRequests, "TooManyRequests", ""),
}

var slowDown = Answer{
	Status: http.StatusServiceUnavailable, Header: http.Header{"Content-Type": {"application/xml"}},
	Body: `<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`,
}

func (l *lane) refusedBackup(ctx context.Context, hook Hook) error {
	name, _ := l.names("backup")
	l.arm(hook)
	res, err := l.finished(ctx, name, bulkSpec())
	if err != nil {
		return err
	}
	return l.sameBackup(ctx, name, res)
}

// backsOff restores many objects, refuses a burst of writes, and looks at how many
// are in flight before and after it.
func backsOff(ctx context.Context, l *lane) error {
	const calm, burst, after = 600, 80, 60 // writes
	if err := l.backup(ctx, "bulk", bulkSpec()); err != nil {
		return err
	}
	_, target := l.names("restore")
	var n atomic.Int64
	var peaks [2]atomic.Int64
	raise := func(peak *atomic.Int64, v int64) {
		for old := peak.Load(); v > old && !peak.CompareAndSwap(old, v); old = peak.Load() {
		}
	}
	l.arm(func(c Call, at Moment) *Answer {
		if at != Before || !strings.HasPrefix(c.Sig, "POST ") || c.Side != "api" {
			return nil
		}
		switch k := n.Add(1); {
		case k <= calm:
			raise(&peaks[0], int64(c.InFlight))
		case k <= calm+burst:
			return &tooMany
		case k <= calm+burst+after:
			raise(&peaks[1], int64(c.InFlight))
		}
		return nil
	})
	run, err := l.execute("restore:"+l.Cluster+":bulk", contract.RestoreWorkflow, contract.RestoreInput{Name: "bulk", Spec: velerov1.RestoreSpec{
		BackupName: "bulk", NamespaceMapping: map[string]string{bulk: target}, IncludedResources: []string{"configmaps", "secrets"},
	}})(ctx)
	var res contract.RestoreResult
	if err == nil {
		err = run.Get(ctx, &res)
	}
	if err != nil {
		return err
	}
	before, then := peaks[0].Load(), peaks[1].Load()
	if then >= before {
		err = fmt.Errorf("%d writes in flight before the refusals, %d after", before, then)
	}
	if res.Phase != "Completed" || res.Counts.Failed > 0 || res.Counts.Total() < bulkObjects+bigSecrets {
		err = errors.Join(err, fmt.Errorf("restore is %s: %+v %v", res.Phase, res.Counts, res.Reasons))
	}
	return errors.Join(err, l.leftovers(ctx))
}
