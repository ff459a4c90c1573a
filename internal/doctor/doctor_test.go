package doctor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/doctor"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/store/bucket"
)

func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// world is an installation: what a worker answers by verb.
type world struct {
	answers map[string]contract.ReadResult
	errs    map[string]error
	bucket  bucket.Settings
	account account
	used    int // snapshots of the AWS account
	restore error
	tried   string // the snapshot that was restored
}

// account is what AWS says.
type account struct {
	quota     int64
	protected bool
	err       error
}

func (a account) SnapshotQuota(context.Context) (int64, error) { return a.quota, a.err }

func (a account) DeletionProtection(_ context.Context, cluster string) (bool, error) {
	return a.protected && cluster == "prod", a.err
}

// good is one where everything that can be measured is as it should be.
func good() *world {
	yes := bucket.Answer{Known: true, Yes: true}
	return &world{
		answers: map[string]contract.ReadResult{
			contract.ReadLocations: {Locations: []contract.LocationStatus{{Name: "primary", Bucket: "backups", Phase: "Available"}, {Name: "old", AccessMode: "ReadOnly", Phase: "Unavailable"}}},
			contract.ReadSchedules: {Schedules: []contract.ScheduleStatus{
				{Phase: contract.ScheduleEnabled, TTL: "240h", Schedule: contract.Schedule{Spec: velerov1.ScheduleSpec{Schedule: "@daily"}}},
				{Phase: contract.ScheduleOff, TTL: "8760h", Schedule: contract.Schedule{Spec: velerov1.ScheduleSpec{Schedule: "@hourly"}}},
			}},
			contract.ReadServer: {Server: &contract.ServerStatus{Kubernetes: "v1.33.4-eks-99d6cc0"}},
			contract.ReadBackups: {Backups: []contract.BackupSummary{
				{Name: "broken", Phase: "PartiallyFailed", Created: now()}, {Name: "nightly", Phase: "Completed", Created: now().Add(-10 * time.Hour)},
			}},
			contract.ReadDrills: {Drills: []contract.DrillSummary{
				{Number: 8, Name: "shop", Verdict: "failed", Asked: now()}, {Number: 7, Name: "shop", Backup: "nightly", Level: "L5", Verdict: "passed", Asked: now().Add(-30 * 24 * time.Hour)},
			}},
			contract.ReadDrill: {Drill: &contract.DrillDetails{
				Assertions: []evidence.Assertion{{Name: "orders", Found: "48211"}},
			}},
			contract.ReadSnapshotLocations:     {SnapshotLocations: []contract.SnapshotLocationStatus{{Name: "west", Region: "us-west-2"}}},
			contract.ReadSnapshots:             {Snapshots: []contract.SnapshotSummary{{ID: "snap-1", SnapshotLocation: "west", Backup: "nightly", UID: "u", SizeGiB: 4, Encrypted: true}}},
			contract.ReadSnapshotLocationCheck: {SnapshotLocations: []contract.SnapshotLocationStatus{{Capabilities: []contract.Capability{{Name: "ec2:DescribeVolumes", OK: true}}}}},
		},
		errs: map[string]error{}, bucket: bucket.Settings{Versioning: yes, Encryption: yes, Lifecycle: yes, Transport: yes, Copies: yes},
		account: account{quota: 50, protected: true}, used: 40,
	}
}

func (w *world) examine(t *testing.T) map[string]contract.Check {
	t.Helper()
	d := &doctor.Doctor{
		Cluster: "prod", Now: now,
		Read: func(_ context.Context, in contract.ReadInput) (contract.ReadResult, error) {
			return w.answers[in.Verb], w.errs[in.Verb]
		},
		Bucket:    func(context.Context, string) (bucket.Settings, error) { return w.bucket, w.errs["bucket"] },
		Snapshots: func(context.Context, string) (int, error) { return w.used, w.errs["snapshots"] },
		Restore: func(_ context.Context, location, snapshot string) (ebs.Volume, error) {
			w.tried = location + "/" + snapshot
			return ebs.Volume{ID: "vol-1", KMSKeyID: "key-1"}, w.restore
		},
		Account: func(context.Context, string) (doctor.Account, error) { return w.account, w.errs["account"] },
	}
	checks, err := d.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]contract.Check{}
	for _, c := range checks {
		if c.Question == "" || (c.Answer == contract.AnswerYes) != (c.Remedy == "") || c.Answer != contract.AnswerYes && c.Found == "" {
			t.Errorf("a check without question, finding or remedy: %+v", c)
		}
		if _, twice := byID[c.ID]; twice {
			t.Errorf("%s is asked twice", c.ID)
		}
		byID[c.ID] = c
	}
	return byID
}

