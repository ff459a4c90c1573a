package show

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Velero's methods, by which a description sorts volumes.
const (
	methodNative = "NativeSnapshot"
	methodCSI    = "CSISnapshot"
)

// printBackupVolumes prints volumes under Velero's headings: with details as Velero's blocks
// of fields, without as one line each. The number of volumes that are left out is more.
func (p *page) printBackupVolumes(all []contract.VolumeSummary, more int, s velerov1.BackupStatus, details bool) {
	p.printHeading("Backup Volumes")
	var native, csi, files, skipped []contract.VolumeSummary
	for _, v := range all {
		switch {
		case v.Skipped || v.Method == "": // a volume without a method was not backed up, whatever its result says
			skipped = append(skipped, v)
		case v.Method == methodNative:
			native = append(native, v)
		case v.Method == methodCSI:
			csi = append(csi, v)
		default:
			files = append(files, v)
		}
	}
	nativeBlock, csiBlock := p.printNativeBlock, p.printCSIBlock
	if !details {
		nativeBlock, csiBlock = nil, nil
	}
	p.printVolumeSection("Velero-Native Snapshots", completedCount(s.VolumeSnapshotsCompleted, s.VolumeSnapshotsAttempted), native, nativeBlock)
	p.printVolumeSection("CSI Snapshots", completedCount(s.CSIVolumeSnapshotsCompleted, s.CSIVolumeSnapshotsAttempted), csi, csiBlock)
	p.printVolumeSection(filesTitle(files), "", files, nil)
	if len(skipped) > 0 {
		p.printVolumeSection("Skipped", "", skipped, nil)
	}
	p.printMoreVolumes(more)
}

// printVolumeSection prints the volumes of one method under a heading that ends in text. The
// function block prints the fields of a volume; without it each volume is one line.
func (p *page) printVolumeSection(title, text string, all []contract.VolumeSummary, block func(contract.VolumeSummary)) {
	if len(all) == 0 {
		text = Or(text, "<none included>")
	}
	p.printf("  %s\n", strings.TrimSuffix(Clean(title+": "+text), " "))
	for _, v := range all {
		if block == nil {
			p.printValue(2, volumeKey(v), volumeLine(v))
			continue
		}
		p.printf("    %s:\n", Clean(volumeKey(v)))
		block(v)
	}
}

// printNativeBlock prints the fields that Velero prints of a native snapshot, and the claim,
// which Velero leaves out.
func (p *page) printNativeBlock(v contract.VolumeSummary) {
	p.printIfSet(3, "Claim", claimOf(v))
	p.printValue(3, "Snapshot ID", v.Snapshot)
	p.printValue(3, "Type", v.Type)
	p.printValue(3, "Availability Zone", v.Zone)
	p.printValue(3, "IOPS", v.IOPS)
	p.printValue(3, "Result", v.Result)
}

// printCSIBlock prints the fields that Velero prints of a CSI snapshot; they are others when
// its data was moved to the bucket.
func (p *page) printCSIBlock(v contract.VolumeSummary) {
	if v.Moved {
		p.printf("      Data Movement:\n")
		p.printValue(4, "Operation ID", v.Operation)
		p.printValue(4, "Data Mover", Or(v.DataMover, "velero"))
		p.printValue(4, "Uploader Type", v.Uploader)
		p.printValue(4, "Moved data Size (bytes)", strconv.FormatInt(v.Bytes, 10))
		p.printValue(4, "Result", v.Result)
		return
	}
	p.printf("      Snapshot:\n")
	p.printIfSet(4, "Operation ID", v.Operation)
	p.printValue(4, "Snapshot Content Name", v.Content)
	p.printValue(4, "Storage Snapshot ID", v.Snapshot)
	p.printValue(4, "Snapshot Size (bytes)", strconv.FormatInt(v.Bytes, 10))
	p.printValue(4, "CSI Driver", v.Driver)
	p.printValue(4, "Result", v.Result)
}

// printMoreVolumes counts the volumes that had no room in the worker's answer.
func (p *page) printMoreVolumes(n int) {
	if n > 0 {
		p.printf("  and %s\n", Plural(int64(n), "more volume"))
	}
}

// printRestoredVolumes prints one line for each volume that was restored with its data.
func (p *page) printRestoredVolumes(all []contract.VolumeSummary, more int) {
	if len(all) == 0 {
		return
	}
	p.printHeading("Volumes")
	for _, v := range all {
		parts := []string{strings.TrimSpace(v.Method + " " + v.Snapshot)}
		if v.PV != "" {
			parts = append(parts, "volume "+v.PV)
		}
		if v.Zone != "" {
			parts = append(parts, "zone "+v.Zone)
		}
		p.printValue(1, Or(claimOf(v), Or(v.PV, v.Pod)), strings.Join(parts, ", "))
	}
	p.printMoreVolumes(more)
}

// volumeKey names a volume as Velero does under the heading of its path.
func volumeKey(v contract.VolumeSummary) string {
	switch {
	case v.Method == methodNative && v.PV != "":
		return v.PV
	case v.Pod != "":
		return v.Pod
	}
	return cmp.Or(claimOf(v), v.PV, v.Content)
}

// claimOf is namespace/name of the volume's claim, or "".
func claimOf(v contract.VolumeSummary) string {
	if v.Claim == "" {
		return ""
	}
	return report.ObjectName(v.Namespace, v.Claim)
}

// volumeLine is what follows the key of a volume that has one line.
func volumeLine(v contract.VolumeSummary) string {
	if v.Skipped {
		return v.SkippedReason
	}
	parts := []string{v.Result, v.PodVolume, v.Snapshot}
	if v.Method == methodNative && claimOf(v) != "" {
		parts = append(parts, "claim "+claimOf(v))
	}
	if v.Moved {
		parts = append(parts, "data moved")
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// completedCount says how many of the attempted snapshots are complete; it is empty where
// none was attempted.
func completedCount(completed, attempted int) string {
	if attempted == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d completed", completed, attempted)
}

// filesTitle is Velero's heading of file backups. It names the uploader, because one backup
// uses one uploader only.
func filesTitle(files []contract.VolumeSummary) string {
	if len(files) == 0 || files[0].Uploader == "" {
		return "Pod Volume Backups"
	}
	return "Pod Volume Backups - " + files[0].Uploader
}
