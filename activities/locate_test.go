package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// yard is a bucket that lists directories. lost, if any, is what every read of it gives.
type yard struct {
	shelf
	lost error
}

func (y *yard) Dirs(_ context.Context, prefix string) ([]string, error) {
	var names []string
	for key := range y.objs {
		if rest, ok := strings.CutPrefix(key, strings.TrimSuffix(prefix, "/")+"/"); ok {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), y.lost
}

func (y *yard) Get(ctx context.Context, key string) (io.ReadCloser, store.Info, error) {
	if y.lost != nil {
		return nil, store.Info{}, y.lost
	}
	return y.shelf.Get(ctx, key)
}

func (y *yard) Head(ctx context.Context, key string) (store.Info, error) {
	if y.lost != nil {
		return store.Info{}, y.lost
	}
	return y.shelf.Head(ctx, key)
}

func (y *yard) DeletePrefix(_ context.Context, prefix string) (int, error) {
	maps.DeleteFunc(y.objs, func(key string, _ []byte) bool { return strings.HasPrefix(key, prefix) })
	return 0, y.lost
}

// Presign fails as that of a location with a key of its own.
func (y *yard) Presign(_ context.Context, key string, _ time.Duration) (string, error) {
	return "", fmt.Errorf("presign %s: %w", key, store.ErrUnsupported)
}

// yards are locations by name, in alphabetical order, "default" being the default one.
// A location without a yard cannot be opened.
func yards(of map[string]*yard) *repository.Locations {
	cfg := &config.Config{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		bsl := velerov1.BackupStorageLocation{}
		bsl.Name, bsl.Spec.Default = name, name == "default"
		bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "b-" + name, Prefix: "p"}
		cfg.BackupStorageLocations = append(cfg.BackupStorageLocations, bsl)
	}
	return repository.NewLocations(cfg, func(_ context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
		if y := of[bsl.Name]; y != nil {
			return y, nil
		}
		return nil, errors.New("no such secret")
	})
}

// holding is a yard with these backups, each "name" or "name schedule start".
func holding(backups ...string) *yard {
	y := &yard{shelf: shelf{&bucket{objs: map[string][]byte{}}}}
	for _, b := range backups {
		f := append(strings.Fields(b), "", "2026-01-01")[:3]
		y.objs[archive.Layout{Backup: f[0]}.Metadata()] = fmt.Appendf(nil,
			`{"metadata":{"name":%q,"labels":{"velero.io/schedule-name":%q}},"status":{"phase":"Completed","startTimestamp":"%sT00:00:00Z"}}`, f[0], f[1], f[2])
		y.objs[archive.Layout{Backup: f[0]}.Tarball()] = []byte("tar")
	}
	return y
}

func (y *yard) without(err error) *yard { y.lost = err; return y }

func catalogOver(of map[string]*yard) *Catalog {
	l := yards(of)
	return &Catalog{Config: l.Config(), Locations: l}
}

// A location that cannot be read hides no other, and is named.
func TestUnreadLocations(t *testing.T) {
	east := holding("a", "b")
	east.objs[repository.RestoreDocumentKey("r")] = []byte(`{"metadata":{"name":"r"}}`)
	for name, broken := range map[string]*yard{"not opened": nil, "not read": holding("z").without(store.ErrNoBucket)} {
		t.Run(name, func(t *testing.T) {
			c := catalogOver(map[string]*yard{"broken": broken, "default": east, "west": holding("b")})
			for _, in := range []contract.ReadInput{
				{Verb: contract.ReadBackups},
				{Verb: contract.ReadRestores},
				{Verb: contract.ReadBackup, Name: "a"},
				{Verb: contract.ReadRestore, Name: "r"},
			} {
				res, err := c.Read(t.Context(), nil, in)
				if err != nil || len(res.Unread) != 1 || res.Unread[0].Name != "broken" || res.Unread[0].Message == "" {
					t.Errorf("%s: %v, %v", in.Verb, res.Unread, err)
				}
				if in.Verb == contract.ReadBackups && len(res.Backups) != 3 || in.Verb == contract.ReadRestores && len(res.Restores) != 1 {
					t.Errorf("%s: %v %v", in.Verb, res.Backups, res.Restores)
				}
			}
			c = catalogOver(map[string]*yard{"broken": broken})
			if _, err := c.Read(t.Context(), nil, contract.ReadInput{Verb: contract.ReadBackups}); err == nil || !strings.Contains(err.Error(), "storage location broken: ") {
				t.Errorf("all locations are broken: %v", err)
			}
		})
	}
}

