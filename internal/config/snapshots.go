package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// initializationRate is Lifeboat's own key of a VolumeSnapshotLocation's spec.config: at how
// many MiB/s EC2 fills a restored volume. The range is that of CreateVolume.
const (
	initializationRate      = "ebsVolumeInitializationRate"
	leastInitializationRate = 100
	mostInitializationRate  = 300
)

// snapshotKeys are the keys Velero's plug-in for AWS knows in a VolumeSnapshotLocation's
// spec.config, and ours.
func snapshotKeys() []string {
	return slices.Sorted(slices.Values(append(awsconf.RoleKeys(), "credentialsFile", "ebsKmsKeyId", initializationRate, "enableSharedConfig", "profile", "region")))
}

func (k *checker) checkSnapshotLocations(all []velerov1.VolumeSnapshotLocation) {
	const path = "volumeSnapshotLocations"
	seen := map[string]int{}
	for i := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		k.checkSnapshotLocation(at, &all[i])
		k.checkUnique(seen, at, path, all[i].Name, i)
	}
}

func (k *checker) checkSnapshotLocation(at string, l *velerov1.VolumeSnapshotLocation) {
	if v := l.APIVersion; v != "" && v != velerov1.SchemeGroupVersion.String() {
		k.addProblem(at+".apiVersion", "%q is not %s", v, velerov1.SchemeGroupVersion)
	}
	if l.Kind != "" && l.Kind != "VolumeSnapshotLocation" {
		k.addProblem(at+".kind", "%q is not VolumeSnapshotLocation", l.Kind)
	}
	if l.Name == "" {
		k.addProblem(at+".metadata.name", "required")
	} else {
		for _, msg := range validation.IsDNS1123Subdomain(l.Name) {
			k.addProblem(at+".metadata.name", "%q: %s", l.Name, msg)
		}
	}
	if p := l.Spec.Provider; p != "aws" && p != "velero.io/aws" {
		k.addProblem(at+".spec.provider", "%q is not supported; use aws or velero.io/aws", p)
	}
	k.checkSnapshotConfig(at, l)
}

func (k *checker) checkSnapshotConfig(at string, l *velerov1.VolumeSnapshotLocation) {
	if l.Spec.Config["region"] == "" {
		k.addProblem(at+".spec.config.region", "required; the region the volumes are in")
	}
	known := snapshotKeys()
	for _, key := range slices.Sorted(maps.Keys(l.Spec.Config)) {
		if !slices.Contains(known, key) {
			k.addProblem(at+".spec.config."+key, "unknown key; known keys: %s", strings.Join(known, ", "))
		}
	}
	if text, set := l.Spec.Config[initializationRate]; set {
		if rate, err := strconv.Atoi(text); err != nil || rate < leastInitializationRate || rate > mostInitializationRate {
			k.addProblem(at+".spec.config."+initializationRate, "%q is not a number from %d to %d (MiB/s)", text, leastInitializationRate, mostInitializationRate)
		}
	}
	_, problems := awsconf.ParseRole(l.Spec.Config)
	for _, err := range problems {
		k.addProblem(at, "%v", err)
	}
	c := l.Spec.Credential
	if c != nil && (c.Name == "" || c.Key == "") {
		k.addProblem(at+".spec.credential", "needs both name and key")
	}
	if c != nil && l.Spec.Config["credentialsFile"] != "" {
		k.addProblem(at+".spec.credential", "excludes spec.config.credentialsFile; keep one of them")
	}
}
