package input

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// ScheduleChanges are the flags of `schedule create`: those of a backup are about its template.
type ScheduleChanges struct {
	template *Changes[contract.BackupInput]
	schedule *Changes[contract.Schedule]
}

// ScheduleFlags adds the flags that describe a schedule; those that Velero has are Velero's.
func ScheduleFlags(fs *pflag.FlagSet) *ScheduleChanges {
	c := &Changes[contract.Schedule]{flags: fs}
	c.addText("schedule", "when it is due: a cron string such as \"0 2 * * *\", @daily, or @every 6h", func(s *contract.Schedule) *string { return &s.Spec.Schedule })
	c.addOnOff("paused", "make it, but start no runs yet", func(s *contract.Schedule) *bool { return &s.Spec.Paused })
	c.addTristate("skip-immediately", "kept for Velero: no schedule runs at once here", func(s *contract.Schedule) **bool { return &s.Spec.SkipImmediately })
	c.addTristate("use-owner-references-in-backup", "kept for Velero; has no effect: deleting a schedule deletes no backup", func(s *contract.Schedule) **bool { return &s.Spec.UseOwnerReferencesInBackup })
	addAnnotation(c, "time-zone", contract.AnnotationZone, "time zone of the cron string, such as Europe/Berlin (default UTC)")
	addAnnotation(c, "overlap", contract.AnnotationOverlap, "a run that is due while the one before goes on: skip (default), or bufferOne to begin it afterwards")
	addAnnotation(c, "catch-up-window", contract.AnnotationCatchUp, "how late a run may begin after an outage (default 1h)")
	addAnnotation(c, "jitter", contract.AnnotationJitter, "begin each run up to so much later, at random (default 0s)")
	addAnnotation(c, "rehearse", contract.AnnotationRehearse, "which of its backups are rehearsed by themselves: always all, daily or weekly the newest, or never (default: as the worker is configured)")
	return &ScheduleChanges{template: BackupFlags(fs), schedule: c}
}

// addAnnotation adds a flag for what Velero's spec has no field for.
func addAnnotation(c *Changes[contract.Schedule], name, key, usage string) {
	c.addFlag(name, "", "string", usage, func(s *contract.Schedule, _ bool, value string) error {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[key] = value
		return nil
	})
}

// NameScheduleFlags names the flags in place of the fields that they set, by which a worker says
// what it refuses.
func NameScheduleFlags(message string) string {
	annotation := func(key string) string { return "metadata.annotations[" + key + "]" }
	return strings.NewReplacer(
		annotation(contract.AnnotationZone), "--time-zone",
		annotation(contract.AnnotationOverlap), "--overlap",
		annotation(contract.AnnotationCatchUp), "--catch-up-window",
		annotation(contract.AnnotationJitter), "--jitter",
		annotation(contract.AnnotationRehearse), "--rehearse",
		"metadata.labels", "--labels",
		"metadata.annotations", "--annotations",
		"metadata.name: ", "NAME: ",
		"spec.schedule: ", "--schedule: ",
		"spec.template.storageLocation: ", "--storage-location: ",
		"spec.template.volumeSnapshotLocations", "--volume-snapshot-locations",
		"spec.template.ttl: ", "--ttl: ",
		"spec.template.labelSelector: ", "--selector: ",
		"spec.template.orLabelSelectors", "--or-selector",
		"spec.template.orderedResources", "--ordered-resources",
		"spec.template.resourcePolicy", "--resource-policies-configmap",
		"spec.template.includeClusterResources", "--include-cluster-resources",
		"spec.template.includedNamespaces", "--include-namespaces",
		"spec.template.excludedNamespaces", "--exclude-namespaces",
		"spec.template.includedResources", "--include-resources",
		"spec.template.excludedResources", "--exclude-resources",
		"spec.template.includedClusterScopedResources", "--include-cluster-scoped-resources",
		"spec.template.excludedClusterScopedResources", "--exclude-cluster-scoped-resources",
		"spec.template.includedNamespaceScopedResources", "--include-namespace-scoped-resources",
		"spec.template.excludedNamespaceScopedResources", "--exclude-namespace-scoped-resources",
	).Replace(message)
}

// Schedule changes a schedule as the flags say. The worker checks it.
func (c *ScheduleChanges) Schedule(s contract.Schedule) (contract.Schedule, error) {
	in := contract.BackupInput{Labels: s.Labels, Annotations: s.Annotations, Spec: s.Spec.Template}
	if err := c.template.applyTo(&in); err != nil {
		return s, err
	}
	s.Labels, s.Annotations, s.Spec.Template = in.Labels, in.Annotations, in.Spec
	return s, c.schedule.applyTo(&s)
}

// Applied are the schedules of files and directories.
type Applied struct {
	Schedules []contract.Schedule
	// Sources tell from where they were read: what --source names, or base names of files and
	// directories.
	Sources []string
	// PassedOver are files of directories that hold no document of Kubernetes, such as the values
	// of a chart.
	PassedOver []string
}

// sourcePrefix begins a source that somebody has named. No base name of a file holds a slash, so that
// neither is taken for the other.
const sourcePrefix = "source/"

// nameSource names what a path is applied from. Base names are told to people only: directories of two
// repositories may have the same.
func nameSource(path, source string) (string, error) {
	switch {
	case source != "":
		return sourcePrefix + source, nil
	case path == "-":
		return "", nil
	}
	full, err := filepath.Abs(path) // "." has a name, too
	return filepath.Base(full), err
}

// Schedules reads the schedules of files and directories; "-" is standard input. source replaces
// the sources' names, unless it is "". decode reads them from a stream, as manifest.Schedules
// does. The error names every file that cannot be read: a schedule may stand in each of them, so
// that nothing may be applied, and less be pruned, without them.
func Schedules(src Source, paths []string, source string, decode func(io.Reader) ([]contract.Schedule, error)) (Applied, error) {
	var out Applied
	if len(paths) == 0 {
		return out, errors.New("-f: say which files to apply; '-' is standard input")
	}
	var errs []error
	for _, path := range paths {
		from, err := nameSource(path, source)
		if err != nil {
			return out, fmt.Errorf("-f: %w", err)
		}
		if from != "" && !slices.Contains(out.Sources, from) {
			out.Sources = append(out.Sources, from)
		}
		errs = append(errs, out.read(src, path, from, decode))
	}
	if err := errors.Join(errs...); err != nil {
		return out, err
	}
	if len(out.Schedules) == 0 { // a checkout that failed must not prune everything
		return out, fmt.Errorf("-f: no schedule in %s; 'lifeboat schedule delete' deletes by name", strings.Join(paths, ", "))
	}
	return out, nil
}

// read adds the schedules of a file, or of the files of a directory, which may hold other things
// too.
func (a *Applied) read(src Source, path, from string, decode func(io.Reader) ([]contract.Schedule, error)) error {
	files, err := filesOf(path)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		src.File = file
		read, err := readManifest(src, decode)
		switch {
		case errors.Is(err, manifest.ErrNoDocument) && file != path:
		case errors.Is(err, manifest.ErrForeign) && file != path:
			a.PassedOver = append(a.PassedOver, file)
		case err != nil:
			errs = append(errs, err)
		}
		for _, s := range read {
			s.From = from
			a.Schedules = append(a.Schedules, s)
		}
	}
	return errors.Join(errs...)
}

// filesOf are a file, or the YAML and JSON files of a directory.
func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if path == "-" || err == nil && !info.IsDir() {
		return []string{path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("-f: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("-f: %w", err)
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, ext) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}
