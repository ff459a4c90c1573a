package orphan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// namedLocation is a storage location that the configuration does not have, and what names it.
type namedLocation struct {
	schedules []string // as people read them
	snapshots int
	since     time.Time // of the oldest of them
}

// unknownLocation is the record of a storage location that something names, nil for one that the
// configuration has.
func (l *look) unknownLocation(name string, since time.Time) *namedLocation {
	if !l.isUnknown(name) {
		return nil
	}
	n := l.unknown[name]
	if n == nil {
		n = &namedLocation{since: since}
		l.unknown[name] = n
	}
	if since.Before(n.since) {
		n.since = since
	}
	return n
}

// isUnknown tells of a storage location that the configuration does not have.
func (l *look) isUnknown(name string) bool {
	_, err := l.Locations.Config().Location(name)
	return name != "" && err != nil
}

// noteElsewhere notes the storage location of a snapshot of the cluster that is of none of its places.
func (l *look) noteElsewhere(s ebs.Snapshot) {
	if n := l.unknownLocation(s.Tags[ebs.TagLocation], s.Started); n != nil {
		n.snapshots++
	}
}

// lookAtSchedules notes the storage locations of schedules, of backups and of drills.
func (l *look) lookAtSchedules(ctx context.Context) error {
	bsl, err := l.Locations.Config().Location("")
	if err != nil {
		return nil //nolint:nilerr // no location is the default: there are no schedules
	}
	p := l.placeOf(repository.PlaceDigest(bsl))
	if p == nil {
		return nil // it could not be read, which is told
	}
	for _, of := range []layout.Schedules{{Cluster: l.cluster}, {Cluster: l.cluster, Drills: true}} {
		defined, err := repository.ReadSchedules(ctx, p.st, of)
		if err := l.missed(ctx, "schedules in storage location "+p.name, err); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(defined)) {
			l.noteSchedule(defined[name])
		}
	}
	return nil
}

func (l *look) noteSchedule(d *repository.ScheduleDefinition) {
	location, text := d.Spec.Template.StorageLocation, "schedule "+d.Name
	if d.Drill != nil {
		location, text = d.Drill.StorageLocation, "drill schedule "+d.Name
	}
	if n := l.unknownLocation(location, d.Created); n != nil {
		n.schedules = append(n.schedules, text)
	}
}

// orphansOfLocations are the storage locations of which nothing is collected, for nobody can read them.
func (l *look) orphansOfLocations() (rows []contract.Orphan) {
	for _, name := range slices.Sorted(maps.Keys(l.unknown)) {
		n := l.unknown[name]
		rows = append(rows, contract.Orphan{
			Kind: contract.OrphanLocation, ID: name, Location: name, Cluster: l.cluster, Since: n.since, Reason: unknownText(name) + ": " + n.namedBy(),
		})
	}
	return rows
}

// unknownText says why what is of a storage location stays that the configuration does not have.
func unknownText(name string) string {
	return fmt.Sprintf("retained: location %s unknown, add it to backupStorageLocations of the worker's configuration", name)
}

// namedBy says what names the location.
func (n *namedLocation) namedBy() string {
	all := slices.Clone(n.schedules)
	if n.snapshots > 0 {
		all = append(all, fmt.Sprintf("EBS snapshots (%d)", n.snapshots))
	}
	return "named by " + strings.Join(all, ", ")
}
