package activities

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// volumeInfo is an entry of Velero's volumeinfo file (velero.md A6): what a reader
// has to know of a volume to bring its claim back.
type volumeInfo struct {
	PVCName               string `json:"pvcName,omitempty"`
	PVCNamespace          string `json:"pvcNamespace,omitempty"`
	PVName                string `json:"pvName,omitempty"`
	BackupMethod          string `json:"backupMethod,omitempty"`
	SnapshotDataMoved     bool   `json:"snapshotDataMoved"`
	PreserveLocalSnapshot bool   `json:"preserveLocalSnapshot"`
	Skipped               bool   `json:"skipped"`
	SkippedReason         string `json:"skippedReason,omitempty"`
	PVInfo                pvInfo `json:"pvInfo,omitzero"`
}

type pvInfo struct {
	ReclaimPolicy string            `json:"reclaimPolicy,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

// noData is why a volume's data is not in a backup: today no path takes it.
const noData = "the data of volumes is not backed up; only the PersistentVolume and claim objects are"

// volumeInfos joins claims and volumes by the volume's name.
func volumeInfos(o *opened, notes []*chunkNotes) []volumeInfo {
	byPV := map[string]*volumeInfo{}
	for _, n := range notes {
		for _, v := range n.Volumes {
			info := byPV[v.PV]
			if info == nil {
				info = &volumeInfo{PVName: v.PV, Skipped: true, SkippedReason: noData}
				byPV[v.PV] = info
			}
			if v.PVCName != "" {
				info.PVCName, info.PVCNamespace = v.PVCName, v.PVCNamespace
			} else {
				info.PVInfo = pvInfo{ReclaimPolicy: v.ReclaimPolicy, Labels: v.Labels}
			}
		}
	}
	out := make([]volumeInfo, 0, len(byPV))
	for _, v := range byPV {
		out = append(out, *v)
	}
	slices.SortFunc(out, func(a, b volumeInfo) int { return strings.Compare(a.PVName, b.PVName) })
	return out
}

// volumeReasons says of every claim that its data was not taken: a backup must not
// look more complete than it is.
func volumeReasons(notes []*chunkNotes) []report.Reason {
	var out []report.Reason
	for _, n := range notes {
		for _, v := range n.Volumes {
			if v.PVCName != "" {
				out = append(out, report.New(report.VolumeSkipped, fmt.Sprintf("volume %s: %s", v.PV, noData)).
					At(pvcResource, v.PVCNamespace, v.PVCName))
			}
		}
	}
	return out
}
