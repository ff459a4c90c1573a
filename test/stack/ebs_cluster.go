package stack

import (
	"context"
	"encoding/json"
	"fmt"
)

const (
	ebsRegion = "us-east-1"
	// ebsZoneKey is the label by which volumes of EBS are tied to zones.
	ebsZoneKey   = "topology.ebs.csi.aws.com/zone"
	knownZoneKey = "topology.kubernetes.io/zone"
)

// The classes that a stack with EBS has.
const (
	EBSClass         = "ebs-gp3"     // bound when a Pod uses the claim, in its zone
	EBSClassNow      = "ebs-gp3-now" // bound at once
	EBSClassInTree   = "gp2"         // as EBSClass, with PersistentVolumes of the form from before CSI
	EBSSnapshotClass = "ebs"
)

// AutoMode is the name that a class of these, EBSClassInTree aside, has with the driver of EKS
// Auto Mode, for stacks with Options.EBSAuto.
func AutoMode(class string) string { return class + "-auto" }

// installDriver makes what the cluster must know of a driver. There is no
// attacher: the driver attaches when a volume is staged.
func (s *Stack) installDriver(ctx context.Context, o Options, driver string) error {
	class := func(name string) string { return name }
	if driver == ebsDriverAuto {
		class = AutoMode
	}
	const storage = "/apis/storage.k8s.io/v1/"
	objects := map[string]any{
		"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/public-issuer": publicIssuer(),
		storage + "csidrivers/" + driver: map[string]any{
			"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": map[string]any{"name": driver},
			"spec": map[string]any{
				"attachRequired": false, "podInfoOnMount": false, "fsGroupPolicy": "ReadWriteOnceWithFSType",
				"volumeLifecycleModes": []string{"Persistent"},
			},
		},
		storage + "storageclasses/" + class(EBSClass):    storageClass(class(EBSClass), driver, "WaitForFirstConsumer", o.EBSDefault && driver == ebsDriver),
		storage + "storageclasses/" + class(EBSClassNow): storageClass(class(EBSClassNow), driver, "Immediate", false),
		"/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses/" + class(EBSSnapshotClass): map[string]any{
			"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
			"metadata": map[string]any{"name": class(EBSSnapshotClass)}, "driver": driver, "deletionPolicy": "Delete",
		},
	}
	if driver == ebsDriver {
		objects[storage+"storageclasses/"+EBSClassInTree] = storageClass(EBSClassInTree, "kubernetes.io/aws-ebs", "WaitForFirstConsumer", false)
	}
	for path, object := range objects {
		if err := s.applyObject(ctx, path, object); err != nil {
			return fmt.Errorf("install driver %s: %w", driver, err)
		}
	}
	return nil
}

// publicIssuer lets everybody read the issuer's discovery document and keys, as those
// of EKS are public: STS reads them without credentials of the cluster.
func publicIssuer() map[string]any {
	const group = "rbac.authorization.k8s.io"
	return map[string]any{
		"apiVersion": group + "/v1", "kind": "ClusterRoleBinding", "metadata": map[string]any{"name": "public-issuer"},
		"roleRef":  map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": "system:service-account-issuer-discovery"},
		"subjects": []any{map[string]any{"apiGroup": group, "kind": "Group", "name": "system:unauthenticated"}},
	}
}

func storageClass(name, provisioner, binding string, isDefault bool) map[string]any {
	metadata := map[string]any{"name": name}
	if isDefault {
		metadata["annotations"] = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
	}
	return map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata,
		"provisioner": provisioner, "parameters": map[string]string{"type": "gp3"},
		"reclaimPolicy": "Delete", "volumeBindingMode": binding,
	}
}

// fakeInstance is the instance of a fake node: another in each stack, for stacks
// may share an account.
func (s *Stack) fakeInstance(i int) string { return fmt.Sprintf("i-%s%05x", s.mark(), i+1) }

// makeInstance makes a fake node one of EC2: an instance, and what a kubelet would
// tell of the driver on it.
func (s *Stack) makeInstance(ctx context.Context, o Options, node string, i int) error {
	if !o.EBS {
		return nil
	}
	if err := s.EBS.AddInstance(ctx, s.fakeInstance(i), fakeZone(i)); err != nil {
		return err
	}
	var drivers []any
	for _, driver := range o.ebsDrivers() {
		drivers = append(drivers, map[string]any{"name": driver, "nodeID": s.fakeInstance(i), "topologyKeys": []string{ebsZoneKey, knownZoneKey}})
	}
	return s.applyObject(ctx, "/apis/storage.k8s.io/v1/csinodes/"+node, map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": map[string]any{"name": node},
		"spec": map[string]any{"drivers": drivers},
	})
}

func hasDriver(csiNode []byte, driver string) bool {
	var node struct {
		Spec struct {
			Drivers []struct{ Name string }
		}
	}
	if json.Unmarshal(csiNode, &node) != nil {
		return false
	}
	for _, d := range node.Spec.Drivers {
		if d.Name == driver {
			return true
		}
	}
	return false
}
