package catalog

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func readerOver(of repositorytest.Stores) *Reader {
	l := repositorytest.Locations(of)
	return &Reader{Config: l.Config(), Locations: l}
}

// A location that cannot be read hides no other, and is named.
func TestUnreadLocations(t *testing.T) {
	east := repositorytest.Holding("a", "b")
	east.Set(repository.RestoreDocumentKey("r"), []byte(`{"metadata":{"name":"r"}}`))
	for name, broken := range map[string]*memstore.Store{"not opened": nil, "not read": repositorytest.Unreadable(store.ErrNoBucket, "z")} {
		t.Run(name, func(t *testing.T) {
			c := readerOver(repositorytest.Stores{"broken": broken, "default": east, "west": repositorytest.Holding("b")})
			for _, in := range []contract.ReadInput{
				{Verb: contract.ReadBackups},
				{Verb: contract.ReadRestores},
				{Verb: contract.ReadBackup, Name: "a"},
				{Verb: contract.ReadRestore, Name: "r"},
			} {
				res, err := c.Read(t.Context(), in)
				if err != nil || len(res.Unread) != 1 || res.Unread[0].Name != "broken" || res.Unread[0].Message == "" {
					t.Errorf("%s: %v, %v", in.Verb, res.Unread, err)
				}
				if in.Verb == contract.ReadBackups && len(res.Backups) != 3 || in.Verb == contract.ReadRestores && len(res.Restores) != 1 {
					t.Errorf("%s: %v %v", in.Verb, res.Backups, res.Restores)
				}
			}
			c = readerOver(repositorytest.Stores{"broken": broken})
			if _, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups}); err == nil || !strings.Contains(err.Error(), "storage location broken: ") {
				t.Errorf("all locations are broken: %v", err)
			}
		})
	}
}

// Two names of one bucket are one place: the name that may be written to stands for it.
func TestTwoNamesOfOnePlace(t *testing.T) {
	one := repositorytest.Holding("a")
	l := repositorytest.Locations(repositorytest.Stores{"copy": one, "main": one})
	for i := range l.Config().BackupStorageLocations {
		l.Config().BackupStorageLocations[i].Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: "b", Prefix: []string{"p", "p/"}[i]}
	}
	l.Config().BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	c := &Reader{Config: l.Config(), Locations: l}
	res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups})
	if err != nil || len(res.Backups) != 1 || res.Backups[0].Location != "main" {
		t.Errorf("%v %v", res.Backups, err)
	}
	res, err = c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadBackups, Location: "copy"})
	if err != nil || len(res.Backups) != 1 || res.Backups[0].Location != "copy" {
		t.Errorf("%v %v", res.Backups, err)
	}
}