// A location that hangs is given up on, and answers that came in time are kept.
func TestSlowLocation(t *testing.T) {
	l := yards(map[string]*yard{"default": holding("a"), "empty": holding(), "slow": holding()})
	all, err := repository.AskAll(t.Context(), l, "", 50*time.Millisecond, func(ctx context.Context, r repository.Answer[store.Info]) (store.Info, error) {
		if r.Location.Name == "slow" {
			<-ctx.Done()
			return store.Info{}, ctx.Err()
		}
		return r.Store.Head(ctx, archive.Layout{Backup: "a"}.Metadata())
	})
	if err != nil {
		t.Fatal(err)
	}
	found, unread, err := repository.ExactlyOne(all, repository.QueryByName("backup", "a"))
	if err != nil || found.Location.Name != "default" || len(unread) != 1 || unread[0].Message != "no answer within 50ms" {
		t.Errorf("%+v %v %v", found.Location, unread, err)
	}
}

// outcome is that of a search: the place, or words of the error and its type.
type outcome struct{ place, words, kind string }

func (o outcome) check(t *testing.T, place string, err error) {
	t.Helper()
	switch {
	case o.words == "" && (err != nil || place != o.place):
		t.Errorf("in %q, %v; want %q", place, err, o.place)
	case o.words != "" && (err == nil || !strings.Contains(err.Error(), o.words) || failure.TypeOf(err) != o.kind):
		t.Errorf("%s %v\nwant %s %s", failure.TypeOf(err), err, o.kind, o.words)
	}
}

