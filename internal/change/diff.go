// Package change compares backups by their indexes and judges whether what changed from one
// to the next is usual. It is pure: what it knows of backups it is told.
//
//   - diff.go: which objects were added, removed or changed.
//   - versions.go: the states that one object has had over several backups.
//   - rules.go: what of a difference is looked at, and how much of it.
//   - privilege.go, webhook.go: RBAC that became wider; admission that became another's.
//   - judge.go: a measure against its bound and against those of the backups before.
package change

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/content"
)

// What became of an object.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Object is one that is not the same in both backups. Its key is that of the newer one, or of
// the older if it was removed.
type Object struct {
	Change string
	archive.Key
}

// Counts are numbers of objects.
type Counts struct{ Added, Removed, Changed, Same int64 }

func (c *Counts) add(change string) {
	switch change {
	case Added:
		c.Added++
	case Removed:
		c.Removed++
	case Changed:
		c.Changed++
	default:
		c.Same++
	}
}

// Differ tells whether any object differs.
func (c Counts) Differ() bool { return c.Added+c.Removed+c.Changed > 0 }

// Before is how many objects the older backup had.
func (c Counts) Before() int64 { return c.Removed + c.Changed + c.Same }

// Place is where objects are counted.
type Place struct{ Resource, Namespace string }

// Diff is the difference of two backups.
type Diff struct {
	Total  Counts
	Places map[Place]*Counts
	// Objects are those that differ, by resource, namespace and name. Of very many some are
	// left out, of types that the rules ask for none.
	Objects []Object
	// Omitted is how many of them are left out.
	Omitted int64
	// ByBody counts the objects that could only be compared as they were stored, revision and
	// status included, because one of the backups does not digest their contents.
	ByBody int64
}

// maxObjects bounds the objects that a Diff names: 100 bytes each.
const maxObjects = 200_000

// state is what is kept of an object of the older backup.
type state struct {
	content, body [content.Size]byte
	digested      bool // content is known
	seen          bool // the newer backup has it
}

func stateOf(e archive.Entry) (s state) {
	_, _ = hex.Decode(s.body[:], []byte(e.SHA256[:2*content.Size])) // both were validated when they were read
	s.digested = e.Content != ""
	_, _ = hex.Decode(s.content[:], []byte(e.Content))
	return s
}

// Comparison is a difference in the making: it is given all objects of the older backup, then
// all of the newer. It holds some 150 bytes an object of the older one. It is safe for
// concurrent use.
type Comparison struct {
	mu    sync.Mutex
	older map[archive.Key]state // without versions
	diff  Diff
}

// NewComparison begins.
func NewComparison() *Comparison {
	return &Comparison{older: map[archive.Key]state{}, diff: Diff{Places: map[Place]*Counts{}}}
}

// AddOlder takes objects of the older backup.
func (c *Comparison) AddOlder(entries []archive.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		if k, counts := comparedKey(e); counts {
			c.older[cloneKey(k)] = stateOf(e)
		}
	}
}

// AddNewer takes objects of the newer backup.
func (c *Comparison) AddNewer(entries []archive.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		k, counts := comparedKey(e)
		if !counts {
			continue
		}
		old, ok := c.older[k]
		switch {
		case !ok:
			c.count(Added, e.Key)
		case !old.seen: // an object that stands in an archive twice counts once
			c.count(c.compare(old, stateOf(e)), e.Key)
			old.seen = true
			c.older[k] = old
		}
	}
}

// compare is "" for the same object.
func (c *Comparison) compare(a, b state) string {
	same := a.content == b.content
	if !a.digested || !b.digested {
		c.diff.ByBody++
		same = a.body == b.body
	}
	if same {
		return ""
	}
	return Changed
}

// Finish ends the comparison.
func (c *Comparison) Finish() *Diff {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, old := range c.older {
		if !old.seen {
			c.count(Removed, k)
		}
	}
	c.older = nil
	slices.SortFunc(c.diff.Objects, func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return &c.diff
}

func (c *Comparison) count(change string, k archive.Key) {
	place := Place{k.Resource, k.Namespace}
	at := c.diff.Places[place]
	if at == nil {
		at = &Counts{}
		c.diff.Places[Place{strings.Clone(k.Resource), strings.Clone(k.Namespace)}] = at
	}
	at.add(change)
	c.diff.Total.add(change)
	if change == "" {
		return
	}
	if len(c.diff.Objects) >= maxObjects && !isWatched(k.Resource) {
		c.diff.Omitted++
		return
	}
	c.diff.Objects = append(c.diff.Objects, Object{change, cloneKey(k)})
}

// comparedKey is the key by which an object is found in the other backup. Of snapshots each
// backup stores its own and none of the cluster's: those do not count.
func comparedKey(e archive.Entry) (archive.Key, bool) {
	switch e.Resource {
	case "volumesnapshots.snapshot.storage.k8s.io", "volumesnapshotcontents.snapshot.storage.k8s.io":
		return archive.Key{}, false
	}
	k := e.Key
	k.Version = ""
	return k, true
}

// cloneKey lets go of the index block that the strings of a key are part of.
func cloneKey(k archive.Key) archive.Key {
	n, r := len(k.Name), len(k.Resource)
	all := k.Name + k.Resource + k.Namespace + k.Version
	return archive.Key{
		Name: all[:n], Resource: all[n : n+r], Namespace: all[n+r : n+r+len(k.Namespace)], Version: all[n+r+len(k.Namespace):],
	}
}

// Of adds up the counts of the resources that want chooses.
func (d *Diff) Of(want func(resource string) bool) (sum Counts) {
	for place, n := range d.Places {
		if want(place.Resource) {
			sum.Added += n.Added
			sum.Removed += n.Removed
			sum.Changed += n.Changed
			sum.Same += n.Same
		}
	}
	return sum
}

// objectsOf are the differing objects of a resource with one of the changes.
func (d *Diff) objectsOf(resource string, changes ...string) (out []Object) {
	for _, o := range d.Objects {
		if o.Resource == resource && slices.Contains(changes, o.Change) {
			out = append(out, o)
		}
	}
	return out
}
