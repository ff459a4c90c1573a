package repository

import (
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// LabelSchedule names the schedule that a backup was made by.
const LabelSchedule = velerov1.ScheduleNameLabel

// Annotations of ours on the Backup document.
const (
	AnnotationUID         = "lifeboat-backup.github.io/uid"
	AnnotationConditional = "lifeboat-backup.github.io/conditional-writes"
	AnnotationWorkflow    = "lifeboat-backup.github.io/workflow"
	AnnotationManifest    = "lifeboat-backup.github.io/manifest-sha256"
	AnnotationTrace       = "lifeboat-backup.github.io/trace" // its id, of a run that was traced
)

// VeleroNamespace is where Velero's own documents say they live; readers rewrite it.
const VeleroNamespace = "velero"
