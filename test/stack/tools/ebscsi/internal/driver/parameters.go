package driver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
)

// clusterTag marks what the driver made, as the real one does; IAM policies of
// EKS tie deletion to it.
const clusterTag = "ebs.csi.aws.com/cluster"

// Parameters that the sidecars add; they are no business of EC2.
const sidecarPrefix = "csi.storage.k8s.io/"

// createdFor are the tags for the names that the sidecars pass on.
var createdFor = map[string]string{
	"csi.storage.k8s.io/pvc/name":      "kubernetes.io/created-for/pvc/name",
	"csi.storage.k8s.io/pvc/namespace": "kubernetes.io/created-for/pvc/namespace",
	"csi.storage.k8s.io/pv/name":       "kubernetes.io/created-for/pv/name",
}

// volumeSpec reads the parameters of a StorageClass. An unknown one is an error:
// the real driver refuses it too.
func volumeSpec(name string, parameters map[string]string) (cloud.VolumeSpec, error) {
	spec := cloud.VolumeSpec{Name: name, Type: "gp3", Tags: map[string]string{"CSIVolumeName": name, clusterTag: "true"}}
	for key, value := range parameters {
		if err := setParameter(&spec, key, value); err != nil {
			return spec, fmt.Errorf("parameters[%s]: %w", key, err)
		}
	}
	return spec, nil
}

func setParameter(spec *cloud.VolumeSpec, key, value string) (err error) {
	switch lower := strings.ToLower(key); {
	case lower == "type":
		spec.Type = value
	case lower == "iops":
		spec.IOPS, err = number(value)
	case lower == "throughput":
		spec.Throughput, err = number(value)
	case lower == "encrypted":
		spec.Encrypted, err = strconv.ParseBool(value)
	case lower == "fstype": // of old classes; the provisioner reads it
	case lower == "kmskeyid":
		spec.KMSKeyID = value
	case key == imageParameter: // the node's
		_, err = strconv.ParseBool(value)
	case strings.HasPrefix(key, "tagSpecification_"):
		err = addTag(spec.Tags, value)
	case createdFor[key] != "":
		spec.Tags[createdFor[key]] = value
	case !strings.HasPrefix(key, sidecarPrefix):
		err = fmt.Errorf("unknown; known are type, iops, throughput, encrypted, kmsKeyId, tagSpecification_N")
	}
	return err
}

// snapshotTags reads the parameters of a VolumeSnapshotClass. Of the real driver's templates it
// knows the names.
func snapshotTags(name string, parameters map[string]string) (map[string]string, error) {
	tags := map[string]string{cloud.SnapshotNameTag: name, clusterTag: "true"}
	names := strings.NewReplacer(
		"{{ .VolumeSnapshotName }}", parameters["csi.storage.k8s.io/volumesnapshot/name"],
		"{{ .VolumeSnapshotNamespace }}", parameters["csi.storage.k8s.io/volumesnapshot/namespace"],
		"{{ .VolumeSnapshotContentName }}", parameters["csi.storage.k8s.io/volumesnapshotcontent/name"],
	)
	for key, value := range parameters {
		switch {
		case strings.HasPrefix(key, "tagSpecification_"):
			if err := addTag(tags, names.Replace(value)); err != nil {
				return nil, fmt.Errorf("parameters[%s]: %w", key, err)
			}
		case !strings.HasPrefix(key, sidecarPrefix):
			return nil, fmt.Errorf("parameters[%s]: unknown; known are tagSpecification_N", key)
		}
	}
	return tags, nil
}

// addTag takes key=value; the value may hold further equals signs.
func addTag(tags map[string]string, pair string) error {
	key, value, ok := strings.Cut(pair, "=")
	reserved := []string{"CSIVolumeName", cloud.SnapshotNameTag, clusterTag}
	switch {
	case !ok || key == "":
		return fmt.Errorf("want key=value, got %q", pair)
	case strings.HasPrefix(key, "aws:") || slices.Contains(reserved, key):
		return fmt.Errorf("the tag %s is reserved", key)
	}
	tags[key] = value
	return nil
}

func number(value string) (int32, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("want a number, got %q", value)
	}
	return int32(n), nil
}
