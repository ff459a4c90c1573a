package show

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Velero's methods, by which a description sorts volumes.
const (
	methodNative = "NativeSnapshot"
	methodCSI    = "CSISnapshot"
)

// backupVolumes prints volumes under Velero's headings: with details in Velero's
// blocks, without in one line each. more is how many are left out.
func (p *page) backupVolumes(all []contract.VolumeSummary, more int, s velerov1.BackupStatus, details bool) {
	p.heading("Backup Volumes")
	var native, csi, files, skipped []contract.VolumeSummary
	for _, v := range all {
		switch {
		case v.Skipped || v.Method == "": // taken by no path, whatever else is said
			skipped = append(skipped, v)
		case v.Method == methodNative:
			native = append(native, v)
		case v.Method == methodCSI:
			csi = append(csi, v)
		default:
			files = append(files, v)
		}
	}
	nativeBlock, csiBlock := p.nativeBlock, p.csiBlock
	if !details {
		nativeBlock, csiBlock = nil, nil
	}
	p.section("Velero-Native Snapshots", counts(s.VolumeSnapshotsCompleted, s.VolumeSnapshotsAttempted), native, nativeBlock)
	p.section("CSI Snapshots", counts(s.CSIVolumeSnapshotsCompleted, s.CSIVolumeSnapshotsAttempted), csi, csiBlock)
	p.section(filesTitle(files), "", files, nil)
	if len(skipped) > 0 {
		p.section("Skipped", "", skipped, nil)
	}
	p.more(more)
}

// section prints the volumes of one path under a heading that says text, in blocks
// where there is a form for them, else in a line each.
func (p *page) section(title, text string, all []contract.VolumeSummary, block func(contract.VolumeSummary)) {
	if len(all) == 0 {
		text = Or(text, "<none included>")
	}
	p.printf("  %s\n", strings.TrimSuffix(Clean(title+": "+text), " "))
	for _, v := range all {
		if block == nil {
			p.value(2, volumeKey(v), volumeLine(v))
			continue
		}
		p.printf("    %s:\n", Clean(volumeKey(v)))
		block(v)
	}
}

// nativeBlock is a native snapshot in Velero's words, and the claim, which they lack.
func (p *page) nativeBlock(v contract.VolumeSummary) {
	p.some(3, "Claim", claimOf(v))
	p.value(3, "Snapshot ID", v.Snapshot)
	p.value(3, "Type", v.Type)
	p.value(3, "Availability Zone", v.Zone)
	p.value(3, "IOPS", v.IOPS)
	p.value(3, "Result", v.Result)
}

// csiBlock is a CSI snapshot in Velero's words.
func (p *page) csiBlock(v contract.VolumeSummary) {
	if v.Moved {
		p.printf("      Data Movement:\n")
		p.value(4, "Operation ID", v.Operation)
		p.value(4, "Data Mover", Or(v.DataMover, "velero"))
		p.value(4, "Uploader Type", v.Uploader)
		p.value(4, "Moved data Size (bytes)", strconv.FormatInt(v.Bytes, 10))
		p.value(4, "Result", v.Result)
		return
	}
	p.printf("      Snapshot:\n")
	p.some(4, "Operation ID", v.Operation)
	p.value(4, "Snapshot Content Name", v.Content)
	p.value(4, "Storage Snapshot ID", v.Snapshot)
	p.value(4, "Snapshot Size (bytes)", strconv.FormatInt(v.Bytes, 10))
	p.value(4, "CSI Driver", v.Driver)
	p.value(4, "Result", v.Result)
}

// more counts the volumes that had no room in the answer.
func (p *page) more(n int) {
	if n > 0 {
		p.printf("  and %s\n", Plural(int64(n), "more volume"))
	}
}

// volumes prints a line a volume that came back with its data.
func (p *page) volumes(all []contract.VolumeSummary, more int) {
	if len(all) == 0 {
		return
	}
	p.heading("Volumes")
	for _, v := range all {
		parts := []string{strings.TrimSpace(v.Method + " " + v.Snapshot)}
		if v.PV != "" {
			parts = append(parts, "volume "+v.PV)
		}
		if v.Zone != "" {
			parts = append(parts, "zone "+v.Zone)
		}
		p.value(1, Or(claimOf(v), Or(v.PV, v.Pod)), strings.Join(parts, ", "))
	}
	p.more(more)
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

func claimOf(v contract.VolumeSummary) string {
	if v.Claim == "" {
		return ""
	}
	return join(v.Namespace, v.Claim)
}

// volumeLine is what a line says of a volume beside its key.
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

// counts is empty where nothing was attempted.
func counts(completed, attempted int) string {
	if attempted == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d completed", completed, attempted)
}

// filesTitle is Velero's heading: it names the uploader, of which a backup has one.
func filesTitle(files []contract.VolumeSummary) string {
	if len(files) == 0 || files[0].Uploader == "" {
		return "Pod Volume Backups"
	}
	return "Pod Volume Backups - " + files[0].Uploader
}
