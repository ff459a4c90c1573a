package migrate

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// addSchedule checks what it keeps as the worker does, but for the locations that it names.
func (c *conversion) addSchedule(o object) error {
	d := strip(o)
	delete(d.Spec, "useOwnerReferencesInBackup") // backups are no objects of the cluster
	delete(d.Spec, "skipImmediately")            // nothing is started when a schedule is made
	text, err := yaml.Marshal(d)
	if err != nil {
		return err
	}
	read, err := manifest.Schedules(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	for _, s := range read {
		if err := checkSchedule(&s); err != nil {
			return err
		}
	}
	c.noteData(o.Metadata.Name, field(d.Spec, "template"))
	c.values.Configuration.Schedules = append(c.values.Configuration.Schedules, d)
	return nil
}

// checkSchedule finds what the worker would refuse whatever its locations are.
func checkSchedule(s *contract.Schedule) error {
	var p filter.Problems
	if err := archive.ValidateScheduleName(s.Name); err != nil {
		p.Add("metadata.name", "%v", err)
	}
	if _, err := timing.Parse(s.Spec.Schedule, s.Annotations[contract.AnnotationZone]); err != nil {
		p.Add("spec.schedule", "%v", err)
	}
	found := filter.ValidateMetadata("metadata.", s.Labels, s.Annotations)
	found = append(found, filter.ValidateMetadata("spec.template.metadata.", s.Spec.Template.Metadata.Labels, nil)...)
	for _, f := range filter.ValidateBackup(&s.Spec.Template) {
		f.Path = "spec.template." + strings.TrimPrefix(f.Path, "spec.")
		found = append(found, f)
	}
	for _, f := range found {
		p.Add(f.Path, "%s", f.Message)
	}
	return p.Err()
}

// noteData tells of volumes whose data a template has Velero carry into the bucket.
func (c *conversion) noteData(name string, template map[string]any) {
	for _, files := range []string{"defaultVolumesToFsBackup", "defaultVolumesToRestic"} {
		if template[files] == true {
			c.note("Schedule %s backs up files of volumes (%s): Lifeboat snapshots volumes instead", name, files)
		}
	}
	if template["snapshotMoveData"] == true {
		c.note("Schedule %s moves the data of snapshots to the bucket (snapshotMoveData): Lifeboat keeps the snapshots where they are", name)
	}
}

// checkDefault marks one of several locations as the default, which the worker insists on.
func (c *conversion) checkDefault() error {
	all := c.values.Configuration.BackupStorageLocations
	var marked []string
	for _, d := range all {
		if d.Spec["default"] == true {
			marked = append(marked, d.Metadata.Name)
		}
	}
	if len(marked) > 1 {
		return fmt.Errorf("spec.default: BackupStorageLocations %s are all marked as the default: leave it with one", strings.Join(marked, ", "))
	}
	if len(marked) == 1 {
		return nil
	}
	usual := c.server.defaultLocation()
	i := max(0, slices.IndexFunc(all, func(d document) bool { return d.Metadata.Name == usual }))
	if len(all) > 1 {
		all[i].Spec["default"] = true
		c.note("no BackupStorageLocation was marked as the default: %s is now", all[i].Metadata.Name)
	}
	if c.marked == "" && c.leftStorage[usual] {
		c.marked = usual
	}
	if c.marked != "" {
		c.note("BackupStorageLocation %s was the default and is left out: schedules that name none write into %s now", c.marked, all[i].Metadata.Name)
	}
	return nil
}

// checkReferences finds what schedules say of locations. What a location that is left out would
// have got is left out too; one that is nowhere is an error, as it is for the worker.
func (c *conversion) checkReferences() error {
	conf := &c.values.Configuration
	var kept []document
	for _, s := range conf.Schedules {
		template := field(s.Spec, "template")
		storage, _ := template["storageLocation"].(string)
		if c.leftStorage[storage] {
			c.note("Schedule %s is left out: its backups go into BackupStorageLocation %s, which is", s.Metadata.Name, storage)
			continue
		}
		if err := checkStorage(conf.BackupStorageLocations, storage); err != nil {
			return fmt.Errorf("Schedule %s: spec.template.storageLocation: %w", s.Metadata.Name, err)
		}
		if err := c.checkSnapshots(s.Metadata.Name, template); err != nil {
			return fmt.Errorf("Schedule %s: spec.template.volumeSnapshotLocations: %w", s.Metadata.Name, err)
		}
		kept = append(kept, s)
	}
	conf.Schedules = kept
	return nil
}

// checkStorage finds the location that a schedule names, or the default for "".
func checkStorage(all []document, name string) error {
	i := slices.IndexFunc(all, func(d document) bool {
		return d.Metadata.Name == name || name == "" && (len(all) == 1 || d.Spec["default"] == true)
	})
	if i < 0 {
		return fmt.Errorf("there is no BackupStorageLocation %q among what was read: correct the name, or read its location too", name)
	}
	if all[i].Spec["accessMode"] == "ReadOnly" {
		return fmt.Errorf("%q is ReadOnly: choose another, or set its accessMode to ReadWrite", all[i].Metadata.Name)
	}
	return nil
}

// checkSnapshots takes the locations that are left out from those that a template names.
func (c *conversion) checkSnapshots(schedule string, template map[string]any) error {
	names, _ := template["volumeSnapshotLocations"].([]any)
	var kept []any
	for _, n := range names {
		name := fmt.Sprint(n)
		if c.leftSnapshots[name] {
			c.note("Schedule %s names the VolumeSnapshotLocation %s, which is left out: the name is too", schedule, name)
			continue
		}
		if !slices.ContainsFunc(c.values.Configuration.VolumeSnapshotLocations, func(d document) bool { return d.Metadata.Name == name }) {
			return fmt.Errorf("there is no VolumeSnapshotLocation %q among what was read: correct the name, or read its location too", name)
		}
		kept = append(kept, n)
	}
	if len(kept) < len(names) {
		template["volumeSnapshotLocations"] = kept
	}
	if len(kept) == 0 {
		delete(template, "volumeSnapshotLocations")
	}
	return nil
}

// checkPolicies tells which ConfigMaps the schedules go on to read.
func (c *conversion) checkPolicies() {
	for _, s := range c.values.Configuration.Schedules {
		policy := field(s.Spec, "template", "resourcePolicy")
		name, _ := policy["name"].(string)
		if name == "" {
			continue
		}
		found := slices.ContainsFunc(c.unused, func(o object) bool { return o.Metadata.Name == name })
		if found {
			c.note("Schedule %s reads its resource policy of the ConfigMap %s in namespace %s: it has to stay there", s.Metadata.Name, name, c.values.Configuration.Namespace)
			continue
		}
		c.note("Schedule %s names the resource policy %s, and there is no such ConfigMap among what was read", s.Metadata.Name, name)
	}
}
