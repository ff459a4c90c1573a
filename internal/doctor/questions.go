package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/store/bucket"
)

// readOnly is the access mode of a location that no backup is written to.
const readOnly = "ReadOnly"

// locations are those that backups are written to.
func (d *Doctor) locations(ctx context.Context) ([]contract.LocationStatus, error) {
	res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	var writable []contract.LocationStatus
	for _, l := range res.Locations {
		if l.AccessMode != readOnly {
			writable = append(writable, l)
		}
	}
	if err == nil && len(writable) == 0 {
		err = errors.New("no storage location can be written to")
	}
	return writable, err
}

// askLocations has a check for each location.
func (d *Doctor) askLocations(ctx context.Context) []contract.Check {
	q := question{"location", "Is the storage location available?", "lifeboat location check NAME says what is missing"}
	found, err := d.locations(ctx)
	if err != nil {
		return []contract.Check{q.unknown(err)}
	}
	var checks []contract.Check
	for _, l := range found {
		of := question{"location/" + l.Name, "Is the storage location " + l.Name + " available?", "lifeboat location check " + l.Name + " says what is missing"}
		checks = append(checks, of.answerIf(l.Phase == "Available", strings.TrimSpace(l.Phase+" "+l.Message)))
	}
	return checks
}

func (d *Doctor) askSchedules(ctx context.Context) []contract.Check {
	q := question{"schedule", "Is a schedule enabled?", "lifeboat schedule create daily --schedule '0 2 * * *', or lifeboat schedule unpause NAME"}
	res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSchedules})
	if err != nil {
		return []contract.Check{q.unknown(err)}
	}
	enabled := 0
	for i := range res.Schedules {
		if res.Schedules[i].Phase == contract.ScheduleEnabled {
			enabled++
		}
	}
	return []contract.Check{q.answerIf(enabled > 0, fmt.Sprintf("%d of %d schedules are enabled", enabled, len(res.Schedules)))}
}

// mostDrills bounds how many drills are looked at: each is a file.
const mostDrills = 100

// mostPages bounds how many backups are looked at: pages are of a thousand, say.
const mostPages = 50

// askBackups looks for the newest backup without an error.
func (d *Doctor) askBackups(ctx context.Context) []contract.Check {
	q := question{"backup", "Is there a good backup of the last 24 hours?", "lifeboat backup create --wait, and look at the schedule: lifeboat schedule describe NAME"}
	newest, err := d.newestBackup(ctx)
	switch {
	case err != nil:
		return []contract.Check{q.unknown(err)}
	case newest.Name == "":
		return []contract.Check{q.answer(contract.AnswerNo, "there is no backup that is Completed")}
	}
	age := d.now().Sub(newest.Created).Round(time.Minute)
	return []contract.Check{q.answerIf(age <= freshBackup, fmt.Sprintf("%s is %s old", newest.Name, age))}
}

func (d *Doctor) newestBackup(ctx context.Context) (newest contract.BackupSummary, err error) {
	in := contract.ReadInput{Verb: contract.ReadBackups}
	for range mostPages {
		res, err := d.Read(ctx, in)
		if err != nil {
			return newest, err
		}
		for i := range res.Backups {
			if b := &res.Backups[i]; b.Phase == "Completed" && b.Created.After(newest.Created) {
				newest = *b
			}
		}
		if in.Continue = res.Continue; in.Continue == "" {
			return newest, nil
		}
	}
	return newest, nil
}

func (d *Doctor) askDrills(ctx context.Context) []contract.Check {
	q := question{"drill", "Has a restore drill passed in the last 90 days?", "lifeboat drill run, and repeat it by a schedule: docs/DRILLS.md"}
	res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadDrills, Limit: mostDrills})
	if err != nil {
		return []contract.Check{q.unknown(err)}
	}
	i := slices.IndexFunc(res.Drills, func(row contract.DrillSummary) bool { return row.Verdict == string(evidence.Passed) })
	switch {
	case i < 0 && len(res.Unread) > 0:
		return []contract.Check{q.answer(contract.AnswerUnknown, "storage location "+res.Unread[0].Name+" could not be read: "+res.Unread[0].Message)}
	case i < 0 && len(res.Drills) == 0:
		return []contract.Check{q.answer(contract.AnswerNo, "no drill is recorded")}
	case i < 0:
		return []contract.Check{q.answer(contract.AnswerNo, fmt.Sprintf("none of the last %d drills has passed", len(res.Drills)))}
	}
	last := res.Drills[i]
	age := d.now().Sub(last.Asked)
	found := fmt.Sprintf("drill %d, %s, passed %d days ago: %s is proven at %s", last.Number, last.Name, int(age.Hours()/24), last.Backup, last.Level)
	return []contract.Check{q.answerIf(age <= freshDrill, found+d.foundBy(ctx, last))}
}

// foundBy is what the first assertion of a drill has found in the copy, such as a count of rows.
// What cannot be read is left out: that the drill has passed is known.
func (d *Doctor) foundBy(ctx context.Context, row contract.DrillSummary) string {
	res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadDrill, Name: strconv.FormatInt(row.Number, 10), Location: row.Location})
	if err != nil || res.Drill == nil || len(res.Drill.Assertions) == 0 {
		return ""
	}
	first := res.Drill.Assertions[0]
	return fmt.Sprintf("; %s found %.100q", first.Name, first.Found)
}

