package evidence

import (
	"errors"
	"fmt"
	"slices"
)

// checkObjects adds up: every object of the manifest is in one group of its type.
func (p Predicate) checkObjects() error {
	o := p.Objects
	if err := ascending("kinds", texts(o.Kinds, func(k KindCount) string { return k.Resource })); err != nil {
		return err
	}
	if err := ascending("rules", texts(o.Rules, func(r Rule) string { return r.ID })); err != nil {
		return err
	}
	var sum Objects
	used := map[string]bool{}
	for i, k := range o.Kinds {
		if err := k.check(o.Rules, used); err != nil {
			return fmt.Errorf("kinds[%d] %s: %w", i, k.Resource, err)
		}
		sum.Total += k.Total
		sum.Equal += k.Equal
		sum.Changed += k.ChangedCount()
		sum.NotRestored += k.NotRestoredCount()
	}
	for _, r := range o.Rules {
		if !used[r.ID] {
			return fmt.Errorf("rules: %q changed no object", r.ID)
		}
	}
	if sum.Total != o.Total || sum.Equal != o.Equal || sum.Changed != o.Changed || sum.NotRestored != o.NotRestored {
		return fmt.Errorf("total, equal, changed and notRestored are %d, %d, %d, %d; kinds add up to %d, %d, %d, %d",
			o.Total, o.Equal, o.Changed, o.NotRestored, sum.Total, sum.Equal, sum.Changed, sum.NotRestored)
	}
	if o.Total != p.Source.Backup.Objects {
		return fmt.Errorf("total: is %d, the manifest has %d", o.Total, p.Source.Backup.Objects)
	}
	return nil
}

// ChangedCount is how many objects of the type were changed on purpose.
func (k KindCount) ChangedCount() (n Count) {
	for _, g := range k.Changed {
		n += g.Count
	}
	return n
}

// NotRestoredCount is how many objects of the type did not come back.
func (k KindCount) NotRestoredCount() (n Count) {
	for _, g := range k.NotRestored {
		n += g.Count
	}
	return n
}

// check notes in used the rules that changed objects of the type.
func (k KindCount) check(rules []Rule, used map[string]bool) error {
	for i, g := range k.Changed {
		if err := g.check(rules, used); err != nil {
			return fmt.Errorf("changed[%d]: %w", i, err)
		}
	}
	for i, g := range k.NotRestored {
		if g.Count < 1 || Count(len(g.Objects)) > g.Count {
			return fmt.Errorf("notRestored[%d]: %d objects, %d of them named", i, g.Count, len(g.Objects))
		}
	}
	if k.Total < 1 || k.Total != k.Equal+k.ChangedCount()+k.NotRestoredCount() {
		return fmt.Errorf("total: is %d; equal, changed and notRestored add up to %d", k.Total, k.Equal+k.ChangedCount()+k.NotRestoredCount())
	}
	return nil
}

func (g ChangedGroup) check(rules []Rule, used map[string]bool) error {
	if g.Count < 1 || Count(len(g.Objects)) > g.Count {
		return fmt.Errorf("%d objects, %d of them named", g.Count, len(g.Objects))
	}
	if len(g.Rules) == 0 {
		return errors.New("rules: none is named")
	}
	for _, id := range g.Rules {
		if !slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == id }) {
			return fmt.Errorf("rules: %q is not explained in objects.rules", id)
		}
		used[id] = true
	}
	return ascending("rules", g.Rules)
}
