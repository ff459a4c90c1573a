package provision

import (
	"maps"

	"github.com/container-storage-interface/spec/lib/go/csi"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
)

const (
	fsTypeParameter  = "csi.storage.k8s.io/fstype"
	defaultFSType    = "ext4"
	identityKey      = "storage.kubernetes.io/csiProvisionerIdentity"
	deletionSecret   = "volume.kubernetes.io/provisioner-deletion-secret-name"
	deletionSecretNS = "volume.kubernetes.io/provisioner-deletion-secret-namespace"
)

// persistentVolume is what the real provisioner writes for a volume of EBS;
// claimRef, class and provisioned-by are the library's to add.
func (p *Provisioner) persistentVolume(o controller.ProvisionOptions, volume *csi.Volume) *v1.PersistentVolume {
	pv := &v1.PersistentVolume{
		ObjectMeta: meta(o.PVName, map[string]string{deletionSecret: "", deletionSecretNS: ""}),
		Spec: v1.PersistentVolumeSpec{
			AccessModes:  o.PVC.Spec.AccessModes,
			Capacity:     v1.ResourceList{v1.ResourceStorage: *resource.NewQuantity(volume.GetCapacityBytes(), resource.BinarySI)},
			MountOptions: o.StorageClass.MountOptions,
			VolumeMode:   modeOf(o.PVC),
			NodeAffinity: affinity(volume.GetAccessibleTopology()),
		},
	}
	pv.Spec.CSI = &v1.CSIPersistentVolumeSource{
		Driver: p.Driver, VolumeHandle: volume.GetVolumeId(), VolumeAttributes: map[string]string{identityKey: p.Identity},
	}
	maps.Copy(pv.Spec.CSI.VolumeAttributes, volume.GetVolumeContext())
	if !isBlock(o.PVC) {
		pv.Spec.CSI.FSType = fsType(o.StorageClass.Parameters)
	}
	if o.StorageClass.ReclaimPolicy != nil {
		pv.Spec.PersistentVolumeReclaimPolicy = *o.StorageClass.ReclaimPolicy
	}
	if o.StorageClass.Provisioner == driver.InTree {
		toInTree(pv)
	}
	return pv
}

func isBlock(claim *v1.PersistentVolumeClaim) bool {
	return *modeOf(claim) == v1.PersistentVolumeBlock
}

func modeOf(claim *v1.PersistentVolumeClaim) *v1.PersistentVolumeMode {
	mode := v1.PersistentVolumeFilesystem
	if claim.Spec.VolumeMode != nil {
		mode = *claim.Spec.VolumeMode
	}
	return &mode
}

// toInTree gives a PersistentVolume the form that its class, of before CSI, asks for.
func toInTree(pv *v1.PersistentVolume) {
	csi := pv.Spec.CSI
	pv.Spec.CSI = nil
	pv.Spec.AWSElasticBlockStore = &v1.AWSElasticBlockStoreVolumeSource{VolumeID: csi.VolumeHandle, FSType: csi.FSType}
}

func fsType(parameters map[string]string) string {
	for _, key := range []string{fsTypeParameter, "fsType"} {
		if chosen := parameters[key]; chosen != "" {
			return chosen
		}
	}
	return defaultFSType
}

func affinity(topologies []*csi.Topology) *v1.VolumeNodeAffinity {
	required := &v1.NodeSelector{}
	for _, topology := range topologies {
		term := v1.NodeSelectorTerm{}
		for key, value := range topology.GetSegments() {
			term.MatchExpressions = append(term.MatchExpressions, v1.NodeSelectorRequirement{
				Key: key, Operator: v1.NodeSelectorOpIn, Values: []string{value},
			})
		}
		required.NodeSelectorTerms = append(required.NodeSelectorTerms, term)
	}
	return &v1.VolumeNodeAffinity{Required: required}
}

var accessModes = map[v1.PersistentVolumeAccessMode]csi.VolumeCapability_AccessMode_Mode{
	v1.ReadWriteOnce:    csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
	v1.ReadWriteOncePod: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER,
	v1.ReadOnlyMany:     csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY,
	v1.ReadWriteMany:    csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER,
}

func capabilities(claim *v1.PersistentVolumeClaim) []*csi.VolumeCapability {
	var out []*csi.VolumeCapability
	for _, mode := range claim.Spec.AccessModes {
		c := &csi.VolumeCapability{
			AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: defaultFSType}},
			AccessMode: &csi.VolumeCapability_AccessMode{Mode: accessModes[mode]},
		}
		if isBlock(claim) {
			c.AccessType = &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}}
		}
		out = append(out, c)
	}
	return out
}
