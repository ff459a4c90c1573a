package csi

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

// AnnotationPolicy is Velero's note on a restored snapshot of what deleting it does to
// the one at the provider: nothing.
const AnnotationPolicy = "velero.io/csi-vsc-deletion-policy"

// namedByEC2 finds the snapshots that EC2 does not find, as it quotes them.
var namedByEC2 = regexp.MustCompile(`[Tt]he snapshots? '([^']*)'`)

// SaysSnapshotIsGone recognises what is said of a snapshot that is not there: gRPC gives the
// code's name; the snapshotter has words of its own for a list that is empty. The driver of
// EBS asks EC2 for many snapshots at once, and each gets the error of the one that is
// missing: there the id that EC2 names decides.
func SaysSnapshotIsGone(message, handle string) bool {
	if named := namedByEC2.FindAllStringSubmatch(message, -1); named != nil {
		return slices.ContainsFunc(named, func(found []string) bool {
			return slices.Contains(strings.Split(found[1], ", "), handle)
		})
	}
	return strings.Contains(message, "code = NotFound") || strings.Contains(message, "can not find snapshot")
}

// What Velero 1.14 and 1.15 note on a VolumeSnapshot.
const (
	AnnotationHandle = "velero.io/csi-volumesnapshot-handle"
	AnnotationDriver = "velero.io/csi-driver-name"
	AnnotationSize   = "velero.io/csi-volumesnapshot-restore-size"
)

// SnapshotHandleOf is snapshotcontent.HandleOf, for who knows contents by this package alone.
func SnapshotHandleOf(c snapshotv1.VolumeSnapshotContent) string { return snapshotcontent.HandleOf(c) }

// RestoreSizeOf is how large a volume made of the snapshot has to be, in bytes; 0 is not
// known.
func RestoreSizeOf(vs snapshotv1.VolumeSnapshot, c snapshotv1.VolumeSnapshotContent) int64 {
	if c.Status != nil && c.Status.RestoreSize != nil {
		return *c.Status.RestoreSize
	}
	if vs.Status != nil && vs.Status.RestoreSize != nil {
		return vs.Status.RestoreSize.Value()
	}
	size, err := quantity.ParseQuantity(vs.Annotations[AnnotationSize])
	if err != nil {
		return 0
	}
	return size.Value()
}

// InsistFor is how long a driver has to say that a snapshot is not there before it is
// believed: its snapshotter may be looking at an old list.
const InsistFor = 4 * time.Second

// Answer is what a driver says of a snapshot.
type Answer struct {
	Known bool
	Text  string // what is wrong, as the driver said it
}

// AnswerOn reads what the snapshotter has noted on a content.
func AnswerOn(c snapshotv1.VolumeSnapshotContent) Answer {
	switch st := c.Status; {
	case st == nil:
		return Answer{}
	case st.Error != nil && st.Error.Message != nil:
		return Answer{Text: *st.Error.Message}
	default:
		return Answer{Known: st.Error == nil}
	}
}

// newContent stands for a snapshot that is at its provider already. Only the VolumeSnapshot of the
// same name in that namespace can be bound to it.
func newContent(meta metav1.ObjectMeta, s volume.CSIRef, policy snapshotv1.DeletionPolicy, namespace string) *snapshotv1.VolumeSnapshotContent {
	c := &snapshotv1.VolumeSnapshotContent{
		TypeMeta:   metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshotContent"},
		ObjectMeta: meta,
		Spec: snapshotv1.VolumeSnapshotContentSpec{
			DeletionPolicy: policy,
			Driver:         s.Driver,
			Source:         snapshotv1.VolumeSnapshotContentSource{SnapshotHandle: &s.Handle},
			VolumeSnapshotRef: corev1.ObjectReference{
				APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot", Namespace: namespace, Name: meta.Name,
			},
		},
	}
	if s.Class != "" {
		c.Spec.VolumeSnapshotClassName = &s.Class
	}
	if s.SourceMode != "" {
		mode := corev1.PersistentVolumeMode(s.SourceMode)
		c.Spec.SourceVolumeMode = &mode
	}
	return c
}

// patchContent changes a content and returns it as it is then.
func patchContent(ctx context.Context, kc *kube.Client, name string, change map[string]any) ([]byte, error) {
	body, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("encode the patch of volume snapshot content %s: %w", name, err)
	}
	return kc.Patch(ctx, kube.VolumeSnapshotContents(), "", name, kube.PatchMerge, body, kube.PatchOptions{FieldManager: resource.FieldManager})
}

// setDeletionPolicy says what the deletion of a content does to its snapshot.
func setDeletionPolicy(ctx context.Context, kc *kube.Client, content string, policy snapshotv1.DeletionPolicy) error {
	_, err := patchContent(ctx, kc, content, map[string]any{"spec": map[string]any{"deletionPolicy": policy}})
	return err
}
