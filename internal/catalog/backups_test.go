package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// readAll reads the pages of a list of backups as the CLI does.
func readAll(t *testing.T, c *Reader, in contract.ReadInput) (rows []contract.BackupSummary, pages int) {
	t.Helper()
	in.Verb = contract.ReadBackups
	for {
		res, err := c.Read(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		rows, pages = append(rows, res.Backups...), pages+1
		if len(res.Backups) > rowsPerPage+1 {
			t.Errorf("a page of %d rows", len(res.Backups))
		}
		if res.Continue == "" {
			return rows, pages
		}
		in.Continue = res.Continue
	}
}

func placesOf(rows []contract.BackupSummary) (places []string) {
	for _, r := range rows {
		places = append(places, r.Name+"/"+r.Location)
	}
	return places
}

// Pages of several locations hold every backup once, in order, also where a name lies in
// two of them.
func TestBackupsInPages(t *testing.T) {
	both, west := []string{}, []string{}
	for i := range 2*rowsPerPage + 2 {
		both = append(both, fmt.Sprintf("b-%05d", i))
		if i%3 == 0 {
			west = append(west, fmt.Sprintf("b-%05d-w schedule 2026-01-01", i))
		}
	}
	stores := repositorytest.Stores{"default": repositorytest.Holding(both...), "west": repositorytest.Holding(append(west, both[rowsPerPage-1:]...)...)}
	c := readerOver(stores)
	var want []string
	for _, name := range both {
		want = append(want, name+"/default")
	}
	for _, name := range both[rowsPerPage-1:] {
		want = append(want, name+"/west")
	}
	for _, name := range west {
		want = append(want, strings.Fields(name)[0]+"/west")
	}
	slices.Sort(want)
	for range 2 { // by documents, then by entries
		rows, pages := readAll(t, c, contract.ReadInput{})
		if got := placesOf(rows); !slices.Equal(got, want) || pages != (len(want)+rowsPerPage-1)/rowsPerPage {
			t.Errorf("%d rows on %d pages, want %d", len(got), pages, len(want))
		}
	}
	rows, pages := readAll(t, c, contract.ReadInput{Selector: "velero.io/schedule-name=schedule"})
	if len(rows) != len(west) || pages != 1 || slices.ContainsFunc(rows, func(r contract.BackupSummary) bool { return r.Location != "west" }) {
		t.Errorf("%d rows on %d pages of %d selected", len(rows), pages, len(west))
	}
	if rows, _ := readAll(t, c, contract.ReadInput{Location: "west"}); len(rows) != len(west)+rowsPerPage+3 {
		t.Errorf("%d rows of one location", len(rows))
	}
}

// A row by the entry is the row by the document.
func TestBackupRowOfEntry(t *testing.T) {
	st := repositorytest.Holding()
	for i := range 2 * rowsPerPage { // so many that most documents are not read
		name := fmt.Sprintf("b-%05d", i)
		st.Set(layout.Backup{Name: name}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"u","labels":{"a":"b"},
"creationTimestamp":"2026-01-01T00:00:00Z","annotations":{"lifeboat-backup.github.io/uid":"u"}},"spec":{"labelSelector":{"matchLabels":{"x":"y"}}},
"status":{"phase":"PartiallyFailed","errors":1,"warnings":2,"startTimestamp":"2026-01-01T00:00:01Z","expiration":"2026-02-01T00:00:00Z","progress":{"itemsBackedUp":7}}}`, name))
	}
	c := readerOver(repositorytest.Stores{"default": st})
	first, _ := readAll(t, c, contract.ReadInput{})
	read := st.Count(memstore.On(memstore.OpGet))
	again, _ := readAll(t, c, contract.ReadInput{})
	if n := st.Count(memstore.On(memstore.OpGet)) - read; n > len(again)/10 {
		t.Errorf("%d documents were read for %d rows", n, len(again))
	}
	if len(first) != 2*rowsPerPage || len(again) != len(first) {
		t.Fatalf("%d rows, then %d", len(first), len(again))
	}
	for i := range first {
		if got, want := textOf(t, again[i]), textOf(t, first[i]); got != want || !strings.Contains(want, `"selector":"x=y"`) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

func textOf(t *testing.T, row contract.BackupSummary) string {
	t.Helper()
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A lying entry chooses no backup for a deletion by labels.
func TestSelectedByDocument(t *testing.T) {
	st := repositorytest.Holding()
	for i := range rowsPerPage {
		name := fmt.Sprintf("b-%05d", i)
		st.Set(layout.Backup{Name: name}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"u","labels":{"keep":"yes"}},"status":{"phase":"Completed"}}`, name))
		lie := &velerov1.Backup{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "u", Labels: map[string]string{"keep": "no"}}, Status: velerov1.BackupStatus{Phase: velerov1.BackupPhaseCompleted}}
		if err := repository.RememberBackup(t.Context(), st, lie, 0); err != nil {
			t.Fatal(err)
		}
	}
	c := readerOver(repositorytest.Stores{"default": st})
	if rows, _ := readAll(t, c, contract.ReadInput{Selector: "keep=no"}); len(rows) != 0 {
		t.Errorf("%d backups are taken for others", len(rows))
	}
	rows, _ := readAll(t, c, contract.ReadInput{})
	if !slices.ContainsFunc(rows, func(r contract.BackupSummary) bool { return r.Labels["keep"] == "no" }) {
		t.Error("no entry was used")
	}
}

