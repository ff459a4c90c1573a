package schedule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// shortestCatchUp is Temporal's: it makes no less of it.
const shortestCatchUp = 10 * time.Second

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
	var p filter.Problems
	for _, f := range filter.ValidateMetadata("metadata.", d.Labels, d.Annotations) {
		p.Add(f.Path, "%s", f.Message)
	}
	r := s.of().check(&p, d)
	return r, p.Err()
}

// CheckConfigured checks the schedules of the configuration, without any I/O.
func (s *Service) CheckConfigured() error {
	var errs []error
	for i, in := range s.of().configured() {
		if _, err := s.check(&in); err != nil {
			errs = append(errs, fmt.Errorf("%s[%d] (%s): %w", s.words().configured, i, in.Name, err))
		}
	}
	return errors.Join(errs...)
}

// fields are where a document says what a definition has in its cron string and annotations.
type fields struct {
	cron        string
	annotations map[string]string // by the annotation: the ones that are known
}

// at is the field of an annotation.
func (f fields) at(key string) string {
	if path := f.annotations[key]; path != "" {
		return path
	}
	return "metadata.annotations[" + key + "]"
}

func (r *rules) readTiming(p *filter.Problems, d *contract.Schedule, f fields) {
	zone := d.Annotations[contract.AnnotationZone]
	if strings.TrimSpace(d.Spec.Schedule) == "" {
		p.Add(f.cron, "is empty: write a cron string such as \"0 2 * * *\", or @daily")
		return
	}
	var err error
	if r.timing, err = timing.Parse(d.Spec.Schedule, zone); err == nil {
		return
	}
	if _, withoutZone := timing.Parse(d.Spec.Schedule, ""); zone != "" && withoutZone == nil {
		p.Add(f.at(contract.AnnotationZone), "%v", err)
		return
	}
	p.Add(f.cron, "%v", err)
}

func (r *rules) readAnnotations(p *filter.Problems, d *contract.Schedule, f fields) {
	known := slices.Sorted(maps.Keys(f.annotations))
	for _, key := range slices.Sorted(maps.Keys(d.Annotations)) {
		value := d.Annotations[key]
		var err error
		switch {
		case strings.HasPrefix(key, contract.AnnotationPrefix) && !slices.Contains(known, key):
			err = fmt.Errorf("is not known: a schedule has %s", strings.Join(known, ", "))
		default:
			err = r.readAnnotation(key, value)
		}
		if err != nil {
			p.Add(f.at(key), "%v", err)
		}
	}
	if r.jitter == 0 {
		return
	}
	if period := r.timing.Period().Shortest; period > 0 && r.jitter >= period {
		p.Add(f.at(contract.AnnotationJitter), "%s is not shorter than the time between two runs, %s", r.jitter, period)
	}
}

func (r *rules) readAnnotation(key, value string) (err error) {
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
	}
	return err
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