// TestGood: everything is measured, and yes.
func TestGood(t *testing.T) {
	checks := good().examine(t)
	for id, c := range checks {
		if c.Answer != contract.AnswerYes {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if len(checks) != 13 {
		t.Errorf("%d checks", len(checks))
	}
	for id, found := range map[string]string{
		"snapshot-quota": "the account has 40 snapshots in us-west-2, 1 of this cluster, whose schedules will keep up to 11; the quota is 50",
		"restore-rights": "a volume of snap-1 of backup nightly, 4 GiB under the key key-1, was made in 0s and deleted",
	} {
		if checks[id].Found != found {
			t.Errorf("%s: %s", id, checks[id].Found)
		}
	}
}

// TestDrillFound: the answer names the drill, and what its first assertion has found.
func TestDrillFound(t *testing.T) {
	w := good()
	if found := w.examine(t)["drill"].Found; found != `drill 7, shop, passed 30 days ago: nightly is proven at L5; orders found "48211"` {
		t.Error(found)
	}
	w.errs[contract.ReadDrill] = errors.New("no answer")
	if c := w.examine(t)["drill"]; c.Answer != contract.AnswerYes || c.Found != "drill 7, shop, passed 30 days ago: nightly is proven at L5" {
		t.Errorf("%+v", c)
	}
}

// TestDrillBySchedule: a drill may be as old as its schedule leaves between two, up to a quarter.
func TestDrillBySchedule(t *testing.T) {
	quarterly := contract.Schedule{Spec: velerov1.ScheduleSpec{Schedule: "0 9 1-7 1,4,7,10 TUE"}}
	yearly := contract.Schedule{Spec: velerov1.ScheduleSpec{Schedule: "@yearly"}}
	for name, tc := range map[string]struct {
		schedule contract.ScheduleStatus
		days     int
		answer   string
	}{
		"quarterly":       {contract.ScheduleStatus{Phase: contract.ScheduleEnabled, Schedule: quarterly}, 98, contract.AnswerYes},
		"quarterly, lost": {contract.ScheduleStatus{Phase: contract.ScheduleEnabled, Schedule: quarterly}, 100, contract.AnswerNo},
		"paused":          {contract.ScheduleStatus{Phase: contract.ScheduleOff, Schedule: quarterly}, 91, contract.AnswerNo},
		"yearly":          {contract.ScheduleStatus{Phase: contract.ScheduleEnabled, Schedule: yearly}, 91, contract.AnswerNo},
		"daily":           {contract.ScheduleStatus{Phase: contract.ScheduleEnabled, Schedule: contract.Schedule{Spec: velerov1.ScheduleSpec{Schedule: "@daily"}}}, 89, contract.AnswerYes},
	} {
		w := good()
		w.answers[contract.ReadDrillSchedules] = contract.ReadResult{Schedules: []contract.ScheduleStatus{tc.schedule}}
		w.answers[contract.ReadDrills].Drills[1].Asked = now().Add(-time.Duration(tc.days) * 24 * time.Hour)
		if c := w.examine(t)["drill"]; c.Answer != tc.answer {
			t.Errorf("%s, %d days: %+v", name, tc.days, c)
		}
	}
}

// TestFaults has a fault for each question that is measured.
func TestFaults(t *testing.T) {
	no := bucket.Answer{Known: true, Found: "it is not"}
	refused := errors.New("access denied")
	for name, tc := range map[string]struct {
		spoil  func(*world)
		id     string
		answer string
	}{
		"location":        {func(w *world) { w.answers[contract.ReadLocations].Locations[0].Phase = "Unavailable" }, "location/primary", "no"},
		"no location":     {func(w *world) { w.answers[contract.ReadLocations] = contract.ReadResult{} }, "location", "unknown"},
		"paused":          {func(w *world) { w.answers[contract.ReadSchedules].Schedules[0].Phase = contract.ScheduleOff }, "schedule", "no"},
		"no answer":       {func(w *world) { w.errs[contract.ReadSchedules] = refused }, "schedule", "unknown"},
		"old backup":      {func(w *world) { w.answers[contract.ReadBackups].Backups[1].Created = now().Add(-25 * time.Hour) }, "backup", "no"},
		"no good backup":  {func(w *world) { w.answers[contract.ReadBackups].Backups[1].Phase = "Failed" }, "backup", "no"},
		"unread backups":  {func(w *world) { w.errs[contract.ReadBackups] = refused }, "backup", "unknown"},
		"no drill":        {func(w *world) { w.answers[contract.ReadDrills] = contract.ReadResult{} }, "drill", "no"},
		"no passed drill": {func(w *world) { w.answers[contract.ReadDrills].Drills[1].Verdict = "failed" }, "drill", "no"},
		"drills of a location": {func(w *world) {
			w.answers[contract.ReadDrills] = contract.ReadResult{Unread: []contract.UnreadLocation{{Name: "west", Message: "no answer"}}}
		}, "drill", "unknown"},
		"old drill":          {func(w *world) { w.answers[contract.ReadDrills].Drills[1].Asked = now().Add(-91 * 24 * time.Hour) }, "drill", "no"},
		"unread drills":      {func(w *world) { w.errs[contract.ReadDrills] = refused }, "drill", "unknown"},
		"versioning":         {func(w *world) { w.bucket.Versioning = no }, "bucket-versioning/primary", "no"},
		"encryption":         {func(w *world) { w.bucket.Encryption = no }, "bucket-encryption/primary", "no"},
		"lifecycle":          {func(w *world) { w.bucket.Lifecycle = no }, "bucket-lifecycle/primary", "no"},
		"transport":          {func(w *world) { w.bucket.Transport = bucket.Answer{Found: "NotImplemented"} }, "bucket-transport/primary", "unknown"},
		"bucket":             {func(w *world) { w.errs["bucket"] = refused }, "bucket-versioning/primary", "unknown"},
		"untagged":           {func(w *world) { w.answers[contract.ReadSnapshots].Snapshots[0].Backup = "" }, "snapshots", "no"},
		"no EBS":             {func(w *world) { w.answers[contract.ReadSnapshotLocations] = contract.ReadResult{} }, "snapshots", "unknown"},
		"no room":            {func(w *world) { w.account.quota = 49 }, "snapshot-quota", "no"},
		"no quota":           {func(w *world) { w.account.err = refused }, "snapshot-quota", "unknown"},
		"no AWS":             {func(w *world) { w.errs["account"] = refused }, "snapshot-quota", "unknown"},
		"uncounted":          {func(w *world) { w.errs["snapshots"] = refused }, "snapshot-quota", "unknown"},
		"no EBS to count":    {func(w *world) { w.answers[contract.ReadSnapshotLocations] = contract.ReadResult{} }, "snapshot-quota", "unknown"},
		"one Region":         {func(w *world) { w.bucket.Copies = no }, "second-region/primary", "no"},
		"Regions not told":   {func(w *world) { w.bucket.Copies = bucket.Answer{Found: "AccessDenied"} }, "second-region/primary", "unknown"},
		"unprotected":        {func(w *world) { w.account.protected = false }, "eks-deletion-protection", "no"},
		"EKS refuses":        {func(w *world) { w.account.err = refused }, "eks-deletion-protection", "unknown"},
		"not EKS":            {func(w *world) { w.answers[contract.ReadServer].Server.Kubernetes = "v1.33.4" }, "eks-deletion-protection", "unknown"},
		"not encrypted":      {func(w *world) { w.answers[contract.ReadSnapshots].Snapshots[0].Encrypted = false }, "restore-rights", "unknown"},
		"of no backup":       {func(w *world) { w.answers[contract.ReadSnapshots].Snapshots[0].UID = "" }, "restore-rights", "unknown"},
		"another location's": {func(w *world) { w.answers[contract.ReadSnapshots].Snapshots[0].SnapshotLocation = "east" }, "restore-rights", "unknown"},
		"EC2 is away":        {func(w *world) { w.restore = ebs.ErrUnavailable }, "restore-rights", "unknown"},
		"no volume allowed":  {func(w *world) { w.restore = ebs.ErrDenied }, "restore-rights", "no"},
		"no key allowed":     {func(w *world) { w.restore = ebs.ErrDropped }, "restore-rights", "no"},
		"a right missing": {func(w *world) {
			w.answers[contract.ReadSnapshotLocationCheck].SnapshotLocations[0].Capabilities[0] = contract.Capability{Name: "ec2:DescribeVolumes", Detail: "UnauthorizedOperation"}
		}, "restore-rights", "no"},
	} {
		t.Run(name, func(t *testing.T) {
			w := good()
			tc.spoil(w)
			if got := w.examine(t)[tc.id]; got.Answer != tc.answer {
				t.Errorf("%s: %+v", tc.id, got)
			}
		})
	}
}

// TestSmallestIsRestored: of the encrypted snapshots of backups the smallest is tried, and of those
// the oldest. Where the location has a key of its own, each one becomes an encrypted volume.
func TestSmallestIsRestored(t *testing.T) {
	some := []contract.SnapshotSummary{
		{ID: "snap-8", SnapshotLocation: "west", Backup: "nightly", UID: "u", SizeGiB: 8, Encrypted: true},
		{ID: "snap-new", SnapshotLocation: "west", Backup: "nightly", UID: "u", SizeGiB: 2, Encrypted: true, Started: now()},
		{ID: "snap-old", SnapshotLocation: "west", Backup: "earlier", UID: "v", SizeGiB: 2, Encrypted: true, Started: now().Add(-time.Hour)},
		{ID: "snap-plain", SnapshotLocation: "west", Backup: "nightly", UID: "u", SizeGiB: 1},
		{ID: "snap-east", SnapshotLocation: "east", Backup: "nightly", UID: "u", SizeGiB: 1, Encrypted: true},
	}
	for key, want := range map[string]string{"": "west/snap-old", "alias/volumes": "west/snap-plain"} {
		w := good()
		w.answers[contract.ReadSnapshots] = contract.ReadResult{Snapshots: some}
		w.answers[contract.ReadSnapshotLocations].SnapshotLocations[0].KMSKey = key
		if c := w.examine(t)["restore-rights"]; c.Answer != contract.AnswerYes || w.tried != want {
			t.Errorf("key %q: %s was tried, want %s: %+v", key, w.tried, want, c)
		}
	}
}
