package config

import (
	"fmt"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// snapshotKeys are the keys Velero's plug-in for AWS knows in a
// VolumeSnapshotLocation's spec.config.
func snapshotKeys() []string {
	return []string{"credentialsFile", "ebsKmsKeyId", "enableSharedConfig", "profile", "region"}
}

func (k *checker) snapshotLocations(all []velerov1.VolumeSnapshotLocation) {
	const path = "volumeSnapshotLocations"
	seen := map[string]int{}
	for i := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		k.snapshotLocation(at, &all[i])
		k.unique(seen, at, path, all[i].Name, i)
	}
}

func (k *checker) snapshotLocation(at string, l *velerov1.VolumeSnapshotLocation) {
	if v := l.APIVersion; v != "" && v != velerov1.SchemeGroupVersion.String() {
		k.bad(at+".apiVersion", "%q is not %s", v, velerov1.SchemeGroupVersion)
	}
	if l.Kind != "" && l.Kind != "VolumeSnapshotLocation" {
		k.bad(at+".kind", "%q is not VolumeSnapshotLocation", l.Kind)
	}
	if l.Name == "" {
		k.bad(at+".metadata.name", "required")
	} else {
		for _, msg := range validation.IsDNS1123Subdomain(l.Name) {
			k.bad(at+".metadata.name", "%q: %s", l.Name, msg)
		}
	}
	if p := l.Spec.Provider; p != "aws" && p != "velero.io/aws" {
		k.bad(at+".spec.provider", "%q is not supported; use aws or velero.io/aws", p)
	}
	k.snapshotConfig(at, l)
}

func (k *checker) snapshotConfig(at string, l *velerov1.VolumeSnapshotLocation) {
	if l.Spec.Config["region"] == "" {
		k.bad(at+".spec.config.region", "required; the region the volumes are in")
	}
	known := snapshotKeys()
	for _, key := range sortedKeys(l.Spec.Config) {
		if !slices.Contains(known, key) {
			k.bad(at+".spec.config."+key, "unknown key; known keys: %s", strings.Join(known, ", "))
		}
	}
	c := l.Spec.Credential
	if c != nil && (c.Name == "" || c.Key == "") {
		k.bad(at+".spec.credential", "needs both name and key")
	}
	if c != nil && l.Spec.Config["credentialsFile"] != "" {
		k.bad(at+".spec.credential", "excludes spec.config.credentialsFile; keep one of them")
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
