package repository

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// LabelSchedule names the schedule that a backup was made by.
const LabelSchedule = velerov1.ScheduleNameLabel

// Annotations of ours on the Backup document, and on that of a restore.
const (
	AnnotationUID         = "lifeboat-backup.github.io/uid"
	AnnotationConditional = "lifeboat-backup.github.io/conditional-writes"
	AnnotationWorkflow    = "lifeboat-backup.github.io/workflow"
	AnnotationManifest    = "lifeboat-backup.github.io/manifest-sha256"
	AnnotationTrace       = "lifeboat-backup.github.io/trace" // its id, of a run that was traced
	// AnnotationDuration is how long a restore took, as Go writes durations: the times of the
	// document are of whole seconds.
	AnnotationDuration = "lifeboat-backup.github.io/duration"
)

// VeleroNamespace is where Velero's own documents say they live; readers rewrite it.
const VeleroNamespace = "velero"
