//go:build stack

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// unreadable refuses one object that is asked for by name. The backup says so and has
// everything else.
func unreadable(ctx context.Context, l *lane) error {
	name, _ := l.names("backup")
	l.arm(func(c Call, at Moment) *Answer {
		if at == Before && strings.HasPrefix(c.Sig, "GET /api/v1/namespaces/BULK/configmaps?") && c.Query.Get("fieldSelector") == "metadata.name=small-0002" {
			return &Answer{Status: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}}, Body: status(http.StatusForbidden, "Forbidden", "")}
		}
		return nil
	})
	spec := bulkSpec()
	spec.OrderedResources = map[string]string{"configmaps": bulk + "/small-0002," + bulk + "/small-0004"}
	res, err := l.finished(ctx, name, spec)
	if err != nil {
		return err
	}
	if told := strings.Join(res.Reasons, "\n"); res.Errors != 1 || !strings.Contains(told, "[READ_FAILED] configmaps "+bulk+"/small-0002") {
		err = fmt.Errorf("%d errors: %s", res.Errors, told)
	}
	got, cerr := l.content(ctx, name)
	if cerr != nil {
		return cerr
	}
	if lost := len(undisturbed.content.objects) - len(got.objects); lost != 1 || res.Phase != "PartiallyFailed" {
		err = errors.Join(err, fmt.Errorf("%s, %d objects are missing, want 1", res.Phase, lost))
	}
	return errors.Join(err, l.leftovers(ctx))
}

// notImplemented is what object stores without conditional writes answer to one.
var notImplemented = Answer{
	Status: http.StatusNotImplemented, Header: http.Header{"Content-Type": {"application/xml"}},
	Body: `<?xml version="1.0"?><Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message></Error>`,
}

// withoutConditions backs up to a store that knows no If-None-Match: the backup is
// whole, says what it lacks, and its name is not taken twice.
func withoutConditions(ctx context.Context, l *lane) (err error) {
	name, _ := l.names("backup")
	l.arm(func(c Call, at Moment) *Answer {
		if at == Before && c.Side == "s3" && c.IfAbsent {
			return &notImplemented
		}
		return nil
	})
	if err := l.another(ctx); err != nil { // a worker finds out once what a store can do
		return err
	}
	defer func() {
		l.arm(nil)
		err = errors.Join(err, l.another(ctx))
	}()
	res, err := l.finished(ctx, name, bulkSpec())
	if err != nil {
		return err
	}
	if told := strings.Join(res.Reasons, "\n"); res.Warnings != 1 || !strings.Contains(told, "[STORE_DEGRADED]") {
		err = fmt.Errorf("%d warnings: %s", res.Warnings, told)
	}
	return errors.Join(err, l.sameBackup(ctx, name, res), l.recordedUnconditional(ctx, name), l.toldUnconditional(ctx), l.takenTwice(ctx, name))
}

// another ends the worker in order and starts the next.
func (l *lane) another(ctx context.Context) error {
	l.current().Stop()
	return l.start(ctx)
}

// recordedUnconditional reads the fact where a later reader looks for it.
func (l *lane) recordedUnconditional(ctx context.Context, name string) error {
	files := layout.Backup{Name: name}
	body, _, err := l.Store.Get(ctx, files.Metadata())
	if err != nil {
		return err
	}
	data, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return err
	}
	var doc velerov1.Backup
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if got := doc.Annotations["lifeboat-backup.github.io/conditional-writes"]; got != "false" {
		err = fmt.Errorf("annotation conditional-writes is %q", got)
	}
	var results any
	if ferr := l.file(ctx, files.Results(), &results); ferr != nil {
		return ferr
	}
	if text := fmt.Sprint(results); !strings.Contains(text, "STORE_DEGRADED") {
		err = errors.Join(err, fmt.Errorf("results %s", text))
	}
	return err
}

func (l *lane) toldUnconditional(ctx context.Context) error {
	res, err := l.CLI(ctx, "location", "check")
	if err != nil {
		return err
	}
	for line := range strings.Lines(res.Out) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "conditional-write" && f[1] == "no" && res.Code == 0 {
			return nil
		}
	}
	return fmt.Errorf("location check ends with %d: %s%s", res.Code, res.Out, res.Err)
}

func (l *lane) takenTwice(ctx context.Context, name string) error {
	var refused *temporal.ApplicationError
	_, err := l.finished(ctx, name, bulkSpec())
	if !errors.As(err, &refused) || refused.Type() != contract.ErrTypeExists || !strings.Contains(refused.Message(), "already exists") {
		return fmt.Errorf("a second backup of the name: %w", errors.Join(err, errors.New("was not refused")))
	}
	return l.leftovers(ctx)
}
