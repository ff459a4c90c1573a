package selection

import (
	"context"
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// lostNamed bounds how many lost objects are named, by some 300 bytes each in the plan.
const lostNamed = 1000

// losses are the objects in damaged members, which the restore leaves out.
type losses struct {
	told    map[archive.Key]bool // of each lost object, by its key without a version: whether it was told of
	reasons []report.Reason
	unnamed int
}

// addLost notes the objects of damaged members, and tells of those that the filters select.
func (x *selection) addLost(ctx context.Context) error {
	return x.s.Arc.LeftOut(ctx, func(m int, entries []archive.Entry, damage error) error {
		if damage != nil {
			x.tellUnreadable(x.s.Arc.Members()[m], damage)
			return nil
		}
		for _, e := range entries {
			x.addLostEntry(e)
		}
		return nil
	})
}

func (x *selection) addLostEntry(e archive.Entry) {
	key := archive.Key{Resource: strings.Clone(e.Resource), Namespace: strings.Clone(e.Namespace), Name: strings.Clone(e.Name)}
	x.lost.told[key] = false
	if key.Namespace != "" {
		x.namespaces[key.Namespace] = true
	}
	if x.s.Plan.Filter.IncludeObject(key.Resource, key.Namespace, key.Name) {
		x.tellLost(key)
	}
}

// tellLost tells, once, of an object that would be restored were it not damaged. It reports
// whether it is a lost one.
func (x *selection) tellLost(key archive.Key) (isLost bool) {
	told, isLost := x.lost.told[key]
	if !isLost || told {
		return isLost
	}
	x.lost.told[key] = true
	if len(x.lost.reasons) >= lostNamed {
		x.lost.unnamed++
		return true
	}
	text := "not restored: the bytes of it that the backup has are damaged"
	if x.s.Plan.Filter.HasSelectors() {
		text += ", and its labels, which may not be selected"
	}
	x.lost.reasons = append(x.lost.reasons, report.New(report.ObjectDamaged, text).At(key.Resource, key.Namespace, key.Name))
	return true
}

// tellUnreadable tells of a member whose objects have no names any more.
func (x *selection) tellUnreadable(m archive.Member, damage error) {
	var spans []string
	for _, s := range m.Spans {
		if x.s.Plan.Filter.IncludeType(s.Resource) {
			spans = append(spans, fmt.Sprintf("%s from %s to %s", s.Resource, s.First, s.Last))
		}
	}
	if len(spans) == 0 {
		return
	}
	x.lost.reasons = append(x.lost.reasons, report.New(report.ObjectDamaged, fmt.Sprintf(
		"some of %d objects whose names are lost may be missing, %s: %v", m.Objects, strings.Join(spans, ", "), damage)))
}

// lostReasons are what to tell of lost objects.
func (x *selection) lostReasons() []report.Reason {
	if x.lost.unnamed == 0 {
		return x.lost.reasons
	}
	return append(x.lost.reasons, report.New(report.ObjectDamaged, fmt.Sprintf("%d more objects are not restored because of damage", x.lost.unnamed)))
}
