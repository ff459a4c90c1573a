package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/timing"
)

// noSnapshotLocation is what is found where questions about EBS have no answer.
const noSnapshotLocation = "no volume snapshot location is configured: snapshots of CSI drivers are the drivers' own"

// askSnapshots asks for the tags by which snapshots are found.
func (d *Doctor) askSnapshots(ctx context.Context) []contract.Check {
	tags := question{"snapshots", "Do snapshots carry the tags by which they are found again?", "lifeboat snapshot get explains each; ec2:CreateTags and ec2:DescribeSnapshots are needed"}
	where, found, err := d.snapshots(ctx)
	switch {
	case err != nil:
		return []contract.Check{tags.unknown(err)}
	case len(where) == 0:
		return []contract.Check{tags.answer(contract.AnswerUnknown, noSnapshotLocation)}
	}
	untagged := 0
	for i := range found {
		if s := &found[i]; s.Backup == "" || s.UID == "" {
			untagged++
		}
	}
	return []contract.Check{tags.answerIf(untagged == 0, fmt.Sprintf("%d snapshots of this cluster, %d without the tags of a backup", len(found), untagged))}
}

// snapshots are the volume snapshot locations, and the cluster's snapshots in them.
func (d *Doctor) snapshots(ctx context.Context) ([]contract.SnapshotLocationStatus, []contract.SnapshotSummary, error) {
	where, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	if err != nil || len(where.SnapshotLocations) == 0 {
		return nil, nil, err
	}
	found, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshots})
	return where.SnapshotLocations, found.Snapshots, err
}

// askQuota holds the account's quota of snapshots against those that it has, and those that the
// schedules will make until the first ones expire.
func (d *Doctor) askQuota(ctx context.Context) []contract.Check {
	q := question{"snapshot-quota", "Is there room below the account's quota of snapshots?", "ask for more: aws service-quotas request-service-quota-increase --service-code ebs --quota-code L-309BACF6 (snapshots of a Region); lifeboat schedule simulate shows the peak"}
	where, own, err := d.snapshots(ctx)
	switch {
	case err != nil:
		return []contract.Check{q.unknown(err)}
	case len(where) == 0:
		return []contract.Check{q.answer(contract.AnswerUnknown, noSnapshotLocation)}
	}
	l := where[0]
	used, err := d.Snapshots(ctx, l.Name)
	if err != nil {
		return []contract.Check{q.unknown(err)}
	}
	planned, err := d.plannedSnapshots(ctx, own)
	if err != nil {
		return []contract.Check{q.unknown(err)}
	}
	text := fmt.Sprintf("the account has %d snapshots in %s, %d of this cluster, whose schedules will keep up to %d", used, l.Region, len(own), planned)
	account, err := d.Account(ctx, l.Region)
	var quota int64
	if err == nil {
		quota, err = account.SnapshotQuota(ctx)
	}
	if err != nil {
		q.remedy = "allow the worker servicequotas:GetServiceQuota and servicequotas:GetAWSDefaultServiceQuota, or look yourself: aws service-quotas get-service-quota --service-code ebs --quota-code L-309BACF6"
		return []contract.Check{q.answer(contract.AnswerUnknown, text+"; the quota is not known: "+err.Error())}
	}
	need := int64(used + max(planned-len(own), 0))
	return []contract.Check{q.answerIf(need <= quota, fmt.Sprintf("%s; the quota is %d", text, quota))}
}

// plannedSnapshots is how many snapshots the enabled schedules will keep: for each the backups of its
// TTL, with as many snapshots as the backup has that has most of them.
func (d *Doctor) plannedSnapshots(ctx context.Context, own []contract.SnapshotSummary) (int, error) {
	res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSchedules})
	if err != nil {
		return 0, err
	}
	each, most := map[string]int{}, 0
	for i := range own {
		each[own[i].Backup]++
		most = max(most, each[own[i].Backup])
	}
	planned := 0
	for i := range res.Schedules {
		s := &res.Schedules[i]
		ttl, err := time.ParseDuration(s.TTL)
		when, otherErr := timing.Parse(s.Schedule.Spec.Schedule, s.Schedule.Annotations[contract.AnnotationZone])
		if s.Phase != contract.ScheduleEnabled || err != nil || otherErr != nil || when.Period().Typical <= 0 {
			continue
		}
		planned += most * int(ttl/when.Period().Typical+1)
	}
	return planned, nil
}

// askRestoreRights asks for what can be tried without making anything, and else for the newest drill
// that has made volumes.
func (d *Doctor) askRestoreRights(ctx context.Context) []contract.Check {
	q := question{"restore-rights", "Can an encrypted GiB be restored?", "give the worker's role the rights of docs/VOLUMES.md, and kms:CreateGrant and kms:ReEncrypt* of the key; a drill of a backup with volumes proves it"}
	where, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	if err != nil {
		return []contract.Check{q.unknown(err)}
	}
	for _, l := range where.SnapshotLocations {
		res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: l.Name})
		if err != nil {
			return []contract.Check{q.unknown(err)}
		}
		if missing := missingRights(res.SnapshotLocations); missing != "" {
			return []contract.Check{q.answer(contract.AnswerNo, "volume snapshot location "+l.Name+": "+missing)}
		}
	}
	if found := d.drilledVolumes(ctx); found != "" {
		return []contract.Check{q.answer(contract.AnswerYes, found)}
	}
	return []contract.Check{q.answer(contract.AnswerUnknown, "what only reads is allowed; EC2 tells of a right to a KMS key only when a volume is made, and no drill of late has made one of an encrypted snapshot")}
}

// drilledVolumes names a drill that is not too old, has passed and made volumes of encrypted
// snapshots, "" for none.
func (d *Doctor) drilledVolumes(ctx context.Context) string {
	_, own, err := d.snapshots(ctx)
	drills, otherErr := d.Read(ctx, contract.ReadInput{Verb: contract.ReadDrills, Limit: mostDrills})
	if err != nil || otherErr != nil {
		return ""
	}
	most := d.drillAge(ctx)
	encrypted := func(backup string) bool {
		return slices.ContainsFunc(own, func(s contract.SnapshotSummary) bool { return s.Backup == backup && s.Encrypted })
	}
	for _, row := range drills.Drills {
		if row.Verdict != string(evidence.Passed) || d.now().Sub(row.Asked) > most || !encrypted(row.Backup) {
			continue
		}
		if n := d.volumesOf(ctx, row); n > 0 {
			return fmt.Sprintf("drill %d, %s, has made %d volumes of the encrypted snapshots of %s", row.Number, row.Name, n, row.Backup)
		}
	}
	return ""
}

// missingRights names what a check was refused.
func missingRights(rows []contract.SnapshotLocationStatus) string {
	var missing []string
	for _, row := range rows {
		if len(row.Capabilities) == 0 && row.Message != "" {
			missing = append(missing, row.Message)
		}
		for _, c := range row.Capabilities {
			if !c.OK {
				missing = append(missing, c.Name+": "+c.Detail)
			}
		}
	}
	return strings.Join(missing, "; ")
}
