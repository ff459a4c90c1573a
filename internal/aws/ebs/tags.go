package ebs

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tags that what we make carries from the moment it exists.
const (
	// TagBackup is the backup's name. Velero's plug-in writes it, and the policy
	// documents of both programs rest on it.
	TagBackup = "velero.io/backup"
	// TagPV is the PersistentVolume's name, as Velero writes it.
	TagPV = "velero.io/pv"
	// TagLocation is the backup storage location, which Velero writes as one of
	// the backup's labels.
	TagLocation = "velero.io/storage-location"
	// TagBackupUID is the backup's UID: the key of every look-up.
	TagBackupUID = "lifeboat-backup.github.io/backup-uid"
	// TagCluster is the cluster the backup is of.
	TagCluster = "lifeboat-backup.github.io/cluster"
	// TagPlace is a digest of the endpoint, bucket and prefix where the files of the backup, or
	// of the restore, lie: what carries another is another installation's.
	TagPlace = "lifeboat-backup.github.io/place"
	// TagSnapshotName and TagSnapshotNamespace are the VolumeSnapshot that a CSI driver made a
	// snapshot for, where its class has the driver say so (docs/VOLUMES.md).
	TagSnapshotName      = "lifeboat-backup.github.io/volumesnapshot"
	TagSnapshotNamespace = "lifeboat-backup.github.io/volumesnapshot-namespace"
	// TagDriverBackupUID is the UID of the backup that a CSI driver made a snapshot for. It is not
	// TagBackupUID, by which a backup deletes the native snapshots that it does not record.
	TagDriverBackupUID = "lifeboat-backup.github.io/csi-backup-uid"
	// TagRestoreUID is the restore that made a volume.
	TagRestoreUID = "lifeboat-backup.github.io/restore-uid"
	// TagIOPS and TagThroughput are the speed of a snapshot's volume: Velero's files have
	// no room for the IOPS of gp3 and for the throughput.
	TagIOPS       = "lifeboat-backup.github.io/iops"
	TagThroughput = "lifeboat-backup.github.io/throughput"
	// TagMultiAttach is "true" where several instances could attach the snapshot's volume.
	TagMultiAttach = "lifeboat-backup.github.io/multi-attach"
)

// EC2's limits on tags: how many a resource takes, and runes of key and value.
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
)

// reserved begins the keys only AWS may write.
const reserved = "aws:"

// Tags merges the tags of a snapshot: the source volume's own, the backup's
// labels, which as with Velero win over them, and ours, which win over all. The
// result is what EC2 takes: without keys of AWS's own, without keys that are too
// long, with values cut to length, and at most 50; beyond that, volume tags are
// left out first, then labels, later keys first. The tags that the EBS driver's
// policies ask for are never left out. Empty values of ours are left out.
func Tags(volume, labels, ours map[string]string) map[string]string {
	driver := map[string]string{}
	for _, key := range []string{tagDriverOwned, tagDriverCluster, tagAutoModeCluster} {
		if value, ok := volume[key]; ok {
			driver[key] = value
		}
		if value, ok := labels[key]; ok {
			driver[key] = value
		}
	}
	return merge(ours, driver, labels, volume)
}

// TagsBeside are those that a snapshot is to get which somebody else, a CSI driver, has made with
// tags of its own: as Tags, as far as there is room beside those, of which none is changed but
// ours.
func TagsBeside(have, labels, ours map[string]string) map[string]string {
	room := maxTags
	for key := range have {
		if _, replaced := ours[key]; !replaced && !strings.HasPrefix(strings.ToLower(key), reserved) {
			room--
		}
	}
	out := merge(ours)
	for _, key := range slices.Sorted(maps.Keys(merge(nil, labels))) {
		if _, taken := have[key]; !taken && len(out) < room && out[key] == "" {
			out[key] = cut(labels[key])
		}
	}
	return out
}