// Schedules of Velero make backups with names that no label holds: they are described.
func TestLongVeleroName(t *testing.T) {
	name := "production-eu-central-1-customer-portal-full-nightly-backup-20260101020000"
	c := readerOver(repositorytest.Stores{"default": repositorytest.Holding(name)})
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: name})
	if err != nil || res.Backup == nil || res.Backup.Name != name {
		t.Errorf("%+v, %v", res.Backup, err)
	}
}

// TestDownloadOfAShortTarball: a tarball that lacks whole members, each of which has a checksum
// that is right, is not handed out as a good one.
func TestDownloadOfAShortTarball(t *testing.T) {
	st := repositorytest.Holding("golden")
	l := layout.Backup{Name: "golden"}
	for _, key := range []string{l.Manifest(), l.Tarball()} {
		data, err := os.ReadFile("../archive/testdata/v1.0/" + key)
		if err != nil {
			t.Fatal(err)
		}
		st.Set(key, data)
	}
	c, in := readerOver(repositorytest.Stores{"default": st}), contract.ReadInput{Verb: contract.ReadBackupURL, Name: "golden", File: contract.FileContents}
	if res, err := c.Read(t.Context(), in); err != nil || res.URL == "" {
		t.Errorf("whole: %+v, %v", res, err)
	}
	st.Set(l.Tarball(), []byte("the members that are left"))
	if _, err := c.Read(t.Context(), in); !errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("short: %v", err)
	}
}

// A list tells the level that was proven of each backup, and when, as long as it is the same
// backup; the document of one has all versions of Kubernetes.
func TestProvenLevel(t *testing.T) {
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("b-%03d", i))
	}
	st := repositorytest.Holding(names...)
	doc := func(name string) string {
		return fmt.Sprintf(`{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":%q,"uid":"u-%s"},"status":{"phase":"Completed"}}`, name, name)
	}
	for _, name := range []string{"b-000", "b-150", "b-299"} {
		st.Set(layout.Backup{Name: name}.Metadata(), []byte(doc(name)))
	}
	for _, r := range []contract.RehearsalResult{
		{Backup: "b-000", UID: "u-b-000", Level: contract.LevelEqual},
		{Backup: "b-000", UID: "u-b-000", Asked: "1.38"},
		{Backup: "b-150", UID: "before", Level: contract.LevelEqual},
		{Backup: "b-299", UID: "u-b-299"},
	} {
		if err := beside.WriteRehearsal(t.Context(), st, r); err != nil {
			t.Fatal(err)
		}
	}
	c := readerOver(repositorytest.Stores{"default": st})
	rows, _ := readAll(t, c, contract.ReadInput{})
	proven := map[string]string{}
	for _, r := range rows {
		if r.Proven != nil {
			proven[r.Name] = r.Level
		}
	}
	if len(rows) != 300 || len(proven) != 2 || proven["b-000"] != "L2" || proven["b-299"] != "" {
		t.Errorf("%d rows, proven %v", len(rows), proven)
	}
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "b-000"})
	if err != nil || len(res.Rehearsals) != 2 || res.Rehearsals[0].Level != "L2" {
		t.Errorf("%+v, %v", res.Rehearsals, err)
	}
}

