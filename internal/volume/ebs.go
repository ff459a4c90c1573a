package volume

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// EBSID is the id of the EBS volume behind a PersistentVolume (vol-…): of the
// drivers of IsEBSDriver, or of the source from before CSI, whose id may have the
// zone before it, as in aws://<zone>/<id>. "" is any other volume.
func EBSID(pv *corev1.PersistentVolume) string {
	id := ""
	switch s := pv.Spec; {
	case s.CSI != nil && IsEBSDriver(s.CSI.Driver):
		id = s.CSI.VolumeHandle
	case s.CSI == nil && s.AWSElasticBlockStore != nil:
		id = s.AWSElasticBlockStore.VolumeID
		id = id[strings.LastIndex(id, "/")+1:]
	}
	if !strings.HasPrefix(id, "vol-") {
		return ""
	}
	return id
}
