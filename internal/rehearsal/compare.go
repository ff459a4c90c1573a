package rehearsal

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/reference"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
)

// comparison holds each object of the backup against what became of it.
type comparison struct {
	*driver
	run     *restore.Run
	wanted  *apply.Wanted
	live    *liveObjects
	fates   map[archive.Key]fate // by keys without a version
	checker *reference.Checker
	seen    map[archive.Key]bool
}

// fate is what the restore says of an object.
type fate struct {
	action, reason string
	reasons        []report.Reason
}

// compare walks through the backup once, and accounts for each object.
func (d *driver) compare(ctx context.Context) error {
	run, err := d.service.Planned(ctx, d.opened.Ref)
	if err != nil {
		return err
	}
	types, err := d.client.Discover(ctx)
	if err != nil {
		return err
	}
	wanted, err := apply.NewWanted(ctx, d.service, run, types)
	if err != nil {
		return err
	}
	c := &comparison{
		driver: d, run: run, wanted: wanted, fates: map[archive.Key]fate{}, seen: map[archive.Key]bool{}, checker: reference.NewChecker(),
		live: &liveObjects{client: d.client, types: types, listed: map[string]map[string][]byte{}},
	}
	if err := c.readFates(ctx); err != nil {
		return err
	}
	if err := c.readNames(ctx); err != nil {
		return err
	}
	err = run.Arc.Walk(ctx, 0, len(run.Arc.Members()), func(_ int, e archive.Entry, body []byte) error {
		c.checker.AddObject(e.Key, body)
		return c.judge(ctx, e, body)
	})
	if err != nil {
		return err
	}
	d.account.compared = true
	for _, found := range c.checker.Findings() {
		d.account.addProblem(found)
	}
	return nil
}

// readFates reads what the restore says of each object. What it says of none is a problem.
func (c *comparison) readFates(ctx context.Context) error {
	for _, r := range c.run.Reasons {
		c.account.addProblem(r)
	}
	return c.run.Records(ctx, func(rec restore.Record) error {
		if rec.Kind == "" && rec.Action == "" {
			for _, r := range rec.Reasons {
				c.account.addProblem(r)
			}
			return nil
		}
		key := rec.Origin()
		key.Version = ""
		c.fates[key] = fate{action: rec.Action, reason: rec.Reason, reasons: rec.Reasons}
		return nil
	})
}

// readNames tells the checker which objects there are, and what definitions serve.
func (c *comparison) readNames(ctx context.Context) error {
	err := c.run.Arc.WalkEntries(ctx, 0, len(c.run.Arc.Members()), func(_ int, entries []archive.Entry) error {
		for _, e := range entries {
			c.checker.AddEntry(e.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range c.run.Arc.With(resource.CustomResourceDefinitions) {
		err := c.run.Arc.Walk(ctx, m, m+1, func(_ int, e archive.Entry, body []byte) error {
			if e.Resource == resource.CustomResourceDefinitions {
				c.checker.AddDefinition(e.Key, body)
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// judge accounts for one object.
func (c *comparison) judge(ctx context.Context, e archive.Entry, body []byte) error {
	key := e.Key
	key.Version = ""
	if c.seen[key] {
		c.account.addLeft(e.Resource, reference.Duplicate, "the backup holds another object of this name")
		return nil
	}
	c.seen[key] = true
	f, known := c.fates[key]
	delete(c.fates, key)
	switch {
	case !known:
		c.account.addLeft(e.Resource, report.NotRestorable, "objects of this type are not restored")
	case f.action == string(report.Failed):
		c.account.addRefused(c.explain(e, f.reasons))
	case f.action == string(report.Skipped) && isRule(f.reason):
		code, text, _ := strings.Cut(f.reason, ": ")
		c.account.addLeft(e.Resource, report.Code(code), text)
	default:
		return c.compareObject(ctx, e, body, f)
	}
	return nil
}

// isRule says that a rule of the object's kind leaves it out, by a reason of code and text.
func isRule(reason string) bool {
	code, _, found := strings.Cut(reason, ": ")
	return found && code != "" && strings.ToUpper(code) == code
}

// explain gives the reasons of a refusal the codes of an upgrade, where that is what they are
// about.
func (c *comparison) explain(e archive.Entry, reasons []report.Reason) []report.Reason {
	for i, r := range reasons {
		if r.Code != report.TypeNotServed {
			continue
		}
		if _, custom := resource.DefinitionOf(e.Resource); custom {
			continue
		}
		code := APIRemoved
		if len(c.live.types.Versions(e.Resource)) > 0 {
			code = VersionGone
		}
		p := newProblem(code, fmt.Sprintf("%s (Kubernetes %s)", r.Message, c.result.Kubernetes))
		reasons[i] = p.At(r.Resource, r.Namespace, r.Name)
	}
	return reasons
}

// compareObject compares an object that the restore has brought or found.
func (c *comparison) compareObject(ctx context.Context, e archive.Entry, body []byte, f fate) error {
	live, err := c.live.take(ctx, e.Key)
	if err != nil {
		return err
	}
	wanted, err := c.wanted.Object(e, body)
	if err != nil {
		return err
	}
	if live == nil && f.action == string(report.Skipped) && len(f.reasons) > 0 { // such as a pod that is left to its controller
		c.account.addRefused(f.reasons)
		return nil
	}
	if live == nil || wanted == nil {
		c.account.addDifferent(newProblem(ObjectLost, "was restored, and is not there").At(e.Resource, e.Namespace, e.Name))
		return nil
	}
	var stored map[string]any
	if err := json.Unmarshal(body, &stored); err != nil {
		return fmt.Errorf("read %s: %w", e.Key, err)
	}
	onPurpose, unwanted := differences(e.Resource, stored, wanted, live)
	if len(unwanted) > 0 && c.Rules.Equal(e.Resource, live, wanted) {
		for _, field := range unwanted {
			onPurpose = append(onPurpose, contract.RehearsalChange{Resource: e.Resource, Field: field, By: byRule})
		}
		unwanted = nil
	}
	switch {
	case len(unwanted) > 0:
		text := "differs from the backup in " + strings.Join(unwanted, ", ")
		for _, r := range f.reasons {
			if r.IsError() || r.Code == report.UpdateFailed {
				text += ": " + r.Message
				break
			}
		}
		c.account.addDifferent(newProblem(ObjectDiffers, text).At(e.Resource, e.Namespace, e.Name))
	case len(onPurpose) > 0:
		c.account.addChanged(onPurpose)
	default:
		c.account.addEqual()
	}
	return nil
}