// What a verification has found is shown: the phase Corrupt, what is damaged, and since when;
// though a file that the answer needs is damaged.
func TestVerificationInAnswers(t *testing.T) {
	st := repositorytest.Holding("bad", "good", "unverified")
	for name, damage := range map[string]string{"good": "", "bad": layout.Backup{Name: "bad"}.VolumeInfo()} {
		v := beside.Verification{Name: name, At: time.Unix(1_700_000_000, 0), Bytes: 7, Digests: true}
		if damage != "" {
			v.AddDamage(damage, "digest differs")
			st.Set(damage, []byte("x"))
		}
		if err := v.Write(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	c := readerOver(repositorytest.Stores{"default": st})
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		phase    string
		verified bool
	}{{"Corrupt", true}, {"Completed", true}, {"Completed", false}} {
		if b := res.Backups[i]; b.Phase != want.phase || (b.Verified != nil) != want.verified {
			t.Errorf("%+v", b)
		}
	}
	one, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "bad"})
	if err != nil || one.Backup.Status.Phase != "Corrupt" || one.Details.Verification == nil || len(one.Details.Verification.Damage) != 1 {
		t.Errorf("%+v, %v", one.Details, err)
	}
	if one, err = c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "unverified"}); err != nil || one.Details.Verification != nil {
		t.Errorf("%+v, %v", one.Details, err)
	}
}

// TestRetentionInAnswers: what somebody has said of how long a backup is kept shows in the list and
// in what is told of the backup; what was said of an earlier one of the name does not.
func TestRetentionInAnswers(t *testing.T) {
	st := memstore.New()
	for _, name := range []string{"a", "b", "c", "d"} {
		st.Set(layout.Backup{Name: name}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"uid-%s"},"status":{"phase":"Completed","expiration":"2999-01-01T00:00:00Z"}}`, name, name))
		st.Set(layout.Backup{Name: name}.Tarball(), []byte("tar"))
	}
	st.Set(layout.RetentionKey("a"), []byte(`{"name":"a","uid":"uid-a","hold":"audit","expires":"2998-01-01T00:00:00Z"}`))
	st.Set(layout.RetentionKey("b"), []byte(`{"name":"b","uid":"uid-of-another","hold":"audit"}`))
	st.Set(layout.RetentionKey("c"), []byte(`{`))
	st.Set(layout.RetentionKey("gone"), []byte(`{`))
	c := readerOver(repositorytest.Stores{"default": st})
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups})
	if err != nil || len(res.Backups) != 4 {
		t.Fatalf("%+v, %v", res.Backups, err)
	}
	for i, want := range []struct {
		held string
		year int
	}{{"audit", 2998}, {"", 2999}, {"unknown: " + layout.RetentionKey("c") + " is damaged", 2999}, {"", 2999}} {
		row := res.Backups[i]
		if row.Held != want.held || row.Expires.Year() != want.year {
			t.Errorf("%+v", row)
		}
		one, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: row.Name})
		if err != nil || one.Details.Held != want.held || (one.Details.ExpiresSet != nil) != (want.year == 2998) {
			t.Errorf("%s: %+v, %v", row.Name, one.Details, err)
		}
	}
	if n := st.Count(memstore.On(memstore.OpGet).Key(layout.RetentionKey("gone"))); n != 0 {
		t.Errorf("%d reads of what was said of backups that are not there", n)
	}
}

// A backup that took longer than its TTL expires an hour after it was completed, in the list and in
// its description; a time that somebody has set is taken as it is.
func TestExpiryOfALongBackup(t *testing.T) {
	completed := time.Date(2998, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		expires, said string
		want          time.Time
		told          bool // beside the document
	}{
		"over before it was completed": {"2997-12-31T23:00:00Z", "", completed.Add(retention.UsableFor), true},
		"over soon after":              {"2998-01-01T00:10:00Z", "", completed.Add(retention.UsableFor), true},
		"over later":                   {"2998-01-02T00:00:00Z", "", completed.Add(24 * time.Hour), false},
		"over soon after, as was set":  {"2998-01-02T00:00:00Z", "2998-01-01T00:10:00Z", completed.Add(10 * time.Minute), false},
	} {
		st := memstore.New()
		st.Set(layout.Backup{Name: "b"}.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":"b","uid":"u"},"status":{"phase":"Completed","completionTimestamp":"2998-01-01T00:00:00Z","expiration":%q}}`, c.expires))
		if c.said != "" {
			st.Set(layout.RetentionKey("b"), fmt.Appendf(nil, `{"name":"b","uid":"u","expires":%q}`, c.said))
		}
		reader := readerOver(repositorytest.Stores{"default": st})
		res, err := reader.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups})
		if err != nil || len(res.Backups) != 1 || res.Backups[0].Expires == nil || !res.Backups[0].Expires.Equal(c.want) {
			t.Errorf("%s: %+v, %v", name, res.Backups, err)
		}
		st.Set(layout.Backup{Name: "b"}.Tarball(), []byte("x"))
		one, err := reader.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackup, Name: "b"})
		if err != nil || (one.Details.ExpiresLater != nil) != c.told || c.told && !one.Details.ExpiresLater.Equal(c.want) {
			t.Errorf("%s: %+v, %v", name, one.Details, err)
		}
	}
}

