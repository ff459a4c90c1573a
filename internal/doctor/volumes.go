package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
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

// askRestoreRights restores the smallest encrypted snapshot of each volume snapshot location: EC2
// tells of a right to a key of KMS only when a volume is made.
func (d *Doctor) askRestoreRights(ctx context.Context) []contract.Check {
	q := question{"restore-rights", "Can an encrypted GiB be restored?", "give the worker's role what `lifeboat iam policy --role restore --volume-key KEY` prints, and see that the key's own policy allows it, and that the key is enabled"}
	where, own, err := d.snapshots(ctx)
	switch {
	case err != nil:
		return []contract.Check{q.unknown(err)}
	case len(where) == 0:
		return []contract.Check{q.answer(contract.AnswerUnknown, noSnapshotLocation)}
	}
	var restored []string
	for i := range where {
		res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: where[i].Name})
		if err != nil {
			return []contract.Check{q.unknown(err)}
		}
		if missing := missingRights(res.SnapshotLocations); missing != "" {
			return []contract.Check{q.answer(contract.AnswerNo, "volume snapshot location "+where[i].Name+": "+missing)}
		}
		s := smallestEncrypted(&where[i], own)
		if s == nil {
			continue
		}
		c := d.tryRestore(ctx, q, &where[i], s)
		if c.Answer != contract.AnswerYes {
			return []contract.Check{c}
		}
		restored = append(restored, c.Found)
	}
	if len(restored) == 0 {
		return []contract.Check{q.answer(contract.AnswerUnknown, "what only reads is allowed, and no backup has an encrypted snapshot to try it with")}
	}
	return []contract.Check{q.answer(contract.AnswerYes, strings.Join(restored, "; "))}
}

// smallestEncrypted is a snapshot of a backup of which EC2 would make an encrypted volume, nil for
// none. Of several of a size it is the oldest, which is complete.
func smallestEncrypted(l *contract.SnapshotLocationStatus, own []contract.SnapshotSummary) *contract.SnapshotSummary {
	var smallest *contract.SnapshotSummary
	for i := range own {
		s := &own[i]
		if s.SnapshotLocation != l.Name || s.Backup == "" || s.UID == "" || !s.Encrypted && l.KMSKey == "" {
			continue
		}
		if smallest == nil || cmp.Or(cmp.Compare(s.SizeGiB, smallest.SizeGiB), s.Started.Compare(smallest.Started)) < 0 {
			smallest = s
		}
	}
	return smallest
}

func (d *Doctor) tryRestore(ctx context.Context, q question, l *contract.SnapshotLocationStatus, s *contract.SnapshotSummary) contract.Check {
	began := d.now()
	made, err := d.Restore(ctx, l.Name, s.ID)
	switch {
	case err == nil:
		return q.answer(contract.AnswerYes, fmt.Sprintf("a volume of %s of backup %s, %d GiB under the key %s, was made in %s and deleted", s.ID, s.Backup, s.SizeGiB, made.KMSKeyID, d.now().Sub(began).Round(time.Second)))
	case errors.Is(err, ebs.ErrDropped), errors.Is(err, ebs.ErrDenied):
		return q.answer(contract.AnswerNo, fmt.Sprintf("volume snapshot location %s: %v", l.Name, err))
	}
	return q.unknown(err)
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
