package volume

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// volumeTypes are the values of the condition volumeTypes: the names of the sources
// of volumes, and one that Velero knows by mistake and that matches nothing.
func volumeTypes() []string {
	return []string{
		"awsAzureDisk", "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "configMap", "csi",
		"downwardAPI", "emptyDir", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo",
		"glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume", "projected",
		"quobyte", "rbd", "scaleIO", "secret", "storageOS", "vsphereVolume",
	}
}

// sourceType is the name of the source that is set, as in volumeTypes; "" if none is.
func sourceType[T corev1.PersistentVolumeSource | corev1.VolumeSource](source T) string {
	v := reflect.ValueOf(source)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() != reflect.Pointer || f.IsNil() {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "storageos" { // Velero's spelling is not the API's
			return "storageOS"
		}
		return name
	}
	return ""
}
