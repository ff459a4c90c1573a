//go:build stack

package chaos

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// TestBadDay gives the answers of servers that are well but not now: a kube-apiserver
// that has not read its RBAC rules yet, one that sheds load, an etcd without leader, a
// webhook without endpoints, an object store with a full queue, a token that expires in the middle,
// damage on the way. None
// of them is the fault of an object or a user, so that every backup is whole and every
// restore complete, without a reason.
func TestBadDay(t *testing.T) {
	t.Parallel()
	recordings(t)
	var jobs []job
	for what, day := range badAnswers() {
		jobs = append(jobs, job{what + "/restore", func(ctx context.Context, l *lane) error { return day().during(ctx, l.refusedRestore) }})
		if day().sig != post {
			jobs = append(jobs, job{what + "/backup", func(ctx context.Context, l *lane) error { return day().during(ctx, l.refusedBackup) }})
		}
	}
	each(t, jobs)
}

// post begins the signature of what only a restore asks of an API server.
const post = "POST "

// badAnswers makes a hook for each bad day. Lengths are those that were measured or that
// a server states: a restarted kube-apiserver 1.36 refused a cluster-admin for 20 to 170 ms,
// and priority and fairness asks for pauses of up to 32 s.
func badAnswers() map[string]func() *badDay {
	text := func(code int, reason, message string) Answer {
		return Answer{Status: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: strings.Replace(status(code, reason, ""), "refused by the test", message, 1)}
	}
	shed := tooMany
	shed.Header = http.Header{"Content-Type": {"application/json"}, "Retry-After": {"32"}}
	s3 := func(code int, name string) Answer {
		return Answer{Status: code, Header: http.Header{"Content-Type": {"application/xml"}}, Body: `<?xml version="1.0"?><Error><Code>` + name + `</Code><Message>test</Message></Error>`}
	}
	return map[string]func() *badDay{
		"the API server has no rules yet": func() *badDay {
			return &badDay{side: "api", after: 3, until: 170 * time.Millisecond, answer: text(http.StatusForbidden, "Forbidden", "nobody may do this yet")}
		},
		"the API server sheds load": func() *badDay {
			return &badDay{side: "api", after: 12, times: 2, answer: shed}
		},
		"etcd has no leader": func() *badDay {
			return &badDay{side: "api", after: 12, until: 3 * time.Second, answer: text(http.StatusInternalServerError, "InternalError", "etcdserver: leader changed")}
		},
		"a webhook has no endpoints": func() *badDay {
			return &badDay{
				side: "api", sig: post, until: 5 * time.Second,
				answer: text(http.StatusInternalServerError, "InternalError", `Internal error occurred: failed calling webhook \"w.test\": no endpoints available for service \"w\"`),
			}
		},
		"the object store is busy": func() *badDay {
			return &badDay{side: "s3", after: 2, until: 3 * time.Second, answer: slowDown}
		},
		"the token of the API server expires": func() *badDay {
			return &badDay{side: "api", after: 12, times: 1, answer: text(http.StatusUnauthorized, "Unauthorized", "Unauthorized")}
		},
		"a write meets another": func() *badDay {
			return &badDay{side: "s3", sig: "PUT ", times: 1, answer: s3(http.StatusConflict, "ConditionalRequestConflict")}
		},
		"a body was damaged on the way": func() *badDay {
			return &badDay{side: "s3", sig: "PUT ", times: 1, answer: s3(http.StatusBadRequest, "BadDigest")}
		},
		"a body was cut on the way": func() *badDay {
			return &badDay{side: "s3", sig: "PUT ", times: 1, answer: s3(http.StatusBadRequest, "IncompleteBody")}
		},
	}
}

// badDay answers requests of a side in the server's place: of those that match sig, all
// but the first ones, for a time or a number of them.
type badDay struct {
	side, sig string
	after     int64         // requests that are let through first
	until     time.Duration // since the first that is answered; 0 is for ever
	times     int64         // 0 is any number
	answer    Answer

	seen, hits atomic.Int64
	began      atomic.Int64
}

func (b *badDay) hook(c Call, at Moment) *Answer {
	health := strings.HasSuffix(c.Sig, "/livez") // whatever else is wrong, the process lives
	if c.Side != b.side || at != Before || health || !strings.HasPrefix(c.Sig, b.sig) || b.seen.Add(1) <= b.after {
		return nil
	}
	b.began.CompareAndSwap(0, time.Now().UnixNano())
	over := b.until > 0 && time.Since(time.Unix(0, b.began.Load())) > b.until
	if over || b.times > 0 && b.hits.Load() >= b.times {
		return nil
	}
	b.hits.Add(1)
	if strings.HasSuffix(c.Sig, "/readyz") && b.until > 0 {
		return &Answer{Status: http.StatusInternalServerError}
	}
	return &b.answer
}

// during runs under a bad day, which has to have come.
func (b *badDay) during(ctx context.Context, run func(context.Context, Hook) error) error {
	if err := run(ctx, b.hook); err != nil {
		return err
	}
	if b.hits.Load() == 0 {
		return errors.New("nothing was answered in the server's place")
	}
	return nil
}

func (l *lane) refusedRestore(ctx context.Context, hook Hook) error {
	name, target := l.names("restore")
	if err := l.clearCluster(ctx); err != nil {
		return err
	}
	l.arm(hook)
	run, err := l.startRestore(name, target)(ctx)
	var res contract.RestoreResult
	if err == nil {
		err = run.Get(ctx, &res)
	}
	if err != nil {
		return err
	}
	return l.sameRestore(ctx, target, res)
}