// A backup of a ReadOnly location whose time is over is marked: nobody deletes it there. Where it
// may be deleted it is about to be.
func TestExpiredBackups(t *testing.T) {
	for mode, want := range map[velerov1.BackupStorageLocationAccessMode]bool{
		velerov1.BackupStorageLocationAccessModeReadOnly: true, velerov1.BackupStorageLocationAccessModeReadWrite: false,
	} {
		st := memstore.New()
		st.Set(layout.Backup{Name: "old"}.Metadata(), []byte(`{"metadata":{"name":"old","annotations":{"lifeboat-backup.github.io/workflow":"backup:dev:old"}},"status":{"phase":"Completed","expiration":"2020-01-01T00:00:00Z"}}`))
		st.Set(layout.Backup{Name: "new"}.Metadata(), []byte(`{"metadata":{"name":"new"},"status":{"phase":"Completed","expiration":"2999-01-01T00:00:00Z"}}`))
		l := repositorytest.Locations(repositorytest.Stores{"default": st})
		l.Config().BackupStorageLocations[0].Spec.AccessMode = mode
		res, err := (&Reader{Config: l.Config(), Locations: l}).Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups})
		if err != nil || len(res.Backups) != 2 || res.Backups[0].Expired || res.Backups[1].Expired != want || res.Backups[1].Cluster != "dev" {
			t.Errorf("%s: %+v, %v", mode, res.Backups, err)
		}
	}
}

// neverOpens is an object store that answers nothing until its caller has gone.
func neverOpens(ctx context.Context, _ velerov1.BackupStorageLocation) (store.Store, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Who lists backups of an object store that is away hears so within 5 s, of one try: an error
// of no type would be tried three times before anybody hears of it.
func TestListOutOfReach(t *testing.T) {
	for want, probe := range map[string]repository.OpenStore{
		"connection refused": func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) {
			return nil, errors.New("dial tcp: connection refused")
		},
		"does not answer within 3s": neverOpens,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := readerOver(repositorytest.Stores{"default": nil})
			c.Locations = repository.NewLocations(c.Config, neverOpens).WithProbe(probe)
			began := time.Now()
			for _, in := range []contract.ReadInput{
				{Verb: contract.ReadBackups},
				{Verb: contract.ReadRestores},
				{Verb: contract.ReadDrills},
				{Verb: contract.ReadBackup, Name: "b"},
				{Verb: contract.ReadRestore, Name: "r"},
			} {
				_, err := c.Read(t.Context(), in)
				if took := time.Since(began); failure.TypeOf(err) != contract.ErrTypeLocation || !strings.Contains(err.Error(), want) || took >= 5*time.Second {
					t.Errorf("%s: %v after %s, want %s", in.Verb, err, took, want)
				}
				began = time.Now()
			}
		})
	}
}
