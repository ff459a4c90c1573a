package volume

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// classError says why no VolumeSnapshotClass can be chosen.
type classError struct {
	text string
	// spec is set where the backup as a whole, not one volume, has to change.
	spec *filter.FieldError
}

// chooseClass chooses the VolumeSnapshotClass of a claim's volume (docs/VELERO.md 6.2): the
// one that the claim names, that the backup names for the driver, that is labelled for
// Velero, that is the default, or the only one there is.
func (p *planner) chooseClass(driver string, claim *corev1.PersistentVolumeClaim) (string, *classError) {
	all := p.classesOf(driver)
	if name := claim.Annotations[velerov1.VolumeSnapshotClassDriverPVCAnnotation]; name != "" {
		return p.findNamedClass(name, driver, "metadata.annotations["+velerov1.VolumeSnapshotClassDriverPVCAnnotation+"] of the claim")
	}
	path := backupClassKey(driver)
	if name := p.in.BackupAnnotations[path]; name != "" {
		path = "metadata.annotations[" + path + "]"
		class, err := p.findNamedClass(name, driver, path)
		if err != nil {
			err.spec = &filter.FieldError{Path: path, Message: strings.TrimPrefix(err.text, path+" ")}
		}
		return class, err
	}
	switch preferred := preferredClass(all); {
	case preferred != "":
		return preferred, nil
	case len(all) == 1:
		return all[0].Name, nil
	case len(all) == 0:
		return "", &classError{text: fmt.Sprintf("there is no VolumeSnapshotClass of driver %s: create one", driver)}
	}
	return "", ambiguityError(driver, all)
}

// backupClassKey is the annotation by which a backup names a driver's class.
func backupClassKey(driver string) string {
	return velerov1.VolumeSnapshotClassDriverBackupAnnotationPrefix + "_" + strings.ToLower(driver)
}

// classesOf are those of a driver, by name.
func (p *planner) classesOf(driver string) []*snapshotv1.VolumeSnapshotClass {
	var out []*snapshotv1.VolumeSnapshotClass
	for i := range p.in.SnapshotClasses {
		if c := &p.in.SnapshotClasses[i]; c.Driver == driver {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *snapshotv1.VolumeSnapshotClass) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// findNamedClass is the class that somebody asked for, in any case of letters.
func (p *planner) findNamedClass(name, driver, where string) (string, *classError) {
	for i := range p.in.SnapshotClasses {
		c := &p.in.SnapshotClasses[i]
		if !strings.EqualFold(c.Name, name) {
			continue
		}
		if !strings.EqualFold(c.Driver, driver) {
			return "", &classError{text: fmt.Sprintf("%s names VolumeSnapshotClass %q, which is of driver %s and not of %s: name one of that driver%s", where, name, c.Driver, driver, p.candidatesText(driver))}
		}
		return c.Name, nil
	}
	return "", &classError{text: fmt.Sprintf("%s names VolumeSnapshotClass %q, which does not exist: create it or name one of driver %s%s", where, name, driver, p.candidatesText(driver))}
}

// candidatesText lists the classes of a driver for a message, "" if there are none.
func (p *planner) candidatesText(driver string) string {
	if all := p.classesOf(driver); len(all) > 0 {
		return " (" + classNames(all) + ")"
	}
	return ""
}

func classNames(all []*snapshotv1.VolumeSnapshotClass) string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// preferredClass is the first, by name, that is labelled for Velero, else the first
// that is the default. "false" says that it is not.
func preferredClass(all []*snapshotv1.VolumeSnapshotClass) string {
	for _, c := range all {
		if v, ok := c.Labels[velerov1.VolumeSnapshotClassSelectorLabel]; ok && v != "false" {
			return c.Name
		}
	}
	for _, c := range all {
		if v, ok := c.Annotations[velerov1.VolumeSnapshotClassKubernetesAnnotation]; ok && v != "false" {
			return c.Name
		}
	}
	return ""
}

func ambiguityError(driver string, all []*snapshotv1.VolumeSnapshotClass) *classError {
	key := backupClassKey(driver)
	text := fmt.Sprintf("driver %s has several VolumeSnapshotClasses (%s) and none is preferred", driver, classNames(all))
	remedy := fmt.Sprintf("label the one to use with %s=true, or name it in the backup's annotation %s", velerov1.VolumeSnapshotClassSelectorLabel, key)
	return &classError{
		text: text + ": " + remedy,
		spec: &filter.FieldError{Path: "metadata.annotations[" + key + "]", Message: "is missing: " + text + ": " + remedy},
	}
}
