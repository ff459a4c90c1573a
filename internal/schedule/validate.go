package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// defaultCatchUp is how late a run may begin where nobody says.
const defaultCatchUp = time.Hour

// shortestCatchUp is Temporal's: it makes no less of it.
const shortestCatchUp = 10 * time.Second

// longestName leaves room for the time that is put behind the name of a schedule.
const longestName = archive.MaxNameLength - len("-20060102150405")

// rules are what a valid definition says, decoded.
type rules struct {
	timing    timing.Timing
	jitter    time.Duration
	catchUp   time.Duration
	bufferOne bool
	ttl       time.Duration
	rehearse  string // one of config.RehearseValues
	warnings  []string
}

// check reads a definition and finds everything that is wrong with it, as far as can be told
// by this worker: a due run would be refused for the same.
func (s *Service) check(d *contract.Schedule) (rules, error) {
	r := rules{catchUp: defaultCatchUp, ttl: cmp.Or(d.Spec.Template.TTL.Duration, s.Config.DefaultBackupTTL.Duration), rehearse: s.Config.Rehearsal.After}
	var p filter.Problems
	s.checkName(&p, d.Name)
	r.readTiming(&p, d)
	r.readAnnotations(&p, d)
	if !s.Config.Rehearsal.Configured() && r.rehearse != s.Config.Rehearsal.After && r.rehearse != config.RehearseNever {
		r.warnings = append(r.warnings, "its backups are not rehearsed: the worker's configuration names no control plane; set rehearsal.pod, or rehearsal.apiServer and rehearsal.etcd, there")
	}
	s.checkLocations(&p, &d.Spec.Template)
	for _, f := range append(filter.ValidateMetadata("metadata.", d.Labels, d.Annotations), filter.ValidateMetadata("spec.template.metadata.", d.Spec.Template.Metadata.Labels, nil)...) {
		p.Add(f.Path, "%s", f.Message)
	}
	for _, f := range filter.ValidateBackup(&d.Spec.Template) {
		p.Add("spec.template."+strings.TrimPrefix(f.Path, "spec."), "%s", f.Message)
	}
	if owner := d.Spec.UseOwnerReferencesInBackup; owner != nil && *owner {
		r.warnings = append(r.warnings, "spec.useOwnerReferencesInBackup has no effect: backups are not objects of the cluster, and deleting the schedule deletes none")
	}
	return r, p.Err()
}

// CheckConfigured checks the schedules of the configuration, without any I/O.
func (s *Service) CheckConfigured() error {
	var errs []error
	for i := range s.Config.Schedules {
		in := configured(&s.Config.Schedules[i])
		if _, err := s.check(&in); err != nil {
			errs = append(errs, fmt.Errorf("schedules[%d] (%s): %w", i, in.Name, err))
		}
	}
	return errors.Join(errs...)
}

// configured is the definition of a document of the configuration.
func configured(doc *velerov1.Schedule) contract.Schedule {
	return contract.Schedule{Name: doc.Name, Labels: doc.Labels, Annotations: doc.Annotations, Spec: doc.Spec}
}

func (s *Service) checkName(p *filter.Problems, name string) {
	err := archive.ValidateName(name)
	switch {
	case err != nil:
		p.Add("metadata.name", "%v", err)
	case len(name) > longestName:
		p.Add("metadata.name", "%q has %d characters: use at most %d, for backups are called NAME-YYYYMMDDhhmmss and names of backups have at most %d", name, len(name), longestName, archive.MaxNameLength)
	}
}

func (r *rules) readTiming(p *filter.Problems, d *contract.Schedule) {
	zone := d.Annotations[contract.AnnotationZone]
	if strings.TrimSpace(d.Spec.Schedule) == "" {
		p.Add("spec.schedule", "is empty: write a cron string such as \"0 2 * * *\", or @daily")
		return
	}
	var err error
	if r.timing, err = timing.Parse(d.Spec.Schedule, zone); err == nil {
		r.warnings = append(r.warnings, r.timing.Warnings()...)
		return
	}
	if _, withoutZone := timing.Parse(d.Spec.Schedule, ""); zone != "" && withoutZone == nil {
		p.Add("metadata.annotations["+contract.AnnotationZone+"]", "%v", err)
		return
	}
	p.Add("spec.schedule", "%v", err)
}

func (r *rules) readAnnotations(p *filter.Problems, d *contract.Schedule) {
	known := []string{contract.AnnotationZone, contract.AnnotationJitter, contract.AnnotationOverlap, contract.AnnotationCatchUp, contract.AnnotationRehearse}
	for _, key := range slices.Sorted(maps.Keys(d.Annotations)) {
		path, value := "metadata.annotations["+key+"]", d.Annotations[key]
		var err error
		switch key {
		case contract.AnnotationJitter:
			r.jitter, err = parseDuration(value, 0)
		case contract.AnnotationCatchUp:
			r.catchUp, err = parseDuration(value, shortestCatchUp)
		case contract.AnnotationOverlap:
			r.bufferOne = value == contract.OverlapBufferOne
			if !r.bufferOne && value != contract.OverlapSkip {
				err = fmt.Errorf("%q is neither %s nor %s", value, contract.OverlapSkip, contract.OverlapBufferOne)
			}
		case contract.AnnotationRehearse:
			if r.rehearse = value; !slices.Contains(config.RehearseValues(), value) {
				err = fmt.Errorf("%q is none of %s", value, strings.Join(config.RehearseValues(), ", "))
			}
		default:
			if strings.HasPrefix(key, contract.AnnotationPrefix) && !slices.Contains(known, key) {
				err = fmt.Errorf("is not known: a schedule has %s", strings.Join(known, ", "))
			}
		}
		if err != nil {
			p.Add(path, "%v", err)
		}
	}
	if r.jitter == 0 {
		return
	}
	if period := r.timing.Period().Shortest; period > 0 && r.jitter >= period {
		p.Add("metadata.annotations["+contract.AnnotationJitter+"]", "%s is not shorter than the time between two runs, %s", r.jitter, period)
	}
}

func parseDuration(text string, least time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 72h, 90m or 10m30s (a day is 24h)", text)
	}
	if d < least {
		return 0, fmt.Errorf("%s is less than %s", d, least)
	}
	return d, nil
}

// checkLocations knows what this worker's configuration has.
func (s *Service) checkLocations(p *filter.Problems, spec *velerov1.BackupSpec) {
	bsl, err := s.Config.Location(spec.StorageLocation)
	switch {
	case err != nil:
		p.Add("spec.template.storageLocation", "%v", err)
	case bsl.Spec.AccessMode == velerov1.BackupStorageLocationAccessModeReadOnly:
		p.Add("spec.template.storageLocation", "%q is ReadOnly: choose another, or set its accessMode to ReadWrite", bsl.Name)
	}
	for i, name := range spec.VolumeSnapshotLocations {
		if !slices.ContainsFunc(s.Config.VolumeSnapshotLocations, func(l velerov1.VolumeSnapshotLocation) bool { return l.Name == name }) {
			p.Add(fmt.Sprintf("spec.template.volumeSnapshotLocations[%d]", i), "the worker's configuration has no volume snapshot location %q", name)
		}
	}
}
