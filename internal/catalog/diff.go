package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

const (
	// objectsInDiff is how many differing objects are named if nobody asks for more, and
	// mostObjectsInDiff if somebody does. Their names have 1.5 kB at most.
	objectsInDiff     = 100
	mostObjectsInDiff = 1000
	placesInDiff      = 200
)

// diffBackups compares two backups by their indexes.
func (c *Reader) diffBackups(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	var sides [2]indexed
	group, opening := errgroup.WithContext(ctx)
	for i, name := range []string{in.Name, in.To} {
		group.Go(func() (err error) {
			sides[i], err = c.openIndexed(opening, contract.ReadInput{Name: name, Location: in.Location})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return contract.ReadResult{}, err
	}
	diff, err := change.Compare(ctx, sides[0].archive, sides[1].archive)
	if err != nil {
		return contract.ReadResult{}, err
	}
	out := &contract.BackupDiff{
		From: sides[0].describe(), To: sides[1].describe(), Notes: diffNotes(diff, sides),
		Added: diff.Total.Added, Removed: diff.Total.Removed, Changed: diff.Total.Changed, Same: diff.Total.Same,
	}
	out.Places = differingPlaces(diff)
	out.Places, out.MorePlaces = cutRows(out.Places, placesInDiff)
	n := min(cmp.Or(max(in.Limit, 0), objectsInDiff), mostObjectsInDiff, len(diff.Objects))
	for _, o := range diff.Objects[:n] {
		out.Objects = append(out.Objects, contract.ObjectChange{Change: o.Change, Resource: o.Resource, Namespace: o.Namespace, Name: o.Name})
	}
	out.Objects, _ = cutRows(out.Objects, n)
	out.MoreObjects = int64(len(diff.Objects)-len(out.Objects)) + diff.Omitted
	return contract.ReadResult{Diff: out, Unread: unionOf(sides[0].unread, sides[1].unread)}, nil
}

// unionOf tells of each location that could not be read once.
func unionOf(a, b []contract.UnreadLocation) []contract.UnreadLocation {
	for _, unread := range b {
		if !slices.ContainsFunc(a, func(known contract.UnreadLocation) bool { return known.Name == unread.Name }) {
			a = append(a, unread)
		}
	}
	return a
}

// indexed is a backup of ours, open.
type indexed struct {
	location string
	archive  *archive.Archive
	unread   []contract.UnreadLocation
}

func (b indexed) describe() contract.DiffSide {
	m := b.archive.Manifest()
	return contract.DiffSide{Backup: m.Backup, Location: b.location, Cluster: m.Cluster, Started: m.Created, Objects: m.Totals.Objects}
}

// openIndexed opens a backup by name. One that Velero made has no index.
func (c *Reader) openIndexed(ctx context.Context, in contract.ReadInput) (indexed, error) {
	found, unread, err := c.findBackup(ctx, in)
	if err != nil {
		return indexed{}, err
	}
	if !isOurs(found.Value) {
		return indexed{}, failure.Unusable("backup %q was made by Velero and has no index of its objects: download both and compare the tarballs", in.Name)
	}
	a, err := archive.Open(ctx, repository.NewSource(found.Store), layout.Backup{Name: in.Name})
	if err != nil {
		return indexed{}, fmt.Errorf("backup %q: %w", in.Name, err)
	}
	return indexed{found.Location.Name, a, unread}, nil
}

func isOurs(doc *velerov1.Backup) bool { return doc.Annotations[repository.AnnotationUID] != "" }

func diffNotes(d *change.Diff, sides [2]indexed) (notes []string) {
	if d.ByBody > 0 {
		notes = append(notes, fmt.Sprintf("%d objects could be compared only as they were stored, because one of the backups was made by an older version: any write counts as a change, of the status too", d.ByBody))
	}
	a, b := sides[0].archive.Manifest(), sides[1].archive.Manifest()
	if a.Cluster != b.Cluster {
		notes = append(notes, fmt.Sprintf("the backups are of two clusters, %s and %s", a.Cluster, b.Cluster))
	}
	if a.Created.After(b.Created) {
		notes = append(notes, "the first backup is the newer one: what was added since appears as removed")
	}
	return notes
}

// differingPlaces are sorted by how much differs.
func differingPlaces(d *change.Diff) []contract.DiffPlace {
	var rows []contract.DiffPlace
	for place, n := range d.Places {
		if n.Differ() {
			rows = append(rows, contract.DiffPlace{Resource: place.Resource, Namespace: place.Namespace, Added: n.Added, Removed: n.Removed, Changed: n.Changed})
		}
	}
	slices.SortFunc(rows, func(a, b contract.DiffPlace) int {
		return cmp.Or(cmp.Compare(b.Added+b.Removed+b.Changed, a.Added+a.Removed+a.Changed),
			strings.Compare(a.Resource, b.Resource), strings.Compare(a.Namespace, b.Namespace))
	})
	return rows
}