// askBuckets has four checks for each location.
func (d *Doctor) askBuckets(ctx context.Context) []contract.Check {
	found, err := d.locations(ctx)
	if err != nil {
		return []contract.Check{question{"bucket", "Is the bucket set up to keep backups?", "lifeboat location get"}.unknown(err)}
	}
	var checks []contract.Check
	for i := range found {
		settings, err := d.Bucket(ctx, found[i].Name)
		if err != nil {
			none := bucket.Answer{Found: err.Error()}
			settings = bucket.Settings{Versioning: none, Encryption: none, Lifecycle: none, Transport: none}
		}
		checks = append(checks, bucketChecks(&found[i], settings)...)
	}
	return checks
}

func bucketChecks(l *contract.LocationStatus, s bucket.Settings) []contract.Check {
	of := func(id, text, remedy string, a bucket.Answer) contract.Check {
		q := question{"bucket-" + id + "/" + l.Name, fmt.Sprintf(text, l.Bucket), fmt.Sprintf(remedy, l.Bucket)}
		if !a.Known {
			q.remedy = "allow the worker to ask, or look yourself. " + q.remedy
			return q.answer(contract.AnswerUnknown, a.Found)
		}
		return q.answerIf(a.Yes, a.Found)
	}
	return []contract.Check{
		of("versioning", "Does the bucket %s keep what is overwritten or deleted?", "aws s3api put-bucket-versioning --bucket %s --versioning-configuration Status=Enabled", s.Versioning),
		of("encryption", "Does the bucket %s encrypt new objects?", "aws s3api put-bucket-encryption --bucket %s with a key of AWS KMS or AES256", s.Encryption),
		of("lifecycle", "Does no lifecycle rule of the bucket %s expire or archive backups?", "aws s3api get-bucket-lifecycle-configuration --bucket %s shows the rules: leave out the location's prefix; lifeboat gc deletes what has expired", s.Lifecycle),
		of("transport", "Does the bucket %s deny plain HTTP?", "add a statement to the policy of %s that denies s3:* to everybody where aws:SecureTransport is false", s.Transport),
	}
}

// askSnapshots asks for the tags by which snapshots are found.
func (d *Doctor) askSnapshots(ctx context.Context) []contract.Check {
	tags := question{"snapshots", "Do snapshots carry the tags by which they are found again?", "lifeboat snapshot get explains each; ec2:CreateTags and ec2:DescribeSnapshots are needed"}
	room := question{"snapshot-quota", "Is there room below the account's quota of snapshots?", "aws service-quotas get-service-quota --service-code ebs --quota-code L-309BACF6 (snapshots of a Region) against the planned count"}
	where, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	switch {
	case err != nil:
		return []contract.Check{tags.unknown(err), room.unknown(err)}
	case len(where.SnapshotLocations) == 0:
		none := "no volume snapshot location is configured: snapshots of CSI drivers are the drivers' own"
		return []contract.Check{tags.answer(contract.AnswerUnknown, none), room.answer(contract.AnswerUnknown, none)}
	}
	found, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshots})
	if err != nil {
		return []contract.Check{tags.unknown(err), room.unknown(err)}
	}
	untagged := 0
	for i := range found.Snapshots {
		if s := &found.Snapshots[i]; s.Backup == "" || s.UID == "" {
			untagged++
		}
	}
	count := fmt.Sprintf("%d snapshots of this cluster", len(found.Snapshots))
	return []contract.Check{
		tags.answerIf(untagged == 0, fmt.Sprintf("%s, %d without the tags of a backup", count, untagged)),
		room.answer(contract.AnswerUnknown, count+"; the account's quota is not read by the worker"),
	}
}

// askRestoreRights asks for what can be tried without making anything.
func (d *Doctor) askRestoreRights(ctx context.Context) []contract.Check {
	q := question{"restore-rights", "Can an encrypted GiB be restored?", "give the worker's role the rights of docs/VOLUMES.md, and kms:CreateGrant and kms:ReEncrypt* of the key; a drill proves it"}
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
	return []contract.Check{q.answer(contract.AnswerUnknown, "what only reads is allowed; EC2 tells of a right to a KMS key only when a volume is made: a drill does that")}
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

// askOthers are the questions that nothing measures yet.
func (d *Doctor) askOthers(context.Context) []contract.Check {
	region := question{"second-region", "Does a second Region have copies?", "replicate the bucket (aws s3api put-bucket-replication) and copy snapshots by Data Lifecycle Manager"}
	protection := question{"eks-deletion-protection", "Is the cluster protected from deletion?", fmt.Sprintf("aws eks describe-cluster --name %s --query cluster.deletionProtection, and aws eks update-cluster-config --name %s --deletion-protection", d.Cluster, d.Cluster)}
	return []contract.Check{
		region.answer(contract.AnswerUnknown, "copies of other Regions are not kept by Lifeboat, and not looked for"),
		protection.answer(contract.AnswerUnknown, "the worker does not ask EKS"),
	}
}