// Files under a customer's key cannot be signed: the error says where they lie and how
// to copy them.
func TestCustomerKeyFiles(t *testing.T) {
	y := repositorytest.Holding("a")
	y.Set(repository.RestoreDocumentKey("r"), []byte(`{"metadata":{"name":"r"}}`))
	y.Set(layout.Restore{Name: "r"}.Logs(), nil)
	y.Set(layout.PlanKey("look"), nil)
	y.Fail(memstore.On(memstore.OpPresign), store.ErrUnsupported)
	c := readerOver(repositorytest.Stores{"default": y, "west": repositorytest.Holding()})
	for key, in := range map[string]contract.ReadInput{
		layout.Backup{Name: "a"}.Tarball(): {Verb: contract.ReadBackupURL, Name: "a", File: contract.FileContents},
		layout.Restore{Name: "r"}.Logs():   {Verb: contract.ReadRestoreURL, Name: "r", File: contract.FileLogs},
		layout.PlanKey("look"):             {Verb: contract.ReadRestoreURL, Name: "look", File: contract.FilePlan},
	} {
		_, err := c.Read(t.Context(), in)
		want := "aws s3 cp --sse-c AES256 --sse-c-key fileb://KEY-FILE s3://b-default/p/" + key + " ."
		if err == nil || !strings.Contains(err.Error(), want) || failure.TypeOf(err) != contract.ErrTypeLocation {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestURLsAreShortLived: a signed address, which anybody may use who has it, lives for Velero's ten
// minutes at most.
func TestURLsAreShortLived(t *testing.T) {
	y := repositorytest.Holding("a")
	y.Set(repository.RestoreDocumentKey("r"), []byte(`{"metadata":{"name":"r"}}`))
	y.Set(layout.Restore{Name: "r"}.Logs(), nil)
	y.Set(layout.PlanKey("look"), nil)
	c := readerOver(repositorytest.Stores{"default": y})
	for _, in := range []contract.ReadInput{
		{Verb: contract.ReadBackupURL, Name: "a", File: contract.FileContents},
		{Verb: contract.ReadRestoreURL, Name: "r", File: contract.FileLogs},
		{Verb: contract.ReadRestoreURL, Name: "look", File: contract.FilePlan},
	} {
		res, err := c.Read(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(res.URL)
		if err != nil {
			t.Fatal(err)
		}
		until, err := strconv.ParseInt(u.Query().Get("expires"), 10, 64)
		if lives := time.Until(time.Unix(0, until)); err != nil || lives > 10*time.Minute || lives < 9*time.Minute {
			t.Errorf("%s of %s lives for %s: %v", in.File, in.Name, lives, err)
		}
	}
}

// A location says whether it can be used, since when that is known, and why not.
func TestLocationPhases(t *testing.T) {
	denied := &awserr.Error{Op: "list", Kind: store.ErrAccessDenied, Cause: errors.New("403 AccessDenied")}
	for name, c := range map[string]struct {
		fail   func(*memstore.Store)
		reason string
		text   string
	}{
		"well": {func(*memstore.Store) {}, "", ""},
		"empty": {func(st *memstore.Store) {
			st.Remove(layout.Backup{Name: "a"}.Metadata())
			st.Remove(layout.Backup{Name: "a"}.Tarball())
		}, "", ""},
		"no document":   {func(st *memstore.Store) { st.Remove(layout.Backup{Name: "a"}.Metadata()) }, "", ""},
		"list denied":   {func(st *memstore.Store) { st.Fail(memstore.On(memstore.OpDirs), denied) }, store.ReasonAccessDenied, "access denied"},
		"read denied":   {func(st *memstore.Store) { st.Fail(memstore.On(memstore.OpGetRange), store.ErrAccessDenied) }, store.ReasonAccessDenied, "access denied"},
		"archive tier":  {func(st *memstore.Store) { st.Fail(memstore.On(memstore.OpGetRange), store.ErrArchived) }, store.ReasonArchived, "restore-object"},
		"no bucket":     {func(st *memstore.Store) { st.Fail(memstore.Any, store.ErrNoBucket) }, store.ReasonNoBucket, "create it"},
		"something new": {func(st *memstore.Store) { st.Fail(memstore.Any, errors.New("418")) }, "", "418"},
	} {
		t.Run(name, func(t *testing.T) {
			st := repositorytest.Holding("a")
			c.fail(st)
			res, err := readerOver(repositorytest.Stores{"default": st}).Read(t.Context(), contract.ReadInput{Verb: contract.ReadLocations})
			if err != nil || len(res.Locations) != 1 {
				t.Fatalf("%+v, %v", res, err)
			}
			l := res.Locations[0]
			want := "Available"
			if c.text != "" {
				want = "Unavailable"
			}
			if l.Phase != want || l.Reason != c.reason || !strings.Contains(l.Message, c.text) || l.LastValidated == nil {
				t.Errorf("%+v", l)
			}
		})
	}
}

// TestLocationThatMayNotBeWrittenTo: no validation writes; once a check has found that no backup can be
// stored, the location is Unavailable and says why, until a validation finds that one can.
func TestLocationThatMayNotBeWrittenTo(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"denied":     {&awserr.Error{Op: "put", Kind: store.ErrAccessDenied, Cause: errors.New("403 AccessDenied")}, store.ReasonAccessDenied},
		"capability": {&awserr.Error{Op: "put", Kind: store.ErrUnsupported, Cause: errors.New("501")}, store.ReasonUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			st := repositorytest.Holding("a")
			r := readerOver(repositorytest.Stores{"default": st})
			look := func(verb, phase, reason string) {
				t.Helper()
				res, err := r.Read(t.Context(), contract.ReadInput{Verb: verb, Name: "default"})
				if err != nil || len(res.Locations) != 1 {
					t.Fatalf("%+v, %v", res, err)
				}
				if l := res.Locations[0]; l.Phase != phase || l.Reason != reason || reason != "" && !strings.Contains(l.Message, "no backup can be stored") {
					t.Errorf("%s: %+v", verb, l)
				}
			}
			before := len(st.Keys())
			st.Fail(memstore.On(memstore.OpPut), c.err)
			look(contract.ReadLocations, "Available", "")
			look(contract.ReadLocationCheck, "Available", "") // it lists the capabilities instead
			look(contract.ReadLocations, "Unavailable", c.reason)
			st.Heal()
			look(contract.ReadLocations, "Available", "")
			writes := len(st.Requests())
			look(contract.ReadLocations, "Available", "")
			for _, r := range st.Requests()[writes:] {
				if r.Op == memstore.OpPut {
					t.Errorf("a validation writes %s", r.Key)
				}
			}
			if left := len(st.Keys()); left != before {
				t.Errorf("%d keys, %d before", left, before)
			}
		})
	}
}

// Where credentials come from is told, and nothing of them.
func TestLocationCredentials(t *testing.T) {
	for want, bsl := range map[string]velerov1.BackupStorageLocationSpec{
		"the worker's own":          {},
		"file f":                    {Config: map[string]string{"credentialsFile": "f"}},
		"file f, profile p":         {Config: map[string]string{"credentialsFile": "f", "profile": "p"}},
		"profile p":                 {Config: map[string]string{"profile": "p"}},
		"Secret cloud, key of-west": {Credential: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "cloud"}, Key: "of-west"}},
	} {
		if got := credentialsOf(&velerov1.BackupStorageLocation{Spec: bsl}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
