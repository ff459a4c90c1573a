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
	"github.com/lifeboat-backup/lifeboat/internal/restore/comparison"
)

// accounting holds each object of the backup against what became of it.
type accounting struct {
	*driver
	run      *restore.Run
	wanted   *apply.Wanted
	live     *comparison.Live
	outcomes comparison.Outcomes
	checker  *reference.Checker
	seen     map[archive.Key]bool
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
	c := &accounting{
		driver: d, run: run, wanted: wanted, seen: map[archive.Key]bool{}, checker: reference.NewChecker(),
		live: comparison.NewLive(d.client, types),
	}
	if c.outcomes, err = comparison.ReadOutcomes(ctx, run, d.account.addProblem); err != nil {
		return err
	}
	if err := c.readNames(ctx); err != nil {
		return err
	}
	err = run.Arc.Walk(ctx, 0, len(run.Arc.Members()), func(_ int, e archive.Entry, body []byte) error {
		c.checker.AddObject(e.Key, body)
		return c.accountFor(ctx, e, body)
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

// readNames tells the checker which objects there are, and what definitions serve.
func (c *accounting) readNames(ctx context.Context) error {
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

// accountFor accounts for one object.
func (c *accounting) accountFor(ctx context.Context, e archive.Entry, body []byte) error {
	key := e.Key
	key.Version = ""
	if c.seen[key] {
		c.account.addLeft(e.Resource, reference.Duplicate, "the backup holds another object of this name")
		return nil
	}
	c.seen[key] = true
	f, known := c.outcomes[key]
	delete(c.outcomes, key)
	code, text, isRule := f.Rule()
	switch {
	case !known:
		c.account.addLeft(e.Resource, report.NotRestorable, "objects of this type are not restored")
	case f.Failed():
		c.account.addRefused(c.explain(e, f.Reasons))
	case isRule:
		c.account.addLeft(e.Resource, code, text)
	default:
		return c.compareObject(ctx, e, body, f)
	}
	return nil
}

// explain gives the reasons of a refusal the codes of an upgrade, where that is what they are
// about.
func (c *accounting) explain(e archive.Entry, reasons []report.Reason) []report.Reason {
	for i, r := range reasons {
		if r.Code != report.TypeNotServed {
			continue
		}
		if _, custom := resource.DefinitionOf(e.Resource); custom {
			continue
		}
		code := APIRemoved
		if c.live.Serves(e.Resource) {
			code = VersionGone
		}
		p := newProblem(code, fmt.Sprintf("%s (Kubernetes %s)", r.Message, c.result.Kubernetes))
		reasons[i] = p.At(r.Resource, r.Namespace, r.Name)
	}
	return reasons
}

// compareObject compares an object that the restore has brought or found.
func (c *accounting) compareObject(ctx context.Context, e archive.Entry, body []byte, f comparison.Outcome) error {
	live, err := c.live.Take(ctx, e.Key)
	if err != nil {
		return err
	}
	wanted, err := c.wanted.Object(e, body)
	if err != nil {
		return err
	}
	if live == nil && f.Action == string(report.Skipped) && len(f.Reasons) > 0 { // such as a pod that is left to its controller
		c.account.addRefused(f.Reasons)
		return nil
	}
	if live == nil || wanted == nil {
		c.account.addDifferent(newProblem(ObjectLost, "was restored, and is not there").At(e.Resource, e.Namespace, e.Name))
		return nil
	}
	onPurpose, unwanted, err := c.differences(e, body, wanted, live)
	switch {
	case err != nil:
		return err
	case len(unwanted) > 0:
		text := "differs from the backup in " + strings.Join(unwanted, ", ") + whyDifferent(f.Reasons)
		c.account.addDifferent(newProblem(ObjectDiffers, text).At(e.Resource, e.Namespace, e.Name))
	case len(onPurpose) > 0:
		c.account.addChanged(onPurpose)
	default:
		c.account.addEqual()
	}
	return nil
}

// differences are the fields in which an object differs from its backup, on purpose and otherwise. What a
// rule of its kind calls equal differs on purpose.
func (c *accounting) differences(e archive.Entry, body []byte, wanted, live map[string]any) (onPurpose []contract.RehearsalChange, unwanted []string, err error) {
	var stored map[string]any
	if err := json.Unmarshal(body, &stored); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	onPurpose, unwanted = comparison.Differences(e.Resource, stored, wanted, live)
	if len(unwanted) == 0 || !c.Rules.Equal(e.Resource, live, wanted) {
		return onPurpose, unwanted, nil
	}
	for _, field := range unwanted {
		onPurpose = append(onPurpose, contract.RehearsalChange{Resource: e.Resource, Field: field, By: comparison.ByRule})
	}
	return onPurpose, nil, nil
}

// whyDifferent is what the restore says of an object that it could not bring as it was.
func whyDifferent(reasons []report.Reason) string {
	for _, r := range reasons {
		if r.IsError() || r.Code == report.UpdateFailed {
			return ": " + r.Message
		}
	}
	return ""
}
