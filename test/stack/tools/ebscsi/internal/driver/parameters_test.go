package driver

import (
	"maps"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
)

func TestVolumeSpec(t *testing.T) {
	spec, err := volumeSpec("pvc-1", map[string]string{
		"Type": "io2", "iops": "4000", "throughput": "250", "encrypted": "true", "kmsKeyId": "alias/data",
		"tagSpecification_1": "team=a=b", "csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/fstype": "xfs", imageParameter: "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{
		"CSIVolumeName": "pvc-1", "ebs.csi.aws.com/cluster": "true", "team": "a=b", "kubernetes.io/created-for/pvc/name": "data",
	}
	if !maps.Equal(spec.Tags, tags) {
		t.Errorf("tags: got %v, want %v", spec.Tags, tags)
	}
	if spec.Type != "io2" || spec.IOPS != 4000 || spec.Throughput != 250 || !spec.Encrypted || spec.KMSKeyID != "alias/data" {
		t.Errorf("got %+v", spec)
	}
	if plain, err := volumeSpec("pvc-1", nil); err != nil || plain.Type != "gp3" {
		t.Errorf("got %+v, %v; want gp3 where the class says nothing", plain, err)
	}
}

func TestBadParametersAreNamed(t *testing.T) {
	for parameter, value := range map[string]string{
		"iops": "many", "throughput": "1MiB", "encrypted": "maybe", "replicas": "3", imageParameter: "loop",
		"tagSpecification_1": "no-value", "tagSpecification_2": "aws:x=y", "tagSpecification_3": "CSIVolumeName=mine",
	} {
		_, err := volumeSpec("pvc-1", map[string]string{parameter: value})
		if err == nil || !strings.Contains(err.Error(), "parameters["+parameter+"]") {
			t.Errorf("%s=%s: got %v", parameter, value, err)
		}
	}
	if _, err := snapshotTags("snapshot-1", map[string]string{"type": "gp3"}); err == nil {
		t.Error("a snapshot class with a parameter for volumes passed")
	}
}

func TestSnapshotTags(t *testing.T) {
	tags, err := snapshotTags("snapshot-1", map[string]string{
		"tagSpecification_1": "team=a", "csi.storage.k8s.io/volumesnapshot/name": "s", "csi.storage.k8s.io/volumesnapshot/namespace": "shop",
		"tagSpecification_2": "of={{ .VolumeSnapshotNamespace }}/{{ .VolumeSnapshotName }}",
	})
	want := map[string]string{cloud.SnapshotNameTag: "snapshot-1", "ebs.csi.aws.com/cluster": "true", "team": "a", "of": "shop/s"}
	if err != nil || !maps.Equal(tags, want) {
		t.Errorf("got %v, %v; want %v", tags, err, want)
	}
}