// A restore that names no location searches all.
func TestRestoreFromAnyLocation(t *testing.T) {
	passing := errors.New("connection reset")
	for name, c := range map[string]struct {
		locations          map[string]*yard
		backup, schedule   string
		location, restored string
		want               outcome
		warnings           int
	}{
		"elsewhere":         {map[string]*yard{"default": holding(), "west": holding("a")}, "a", "", "", "a", outcome{place: "west"}, 0},
		"named":             {map[string]*yard{"default": holding("a"), "west": holding("a")}, "a", "", "west", "a", outcome{place: "west"}, 0},
		"twice":             {map[string]*yard{"default": holding("a"), "west": holding("a")}, "a", "", "", "", outcome{"", `spec.backupName: backup "a" lies in the storage locations default, west: say which one with --storage-location`, contract.ErrTypeInvalid}, 0},
		"nowhere":           {map[string]*yard{"default": holding(), "west": holding("b")}, "a", "", "", "", outcome{"", `spec.backupName: no backup "a" in any of the storage locations default, west`, contract.ErrTypeNotFound}, 0},
		"not where named":   {map[string]*yard{"default": holding("a"), "west": holding("b")}, "a", "", "west", "", outcome{"", `no backup "a" in storage location west`, contract.ErrTypeNotFound}, 0},
		"beside a broken":   {map[string]*yard{"default": nil, "west": holding("a")}, "a", "", "", "a", outcome{place: "west"}, 1},
		"in a broken":       {map[string]*yard{"default": holding(), "west": holding("a").without(store.ErrNoBucket)}, "a", "", "", "", outcome{"", "storage location west: read backups/a/velero-backup.json: bucket not found", contract.ErrTypeLocation}, 0},
		"in a passing":      {map[string]*yard{"broken": holding().without(store.ErrNoBucket), "west": holding("a").without(passing)}, "a", "", "", "", outcome{"", "storage location west: read backups/a/velero-backup.json: connection reset", ""}, 0},
		"of a schedule":     {map[string]*yard{"default": holding("x other 2026-01-09"), "west": holding("a s 2026-01-01", "b s 2026-01-02")}, "", "s", "", "b", outcome{place: "west"}, 0},
		"schedule twice":    {map[string]*yard{"default": holding("x s 2026-01-09"), "west": holding("a s 2026-01-01")}, "", "s", "", "", outcome{"", `spec.scheduleName: a backup of schedule "s" lies in the storage locations default, west`, contract.ErrTypeInvalid}, 0},
		"schedule nowhere":  {map[string]*yard{"default": holding("x"), "west": holding()}, "", "s", "", "", outcome{"", `spec.scheduleName: schedule "s" has no Completed backup in any of the storage locations default, west`, contract.ErrTypeNotFound}, 0},
		"unknown location":  {map[string]*yard{"default": holding("a")}, "a", "", "nowhere", "", outcome{"", `"nowhere"; known: default`, contract.ErrTypeInvalid}, 0},
		"name of a path":    {map[string]*yard{"default": holding("a")}, "../a", "", "", "", outcome{"", "spec.backupName", contract.ErrTypeInvalid}, 0},
		"the only location": {map[string]*yard{"west": holding("a")}, "a", "", "", "a", outcome{place: "west"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := &restore.Service{Locations: yards(c.locations)}
			in := contract.RestoreInput{Name: "r", Location: c.location}
			in.Spec.BackupName, in.Spec.ScheduleName = c.backup, c.schedule
			found, unread, err := r.FindBackup(t.Context(), in)
			place := ""
			if err == nil {
				place = found.Location.Name
			}
			c.want.check(t, place, err)
			if found.Value != c.restored {
				t.Errorf("restores %q, want %q", found.Value, c.restored)
			}
			if got := restore.Unsearched(unread); len(got) != c.warnings || c.warnings > 0 && got[0].Severity != report.Warning {
				t.Errorf("%v", got)
			}
		})
	}
}

// Two names of one bucket are one place: the name that may be written to stands for it.
func TestTwoNamesOfOnePlace(t *testing.T) {
	one := holding("a")
	l := yards(map[string]*yard{"copy": one, "main": one})
	for i := range l.Config().BackupStorageLocations {
		l.Config().BackupStorageLocations[i].Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "b", Prefix: []string{"p", "p/"}[i]}
	}
	l.Config().BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	c := &Catalog{Config: l.Config(), Locations: l}
	res, err := c.Read(t.Context(), nil, contract.ReadInput{Verb: contract.ReadBackups})
	if err != nil || len(res.Backups) != 1 || res.Backups[0].Location != "main" {
		t.Errorf("%v %v", res.Backups, err)
	}
	res, err = c.Read(t.Context(), nil, contract.ReadInput{Verb: contract.ReadBackups, Location: "copy"})
	if err != nil || len(res.Backups) != 1 || res.Backups[0].Location != "copy" {
		t.Errorf("%v %v", res.Backups, err)
	}
}