// BackupUID is the UID of the backup that a snapshot was made for, by whichever way.
func (s Snapshot) BackupUID() string {
	return cmp.Or(s.Tags[TagBackupUID], s.Tags[TagDriverBackupUID])
}

// The tags by which controllers and AWS's policies know a cluster's volumes.
const (
	tagClusterOwner = "kubernetes.io/cluster/"
	tagClusterOld   = "KubernetesCluster"
	// AmazonEBSCSIDriverPolicyV2 lets the driver attach, detach, modify and delete only
	// volumes with tagDriverOwned, AmazonEBSCSIDriverEKSClusterScopedPolicy only those whose
	// tagDriverCluster names its own cluster (kubernetes-sigs/aws-ebs-csi-driver, docs).
	tagDriverOwned   = "ebs.csi.aws.com/cluster"
	tagDriverCluster = "ebs.csi.aws.com/cluster-name"
	// EKS Auto Mode's role attaches only volumes whose tagAutoModeCluster names its cluster
	// (AmazonEKSBlockStoragePolicy).
	tagAutoModeCluster = "eks:eks-cluster-name"
)

// volumeTags are those of a restored volume: the snapshot's, below the
// restore's. The driver of the target cluster may attach the result under any of its
// current policies. With a cluster's name, other clusters' claims to the volume make
// way for that one's. What described the snapshot, or belonged to its backup, does not
// come along: whoever looks for what a backup has left would find the volume, and tools that
// copy a volume's tags to their own snapshots would make those look like this backup's.
func volumeTags(r VolumeRequest, cluster string) map[string]string {
	ours := map[string]string{TagRestoreUID: r.RestoreUID, TagPV: r.PV, tagDriverOwned: "true"}
	old := map[string]string{}
	for key, value := range r.Snapshot.Tags {
		if !describesSnapshot(key) && (cluster == "" || !claimsCluster(key)) {
			old[key] = value
		}
	}
	if cluster != "" {
		ours[tagClusterOwner+cluster], ours[tagClusterOld] = "owned", cluster
		ours[tagDriverCluster] = cluster
		if _, auto := r.Snapshot.Tags[tagAutoModeCluster]; auto || r.AutoMode {
			ours[tagAutoModeCluster] = cluster
		}
	}
	return merge(ours, r.Tags, old)
}

func claimsCluster(key string) bool {
	return key == tagClusterOld || key == tagDriverCluster || key == tagAutoModeCluster || strings.HasPrefix(key, tagClusterOwner)
}

// describesSnapshot tells the tags that are true of the snapshot and not of a volume made
// of it.
func describesSnapshot(key string) bool {
	return strings.HasPrefix(key, prefixVelero) || strings.HasPrefix(key, prefixOurs)
}

// The prefixes of the tags, and of the labels of backups, that Velero and Lifeboat write.
const (
	prefixVelero = "velero.io/"
	prefixOurs   = "lifeboat-backup.github.io/"
)

// merge takes from each set, the first one first, what is new and still fits.
func merge(sets ...map[string]string) map[string]string {
	out := map[string]string{}
	for i, set := range sets {
		for _, key := range slices.Sorted(maps.Keys(set)) {
			if _, taken := out[key]; taken || len(out) == maxTags || !usable(key) || i == 0 && set[key] == "" {
				continue
			}
			out[key] = cut(set[key])
		}
	}
	return out
}

func usable(key string) bool {
	return key != "" && utf8.RuneCountInString(key) <= maxTagKey && !strings.HasPrefix(strings.ToLower(key), reserved)
}

func cut(value string) string {
	if runes := []rune(value); len(runes) > maxTagValue {
		return string(runes[:maxTagValue])
	}
	return value
}

// lacking names the first of must that tags have not; "" means they have all.
// A wanted value of "" asks for the key only.
func lacking(tags, must map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(must)) {
		if have, ok := tags[key]; !ok || must[key] != "" && have != must[key] {
			return key
		}
	}
	return ""
}
