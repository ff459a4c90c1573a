package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/container-storage-interface/spec/lib/go/csi"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const snapshotGroup = "snapshot.storage.k8s.io"

// snapshot and content are what the provisioner reads of the snapshot API.
type snapshot struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   struct {
		Content     string             `json:"boundVolumeSnapshotContentName"`
		ReadyToUse  bool               `json:"readyToUse"`
		RestoreSize *resource.Quantity `json:"restoreSize"`
	} `json:"status"`
}

type content struct {
	Spec struct {
		Driver string             `json:"driver"`
		Ref    v1.ObjectReference `json:"volumeSnapshotRef"`
	} `json:"spec"`
	Status struct {
		Handle string `json:"snapshotHandle"`
	} `json:"status"`
}

// source resolves the claim's data source to the handle of a snapshot, with the
// checks of the real provisioner. Each error may pass with time, so all are
// tried again.
func (p *Provisioner) source(ctx context.Context, claim *v1.PersistentVolumeClaim) (*csi.VolumeContentSource, error) {
	name, err := snapshotName(claim)
	if err != nil || name == "" {
		return nil, err
	}
	var s snapshot
	if err := p.read(ctx, "volumesnapshots", claim.Namespace, name, &s); err != nil {
		return nil, err
	}
	if err := s.check(claim); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", name, err)
	}
	var c content
	if err := p.read(ctx, "volumesnapshotcontents", "", s.Status.Content, &c); err != nil {
		return nil, err
	}
	if err := c.check(s, p.Driver); err != nil {
		return nil, fmt.Errorf("snapshot content %s: %w", s.Status.Content, err)
	}
	id := &csi.VolumeContentSource_SnapshotSource{SnapshotId: c.Status.Handle}
	return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{Snapshot: id}}, nil
}

func snapshotName(claim *v1.PersistentVolumeClaim) (string, error) {
	ref := claim.Spec.DataSourceRef
	if claim.Spec.DataSource == nil && ref == nil {
		return "", nil
	}
	if ref == nil {
		ref = &v1.TypedObjectReference{APIGroup: claim.Spec.DataSource.APIGroup, Kind: claim.Spec.DataSource.Kind, Name: claim.Spec.DataSource.Name}
	}
	if ref.Kind != "VolumeSnapshot" || ref.APIGroup == nil || *ref.APIGroup != snapshotGroup {
		return "", fmt.Errorf("dataSource: kind %s is not supported; a VolumeSnapshot of %s is", ref.Kind, snapshotGroup)
	}
	if ref.Namespace != nil && *ref.Namespace != claim.Namespace {
		return "", fmt.Errorf("dataSourceRef.namespace: snapshots of other namespaces are not supported")
	}
	return ref.Name, nil
}

func (s snapshot) check(claim *v1.PersistentVolumeClaim) error {
	want := claim.Spec.Resources.Requests[v1.ResourceStorage]
	switch {
	case s.Metadata.DeletionTimestamp != nil:
		return errors.New("it is being deleted")
	case s.Status.Content == "":
		return errors.New("it is not bound")
	case !s.Status.ReadyToUse:
		return errors.New("it is not ready to use")
	case s.Status.RestoreSize != nil && want.Cmp(*s.Status.RestoreSize) < 0:
		return fmt.Errorf("the claim asks for %s, it holds %s", want.String(), s.Status.RestoreSize.String())
	}
	return nil
}

func (c content) check(s snapshot, driver string) error {
	switch {
	case c.Spec.Driver != driver:
		return fmt.Errorf("it is of driver %s", c.Spec.Driver)
	case c.Spec.Ref.UID != s.Metadata.UID || c.Spec.Ref.Name != s.Metadata.Name || c.Spec.Ref.Namespace != s.Metadata.Namespace:
		return errors.New("it is bound to another snapshot")
	case c.Status.Handle == "":
		return errors.New("it has no handle")
	}
	return nil
}

func (p *Provisioner) read(ctx context.Context, plural, namespace, name string, out any) error {
	resource := schema.GroupVersionResource{Group: snapshotGroup, Version: "v1", Resource: plural}
	var object *unstructured.Unstructured
	var err error
	if namespace == "" {
		object, err = p.Dynamic.Resource(resource).Get(ctx, name, metav1.GetOptions{})
	} else {
		object, err = p.Dynamic.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, out)
}
