package iam

import (
	"maps"
	"slices"
)

const (
	anySnapshot = "arn:*:ec2:*:*:snapshot/*"
	anyVolume   = "arn:*:ec2:*:*:volume/*"
	anyInstance = "arn:*:ec2:*:*:instance/*"

	tagBackup     = "velero.io/backup"
	tagBackupUID  = "lifeboat-backup.github.io/backup-uid"
	tagRestoreUID = "lifeboat-backup.github.io/restore-uid"
	tagOfDriver   = "CSIVolumeSnapshotName" // the EBS CSI driver gives it to each of its snapshots
	tagPlace      = "lifeboat-backup.github.io/place"
)

// look reads. EC2 has no narrower form of these actions.
func look() Statement {
	return allow("Look", []string{
		"ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeLockedSnapshots",
		"ec2:DescribeSnapshots", "ec2:DescribeVolumes", "ec2:ListSnapshotsInRecycleBin",
	}, []string{"*"}, nil)
}

// listBlocks counts the blocks of snapshots; it reads none of them.
func listBlocks() Statement {
	return allow("ListBlocks", []string{"ebs:ListChangedBlocks", "ebs:ListSnapshotBlocks"}, []string{anySnapshot}, nil)
}

// sampleBlocks reads blocks of snapshots of backups, to verify them.
func sampleBlocks() Statement {
	return allow("SampleBlocks", []string{"ebs:GetSnapshotBlock"}, []string{anySnapshot}, like("aws:ResourceTag/"+tagBackup, "*"))
}

// takeSnapshots makes snapshots, which carry the backup's name and uid from their first moment.
func takeSnapshots() []Statement {
	create := []string{"ec2:CreateSnapshot", "ec2:CreateSnapshots"}
	return []Statement{
		allow("SnapshotVolumes", create, []string{anyVolume, anyInstance}, nil),
		allow("MakeTaggedSnapshots", create, []string{anySnapshot},
			condition{"StringLike": {"aws:RequestTag/" + tagBackup: {"*"}, "aws:RequestTag/" + tagBackupUID: {"*"}}}),
		allow("TagOwnSnapshots", []string{"ec2:CreateTags"}, []string{anySnapshot}, like("aws:ResourceTag/"+tagBackupUID, "*")),
		allow("TagSnapshotsOfTheDriver", []string{"ec2:CreateTags"}, []string{anySnapshot}, like("aws:ResourceTag/"+tagOfDriver, "*")),
	}
}

// makeVolumes makes volumes of snapshots of backups, and of those that other accounts share: EC2
// shows none of their tags here.
func makeVolumes(sharedBy []string) []Statement {
	out := []Statement{
		allow("ReadSnapshotsOfBackups", []string{"ec2:CreateVolume"}, []string{anySnapshot}, like("aws:ResourceTag/"+tagBackup, "*")),
		allow("MakeTaggedVolumes", []string{"ec2:CreateVolume"}, []string{anyVolume}, like("aws:RequestTag/"+tagRestoreUID, "*")),
		allow("DeleteRestoredVolumes", []string{"ec2:DeleteVolume"}, []string{anyVolume}, like("aws:ResourceTag/"+tagRestoreUID, "*")),
	}
	if len(sharedBy) > 0 {
		out = append(out, allow("ReadSharedSnapshots", []string{"ec2:CreateVolume"}, []string{anySnapshot},
			condition{"StringEquals": {"ec2:Owner": sharedBy}}))
	}
	return out
}

// tagWhatIsBeingMade is tags in the same call that makes the resource.
func tagWhatIsBeingMade(resources []string, creating ...string) Statement {
	return allow("TagWhatIsBeingMade", []string{"ec2:CreateTags"}, resources,
		condition{"StringEquals": {"ec2:CreateAction": creating}})
}

// keysOfTags are those that Lifeboat, Velero, the EBS CSI driver and EKS write on volumes and snapshots.
func keysOfTags() []string {
	return []string{"lifeboat-backup.github.io/*", "velero.io/*", "ebs.csi.aws.com/*", "kubernetes.io/*", "eks:*", "CSIVolume*", "KubernetesCluster", "Name"}
}

// limitTags lets no tags be written but those and the ones that the options name. Without such it stays
// open which: a snapshot gets the tags of its volume, which the policy does not know.
func (o Options) limitTags(all []Statement) []Statement {
	if len(o.TagKeys) == 0 {
		return all
	}
	for i, s := range all {
		if slices.Equal(s.Action, []string{"ec2:CreateTags"}) {
			all[i].Condition = maps.Clone(s.Condition)
			all[i].Condition["ForAllValues:StringLike"] = map[string]oneOrMore{"aws:TagKeys": append(keysOfTags(), o.TagKeys...)}
		}
	}
	return all
}

// deleteSnapshots deletes those of backups, Velero's included, and those of the CSI path that
// nothing names any more.
func deleteSnapshots() []Statement {
	remove := []string{"ec2:DeleteSnapshot"}
	return []Statement{
		allow("DeleteSnapshotsOfBackups", remove, []string{anySnapshot}, like("aws:ResourceTag/"+tagBackup, "*")),
		allow("DeleteOrphanedSnapshots", remove, []string{anySnapshot}, like("aws:ResourceTag/"+tagPlace, "*")),
	}
}

// decryptBlocks has EBS decrypt the blocks that are read of snapshots. Making snapshots needs no key.
func decryptBlocks(keys []string) []Statement {
	if len(keys) == 0 {
		return nil
	}
	return []Statement{allow("DecryptBlocks", []string{"kms:Decrypt"}, keys, nil)}
}

// useKeys has EC2 use the keys for volumes. The grant that EBS keeps is for AWS only.
func useKeys(keys []string) []Statement {
	if len(keys) == 0 {
		return nil
	}
	return []Statement{
		allow("UseKeysOfVolumes", []string{"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"}, keys, nil),
		allow("GrantKeysToVolumes", []string{"kms:CreateGrant"}, keys, condition{"Bool": {"kms:GrantIsForAWSResource": {"true"}}}),
	}
}
