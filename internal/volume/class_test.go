package volume

import (
	"errors"
	"strings"
	"testing"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

func labelled(value string) func(*snapshotv1.VolumeSnapshotClass) {
	return func(c *snapshotv1.VolumeSnapshotClass) {
		c.Labels = map[string]string{velerov1.VolumeSnapshotClassSelectorLabel: value}
	}
}

func isDefault(value string) func(*snapshotv1.VolumeSnapshotClass) {
	return func(c *snapshotv1.VolumeSnapshotClass) {
		c.Annotations = map[string]string{velerov1.VolumeSnapshotClassKubernetesAnnotation: value}
	}
}

func TestClassChoice(t *testing.T) {
	const key = "velero.io/csi-volumesnapshot-class"
	all := func(c ...snapshotv1.VolumeSnapshotClass) []snapshotv1.VolumeSnapshotClass { return c }
	two := all(class("b", DriverEBS), class("a", DriverEBS), class("other", "efs.csi.aws.com"))
	for name, tc := range map[string]struct {
		classes []snapshotv1.VolumeSnapshotClass
		claim   string // annotation of the claim
		backup  string // annotation of the backup
		want    string // class, or part of the error
		field   string // of the error of the backup
	}{
		"sole":                           {ebsClass(), "", "", "ebs", ""},
		"sole of its driver":             {all(class("other", "efs.csi.aws.com"), class("a", DriverEBS)), "", "", "a", ""},
		"labelled":                       {all(class("a", DriverEBS), class("b", DriverEBS, labelled("true"))), "", "", "b", ""},
		"labelled, of the first name":    {all(class("b", DriverEBS, labelled("")), class("a", DriverEBS, labelled(""))), "", "", "a", ""},
		"label says no":                  {all(class("a", DriverEBS, labelled("false")), class("b", DriverEBS, isDefault("true"))), "", "", "b", ""},
		"label before default":           {all(class("a", DriverEBS, isDefault("true")), class("b", DriverEBS, labelled("true"))), "", "", "b", ""},
		"label of another driver":        {all(class("a", DriverEBS), class("b", "efs.csi.aws.com", labelled("true"))), "", "", "a", ""},
		"default":                        {all(class("a", DriverEBS), class("b", DriverEBS, isDefault("true"))), "", "", "b", ""},
		"default says no":                {all(class("a", DriverEBS, isDefault("false"))), "", "", "a", ""},
		"claim before all":               {all(class("a", DriverEBS, labelled("true")), class("b", DriverEBS), class("c", DriverEBS)), "b", "c", "b", ""},
		"claim, other case":              {two, "B", "", "b", ""},
		"backup before labels":           {all(class("a", DriverEBS, labelled("true")), class("b", DriverEBS)), "", "b", "b", ""},
		"none":                           {nil, "", "", "no VolumeSnapshotClass of driver ebs.csi.aws.com", ""},
		"ambiguous":                      {two, "", "", "several VolumeSnapshotClasses (a, b) and none is preferred", "metadata.annotations[" + key + "_ebs.csi.aws.com]"},
		"claim names what is not there":  {two, "x", "", `"x", which does not exist: create it or name one of driver ebs.csi.aws.com (a, b)`, ""},
		"claim names another driver's":   {two, "other", "", `which is of driver efs.csi.aws.com and not of ebs.csi.aws.com`, ""},
		"backup names what is not there": {two, "", "x", `"x", which does not exist`, "metadata.annotations[" + key + "_ebs.csi.aws.com]"},
		"backup names another driver's":  {two, "", "other", `of driver efs.csi.aws.com`, "metadata.annotations[" + key + "_ebs.csi.aws.com]"},
	} {
		t.Run(name, func(t *testing.T) {
			annotate := func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
				c.Annotations = map[string]string{key: tc.claim}
			}
			in := Inputs{CSI: true, SnapshotClasses: tc.classes, BackupAnnotations: map[string]string{key + "_ebs.csi.aws.com": tc.backup}}
			plan, err := Make(in.with(claim("data", ebsCSI(), annotate)))
			v := plan.Volumes[0]
			if v.Method == MethodCSI && (v.Class != tc.want || err != nil || len(plan.Problems) > 0) {
				t.Errorf("class %q, want %q (%v, %v)", v.Class, tc.want, err, plan.Problems)
			}
			if v.Method != MethodCSI && (!strings.Contains(v.SkipReason, tc.want) || !hasProblem(plan, report.SnapshotClass, report.Error)) {
				t.Errorf("skipped: %s, want %s", v.SkipReason, tc.want)
			}
			checkField(t, err, tc.field)
		})
	}
}

// checkField wants an error of exactly one field, or none.
func checkField(t *testing.T, err error, field string) {
	t.Helper()
	var fields filter.FieldErrors
	switch errors.As(err, &fields); {
	case field == "" && err != nil:
		t.Errorf("error %v", err)
	case field != "" && (len(fields) != 1 || fields[0].Path != field):
		t.Errorf("error %v, want one of %s", err, field)
	}
}

func TestAmbiguityIsToldOncePerDriver(t *testing.T) {
	in := Inputs{CSI: true, SnapshotClasses: []snapshotv1.VolumeSnapshotClass{class("a", DriverEBS), class("b", DriverEBS)}}
	plan, err := Make(in.with(claim("one", ebsCSI()), claim("two", ebsCSI()), claim("files", nfs())))
	var fields filter.FieldErrors
	if !errors.As(err, &fields) || len(fields) != 1 {
		t.Fatalf("error %v", err)
	}
	if len(plan.Volumes) != 3 || len(plan.Problems) != 3 || len(plan.Units) != 0 {
		t.Errorf("the plan is not complete: %+v", plan)
	}
	off := in
	off.Spec.SnapshotVolumes = set(false)
	if _, err := Make(off.with(claim("one", ebsCSI()))); err != nil {
		t.Errorf("a class that nobody needs is asked for: %v", err)
	}
}
