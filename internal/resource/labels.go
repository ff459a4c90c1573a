package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
)

// Labels that restored objects carry, with Velero's names so that people's
// scripts keep working.
const (
	LabelBackup  = "velero.io/backup-name"
	LabelRestore = "velero.io/restore-name"
)

const (
	labelMax  = 63 // Kubernetes' limit for a label value
	labelHash = 6  // characters of the hash in a shortened value
)

// LabelValue makes a name fit for a label value: one that is longer than 63
// characters becomes its first 57 and 6 of its SHA-256 in hex, as Velero does.
func LabelValue(name string) string {
	if len(name) <= labelMax {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:labelMax-labelHash] + hex.EncodeToString(sum[:])[:labelHash]
}

// addRestoreLabels labels the object with the backup and the restore it comes from.
func (c *Context) addRestoreLabels(meta map[string]any) {
	if c.Backup == "" && c.Restore == "" {
		return
	}
	labels := child(meta, "labels")
	if labels == nil {
		labels = make(map[string]any, 2)
		meta["labels"] = labels
	}
	if c.Backup != "" {
		labels[LabelBackup] = LabelValue(c.Backup)
	}
	if c.Restore != "" {
		labels[LabelRestore] = LabelValue(c.Restore)
	}
}

// MergeLabels joins two sets of labels or annotations; where both have a key, b decides.
func MergeLabels(a, b map[string]string) map[string]string {
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}
