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
	"github.com/lifeboat-backup/lifeboat/internal/timing"
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

// drillAge is how old a drill may be: 90 days, or what an enabled schedule of drills leaves between
// two, where that is no more than a quarter. Without an answer about schedules it is 90 days.
func (d *Doctor) drillAge(ctx context.Context) time.Duration {
	most := freshDrill
	res, err := d.Read(ctx, contract.ReadInput{Verb: contract.ReadDrillSchedules})
	if err != nil {
		return most
	}
	for i := range res.Schedules {
		s := &res.Schedules[i]
		when, err := timing.Parse(s.Schedule.Spec.Schedule, s.Schedule.Annotations[contract.AnnotationZone])
		if longest := when.Period().Longest; s.Phase == contract.ScheduleEnabled && err == nil && longest <= quarter {
			most = max(most, longest+drillGrace)
		}
	}
	return most
}

func (d *Doctor) askDrills(ctx context.Context) []contract.Check {
	most := d.drillAge(ctx)
	q := question{"drill", fmt.Sprintf("Has a restore drill passed in the last %d days?", most/(24*time.Hour)), "lifeboat drill run, and repeat it by a schedule: docs/DRILLS.md"}
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
	return []contract.Check{q.answerIf(age <= most, found+d.foundBy(ctx, last))}
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
		checks = append(checks, bucketChecks(&found[i], d.bucketOf(ctx, found[i].Name))...)
	}
	return checks
}

func (d *Doctor) bucketOf(ctx context.Context, location string) bucket.Settings {
	settings, err := d.Bucket(ctx, location)
	if err != nil {
		none := bucket.Answer{Found: err.Error()}
		return bucket.Settings{Versioning: none, Encryption: none, Lifecycle: none, Transport: none, Copies: none}
	}
	return settings
}

// answerBucket gives the answer of a bucket.
func (q question) answerBucket(a bucket.Answer) contract.Check {
	if !a.Known {
		q.remedy = "allow the worker to ask, or look yourself. " + q.remedy
		return q.answer(contract.AnswerUnknown, a.Found)
	}
	return q.answerIf(a.Yes, a.Found)
}

func bucketChecks(l *contract.LocationStatus, s bucket.Settings) []contract.Check {
	of := func(id, text, remedy string, a bucket.Answer) contract.Check {
		return question{"bucket-" + id + "/" + l.Name, fmt.Sprintf(text, l.Bucket), fmt.Sprintf(remedy, l.Bucket)}.answerBucket(a)
	}
	return []contract.Check{
		of("versioning", "Does the bucket %s keep what is overwritten or deleted?", "aws s3api put-bucket-versioning --bucket %s --versioning-configuration Status=Enabled", s.Versioning),
		of("encryption", "Does the bucket %s encrypt new objects?", "aws s3api put-bucket-encryption --bucket %s with a key of AWS KMS or AES256", s.Encryption),
		of("lifecycle", "Does no lifecycle rule of the bucket %s expire or archive backups?", "aws s3api get-bucket-lifecycle-configuration --bucket %s shows the rules: leave out the location's prefix; lifeboat gc deletes what has expired", s.Lifecycle),
		of("transport", "Does the bucket %s deny plain HTTP?", "add a statement to the policy of %s that denies s3:* to everybody where aws:SecureTransport is false", s.Transport),
	}
}