// A deletion that names no location never guesses one.
func TestDeleteFromAnyLocation(t *testing.T) {
	begun := holding()
	begun.objs[archive.Tombstone("a")] = []byte(`{"name":"a"}`)
	for name, c := range map[string]struct {
		locations map[string]*yard
		location  string
		want      outcome
	}{
		"elsewhere":       {map[string]*yard{"default": holding("b"), "west": holding("a")}, "", outcome{place: "west"}},
		"named":           {map[string]*yard{"default": holding("a"), "west": holding("a")}, "west", outcome{place: "west"}},
		"twice":           {map[string]*yard{"default": holding("a"), "west": holding("a")}, "", outcome{"", `name: backup "a" lies in the storage locations default, west: say which one with --storage-location`, contract.ErrTypeInvalid}},
		"begun":           {map[string]*yard{"default": holding(), "west": begun}, "", outcome{place: "west"}},
		"begun, another":  {map[string]*yard{"default": holding("a"), "west": begun}, "", outcome{"", "default, west", contract.ErrTypeInvalid}},
		"nowhere":         {map[string]*yard{"default": holding(), "west": holding()}, "", outcome{"", `no backup "a" in any of the storage locations default, west`, contract.ErrTypeNotFound}},
		"not where named": {map[string]*yard{"default": holding("a"), "west": holding()}, "west", outcome{"", `no backup "a" in location west`, contract.ErrTypeNotFound}},
		"beside a broken": {map[string]*yard{"default": nil, "west": holding("a")}, "", outcome{"", "default may have another of the name and could not be read (no such secret): say which one with --storage-location", contract.ErrTypeLocation}},
		"named, broken":   {map[string]*yard{"default": nil, "west": holding("a")}, "west", outcome{place: "west"}},
		"in a broken":     {map[string]*yard{"default": nil, "west": holding()}, "", outcome{"", "storage location default: no such secret", contract.ErrTypeLocation}},
	} {
		t.Run(name, func(t *testing.T) {
			l := yards(c.locations)
			b := &Backup{&backup.Service{Config: l.Config(), Locations: l, Snapshots: snapshotLocations()}}
			plan, err := b.PlanDelete(t.Context(), &heartbeat.Recorder{}, contract.DeleteBackupInput{Name: "a", Location: c.location})
			c.want.check(t, plan.Location, err)
			for name, y := range c.locations {
				if y == nil || y == begun {
					continue
				}
				if _, marked := y.objs[archive.Tombstone("a")]; marked != (name == c.want.place) {
					t.Errorf("tombstone in %s: %v", name, marked)
				}
			}
		})
	}
}

// Files under a customer's key cannot be signed: the error says where they lie and how
// to copy them.
func TestCustomerKeyFiles(t *testing.T) {
	y := holding("a")
	y.objs[repository.RestoreDocumentKey("r")] = []byte(`{"metadata":{"name":"r"}}`)
	y.objs[archive.RestoreLayout{Restore: "r"}.Logs()] = nil
	y.objs[archive.PlanKey("look")] = nil
	c := catalogOver(map[string]*yard{"default": y, "west": holding()})
	for key, in := range map[string]contract.ReadInput{
		archive.Layout{Backup: "a"}.Tarball():      {Verb: contract.ReadBackupURL, Name: "a", File: contract.FileContents},
		archive.RestoreLayout{Restore: "r"}.Logs(): {Verb: contract.ReadRestoreURL, Name: "r", File: contract.FileLogs},
		archive.PlanKey("look"):                    {Verb: contract.ReadRestoreURL, Name: "look", File: contract.FilePlan},
	} {
		_, err := c.Read(t.Context(), nil, in)
		want := "aws s3 cp --sse-c AES256 --sse-c-key fileb://KEY-FILE s3://b-default/p/" + key + " ."
		if err == nil || !strings.Contains(err.Error(), want) || failure.TypeOf(err) != contract.ErrTypeLocation {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// A restore that was cancelled before it knew where its backup lies leaves nothing in
// any location.
func TestAbandonSearchesAll(t *testing.T) {
	all := map[string]*yard{"default": holding("a"), "west": holding("b"), "broken": holding().without(store.ErrNoBucket)}
	for _, y := range all {
		y.objs[archive.Staging("u")+"chunk-00000"] = []byte("x")
	}
	r := &restore.Service{Locations: yards(all)}
	if _, err := r.Abandon(t.Context(), contract.AbandonRestoreInput{Ref: contract.RestoreRef{Name: "r", UID: "u"}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"default", "west"} {
		if _, left := all[name].objs[archive.Staging("u")+"chunk-00000"]; left || len(all[name].objs) != 2 {
			t.Errorf("%s: %v", name, slices.Sorted(maps.Keys(all[name].objs)))
		}
	}
}
