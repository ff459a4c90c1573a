package volume

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func pvOfPolicy(policy string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv"},
		Spec:       corev1.PersistentVolumeSpec{PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimPolicy(policy)},
	}
}

func claimWith(annotations map[string]string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data", Annotations: annotations},
		Spec:       corev1.PersistentVolumeClaimSpec{VolumeName: "pv"},
	}
}

func nativeEntry(id string, phase Phase) map[string]NativeSnapshot {
	return map[string]NativeSnapshot{"pv": {
		Spec:   NativeSnapshotSpec{PersistentVolumeName: "pv"},
		Status: NativeSnapshotStatus{ProviderSnapshotID: id, Phase: phase},
	}}
}

// TestDecide has the rows of docs/VELERO.md 8.1.
func TestDecide(t *testing.T) {
	info := func(i Info) map[string]Info { return map[string]Info{"pv": i} }
	for name, tc := range map[string]struct {
		facts Facts
		pv    *corev1.PersistentVolume
		claim *corev1.PersistentVolumeClaim
		want  Decision
	}{
		"native":                             {Facts{Infos: info(Info{BackupMethod: VeleroNative}), Natives: nativeEntry("snap-1", PhaseCompleted)}, pvOfPolicy("Delete"), claimWith(nil), Decision{ProvisionBy(MethodNative), ""}},
		"native, no claim":                   {Facts{Infos: info(Info{BackupMethod: VeleroNative}), Natives: nativeEntry("snap-1", "")}, pvOfPolicy("Delete"), nil, Decision{ProvisionBy(MethodNative), ""}},
		"native, snapshot failed":            {Facts{Infos: info(Info{BackupMethod: VeleroNative}), Natives: nativeEntry("", PhaseFailed)}, pvOfPolicy("Delete"), claimWith(nil), Decision{Dynamic, lostSnapshot}},
		"native, snapshot failed, retained":  {Facts{Infos: info(Info{BackupMethod: VeleroNative}), Natives: nativeEntry("", PhaseFailed)}, pvOfPolicy("Retain"), claimWith(nil), Decision{Keep, lostSnapshot}},
		"native, only volumeinfo has the id": {Facts{Infos: info(Info{BackupMethod: VeleroNative, Native: &NativeInfo{SnapshotHandle: "snap-1"}})}, pvOfPolicy("Delete"), claimWith(nil), Decision{ProvisionBy(MethodNative), ""}},
		"native, PV not in the backup":       {Facts{Infos: info(Info{BackupMethod: VeleroNative}), Natives: nativeEntry("snap-1", "")}, nil, claimWith(nil), Decision{Dynamic, lostVolume}},
		"files":                              {Facts{Infos: info(Info{BackupMethod: VeleroPodVolumeBackup})}, pvOfPolicy("Retain"), claimWith(nil), Decision{Dynamic, lostFiles}},
		"csi":                                {Facts{Infos: info(Info{BackupMethod: VeleroCSI})}, pvOfPolicy("Delete"), claimWith(nil), Decision{ProvisionBy(MethodCSI), ""}},
		"csi, failed":                        {Facts{Infos: info(Info{BackupMethod: VeleroCSI, Result: Failed})}, pvOfPolicy("Delete"), claimWith(nil), Decision{Dynamic, lostSnapshot}},
		"csi, moved":                         {Facts{Infos: info(Info{BackupMethod: VeleroCSI, SnapshotDataMoved: true})}, pvOfPolicy("Delete"), claimWith(nil), Decision{Dynamic, lostMoved}},
		"skipped, Delete":                    {Facts{Infos: info(Info{Skipped: true, PV: &PVInfo{ReclaimPolicy: "Delete"}})}, pvOfPolicy("Retain"), claimWith(nil), Decision{Dynamic, ""}},
		"skipped, Retain":                    {Facts{Infos: info(Info{Skipped: true, PV: &PVInfo{ReclaimPolicy: "Retain"}})}, pvOfPolicy("Delete"), claimWith(nil), Decision{Keep, ""}},
		"skipped, Recycle by the PV":         {Facts{Infos: info(Info{Skipped: true})}, pvOfPolicy("Recycle"), claimWith(nil), Decision{Keep, ""}},

		"no volumeinfo: native":     {Facts{Natives: nativeEntry("snap-1", PhaseCompleted)}, pvOfPolicy("Delete"), claimWith(nil), Decision{ProvisionBy(MethodNative), ""}},
		"no volumeinfo: files":      {Facts{Files: map[string]bool{"shop/data": true}}, pvOfPolicy("Delete"), claimWith(nil), Decision{Dynamic, lostFiles}},
		"no volumeinfo: csi":        {Facts{}, pvOfPolicy("Delete"), claimWith(map[string]string{"velero.io/volume-snapshot-name": "s"}), Decision{ProvisionBy(MethodCSI), ""}},
		"no volumeinfo: moved":      {Facts{}, pvOfPolicy("Delete"), claimWith(map[string]string{annotationDataUpload: "velero/du"}), Decision{Dynamic, lostMoved}},
		"no volumeinfo: Delete":     {Facts{}, pvOfPolicy("Delete"), claimWith(nil), Decision{Dynamic, ""}},
		"no volumeinfo: Retain":     {Facts{}, pvOfPolicy("Retain"), claimWith(nil), Decision{Keep, ""}},
		"no PV, no volumeinfo":      {Facts{}, nil, claimWith(nil), Decision{Dynamic, ""}},
		"a claim that never bound":  {Facts{}, nil, &corev1.PersistentVolumeClaim{}, Decision{Dynamic, ""}},
		"PV alone, csi, reclaimed":  {Facts{Infos: info(Info{BackupMethod: VeleroCSI})}, pvOfPolicy("Delete"), nil, Decision{Dynamic, lostSnapshot}},
		"retained, absent from tar": {Facts{Infos: info(Info{Skipped: true, PV: &PVInfo{ReclaimPolicy: "Retain"}})}, nil, claimWith(nil), Decision{Dynamic, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.facts.Decide(tc.pv, tc.claim); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestJoinPairsClaimsAndVolumes(t *testing.T) {
	f := Facts{Volumes: map[string]corev1.PersistentVolume{"pv": *pvOfPolicy("Delete"), "lone": {ObjectMeta: metav1.ObjectMeta{Name: "lone"}}}}
	second := claimWith(nil)
	second.Name = "thief"
	f.Claims = []corev1.PersistentVolumeClaim{*second, *claimWith(nil)}
	var got []string
	f.Join(func(pv *corev1.PersistentVolume, c *corev1.PersistentVolumeClaim) {
		text := NameOf(pv, c) + "/"
		if c != nil {
			text += c.Name
		}
		got = append(got, text)
	})
	if want := []string{"pv/data", "/thief", "lone/"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDispositionAsStored: staging is read over rolling upgrades.
func TestDispositionAsStored(t *testing.T) {
	for stored, method := range map[Disposition]Method{
		"native": MethodNative, "csi": MethodCSI, "files": "files", "dynamic": "", "keep": "", "left": "", "": "",
	} {
		if got := stored.Method(); got != method {
			t.Errorf("%q is provisioned by %q, want %q", stored, got, method)
		}
	}
	if ProvisionBy(MethodNative) != "native" || ProvisionBy(MethodCSI) != "csi" || Dynamic != "dynamic" || Keep != "keep" || Leave != "left" {
		t.Error("a stored value has changed")
	}
}
