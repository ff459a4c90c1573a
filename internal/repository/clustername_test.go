package repository_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// locationsOf is the configuration of cluster "prod" with one location in st.
func locationsOf(st store.Store, replaces string) (*repository.Locations, *velerov1.BackupStorageLocation) {
	cfg := &config.Config{Cluster: "prod", ReplacesCluster: replaces, BackupStorageLocations: []velerov1.BackupStorageLocation{*placeAt("default", "b", "p", "")}}
	l := repository.NewLocations(cfg, func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return st, nil })
	return l, &cfg.BackupStorageLocations[0]
}

func placeAt(name, bucket, prefix, url string) *velerov1.BackupStorageLocation {
	bsl := &velerov1.BackupStorageLocation{}
	bsl.Name, bsl.Spec.ObjectStorage = name, &velerov1.ObjectStorageLocation{Bucket: bucket, Prefix: prefix}
	bsl.Spec.Config = map[string]string{"s3Url": url}
	return bsl
}

func nameOwner(t *testing.T, st *memstore.Store) repository.ClusterName {
	t.Helper()
	var owner repository.ClusterName
	data, ok := st.Object(layout.ClusterName("prod"))
	if ok && json.Unmarshal(data, &owner) != nil {
		t.Fatalf("%s", data)
	}
	return owner
}

func TestBindClusterName(t *testing.T) {
	for name, tc := range map[string]struct {
		owner, replaces string
		want, kind      string
	}{
		"nobody's":               {"", "", "mine", ""},
		"nobody's, replacing":    {"", "old", "mine", ""},
		"ours":                   {"mine", "", "mine", ""},
		"ours, replacing":        {"mine", "old", "mine", ""},
		"another's":              {"old", "", "old", contract.ErrTypeCluster},
		"another's, replaced":    {"old", "old", "mine", ""},
		"another than the named": {"old", "older", "old", contract.ErrTypeCluster},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			if tc.owner != "" {
				first, bsl := locationsOf(st, "")
				if err := first.BindClusterName(t.Context(), bsl, st, tc.owner); err != nil {
					t.Fatal(err)
				}
			}
			l, bsl := locationsOf(st, tc.replaces)
			writes := st.Count(memstore.On(memstore.OpPut))
			checked := l.CheckClusterName(t.Context(), bsl, st, "mine")
			if st.Count(memstore.On(memstore.OpPut)) != writes {
				t.Error("a look writes")
			}
			err := l.BindClusterName(t.Context(), bsl, st, "mine")
			if failure.TypeOf(err) != tc.kind || failure.TypeOf(checked) != tc.kind {
				t.Errorf("%v, looked at %v", err, checked)
			}
			if got := nameOwner(t, st); got.UID != tc.want || got.Cluster != "prod" || got.Since.IsZero() {
				t.Errorf("the name is %+v", got)
			}
			for _, words := range []string{`"prod"`, "uid old", "uid mine", "default (bucket b, prefix \"p\")", "a name of its own", "replacesCluster: old"} {
				if err != nil && !strings.Contains(err.Error(), words) {
					t.Errorf("no %q in %v", words, err)
				}
			}
		})
	}
}

// Of clusters that come at the same time one gets the name.
func TestBindClusterNameAtOnce(t *testing.T) {
	st := memstore.New()
	uids := []string{"a", "b", "c", "d", "e", "f"}
	errs := make([]error, len(uids))
	var group sync.WaitGroup
	for i, uid := range uids {
		group.Go(func() {
			l, bsl := locationsOf(st, "")
			errs[i] = l.BindClusterName(t.Context(), bsl, st, uid)
		})
	}
	group.Wait()
	for i, uid := range uids {
		if won := nameOwner(t, st).UID == uid; won != (errs[i] == nil) || !won && failure.TypeOf(errs[i]) != contract.ErrTypeCluster {
			t.Errorf("%s: won %v, %v", uid, won, errs[i])
		}
	}
}

func TestClusterNameUnreadable(t *testing.T) {
	st := memstore.New()
	l, bsl := locationsOf(st, "")
	st.Set(layout.ClusterName("prod"), []byte(`{"cluster":"prod"}`))
	if err := l.BindClusterName(t.Context(), bsl, st, "mine"); !errors.Is(err, archive.ErrCorrupt) {
		t.Errorf("without a cluster: %v", err)
	}
	st.Fail(memstore.Any, errors.New("no answer"))
	if err := l.BindClusterName(t.Context(), bsl, st, "mine"); err == nil || failure.TypeOf(err) != "" {
		t.Errorf("away: %v", err)
	}
}

func TestPlaceDigest(t *testing.T) {
	base := placeAt("default", "b", "p", "https://s3.example.com")
	same := placeAt("other", "b", "/p/", "https://s3.example.com/")
	same.Spec.Config["region"], same.Spec.Config["credentialsFile"] = "eu-west-1", "/credentials/cloud"
	if got := repository.PlaceDigest(same); got != repository.PlaceDigest(base) || len(got) != 12 {
		t.Errorf("one place: %s, %s", got, repository.PlaceDigest(base))
	}
	seen := map[string]bool{repository.PlaceDigest(base): true}
	for _, bsl := range []*velerov1.BackupStorageLocation{
		placeAt("default", "c", "p", "https://s3.example.com"), placeAt("default", "b", "q", "https://s3.example.com"),
		placeAt("default", "b", "p", "https://s3.example.org"), placeAt("default", "b", "p", ""), placeAt("default", "b", "", "https://s3.example.com"),
	} {
		if d := repository.PlaceDigest(bsl); seen[d] {
			t.Errorf("%v is another place", bsl.Spec)
		} else {
			seen[d] = true
		}
	}
}

func TestConfigurationDigest(t *testing.T) {
	of := func(all ...*velerov1.BackupStorageLocation) string {
		cfg := &config.Config{}
		for _, bsl := range all {
			cfg.BackupStorageLocations = append(cfg.BackupStorageLocations, *bsl)
		}
		return repository.ConfigurationDigest(cfg)
	}
	a, b := placeAt("a", "b", "p", ""), placeAt("b", "b", "q", "")
	if of(a, b) != of(b, a) {
		t.Error("the order matters")
	}
	if of(a, b) == of(a) || of(a, b) == of(a, placeAt("b", "b", "r", "")) || of(a, b) == of(a, placeAt("c", "b", "q", "")) {
		t.Error("different configurations are alike")
	}
}

func TestCheckPlace(t *testing.T) {
	l, bsl := locationsOf(memstore.New(), "")
	for name, tc := range map[string]struct {
		location, place string
		wrong           bool
	}{
		"the run's":                {"default", repository.PlaceDigest(bsl), false},
		"of an older worker":       {"default", "", false},
		"unknown, an older worker": {"west", "", false},
		"another":                  {"default", "0123456789ab", true},
		"not configured":           {"west", "0123456789ab", true},
	} {
		if err := l.CheckPlace(tc.location, tc.place); failure.IsWrongWorker(err) != tc.wrong || failure.TypeOf(err) != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIsOwn: a backup is one of this cluster by more than the name, which a copied configuration has, too,
// and which a rebuilt cluster takes over.
func TestIsOwn(t *testing.T) {
	made := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	owner := func(uid, replaced string, since time.Time) repository.ClusterName {
		return repository.ClusterName{Cluster: "prod", UID: uid, Replaced: replaced, Since: since}
	}
	for name, tc := range map[string]struct {
		cluster string
		owner   any
		own     bool
	}{
		"of this cluster":                {"prod", owner("mine", "", made.Add(time.Hour)), true},
		"of another name":                {"stage", owner("mine", "", made), false},
		"Velero's":                       {"", nil, true},
		"nobody has the name":            {"prod", nil, true},
		"another has the name":           {"prod", owner("theirs", "", made), false},
		"before this one took it over":   {"prod", owner("mine", "theirs", made.Add(time.Second)), false},
		"after it took it over":          {"prod", owner("mine", "theirs", made), true},
		"nobody can read who has it":     {"prod", "garbage", false},
		"of the name that it had before": {"prod", owner("theirs", "mine", made.Add(time.Hour)), false},
	} {
		st := memstore.New()
		if tc.owner != nil {
			data, _ := json.Marshal(tc.owner)
			st.Set(layout.ClusterName("prod"), data)
		}
		l, _ := locationsOf(st, "")
		own, err := l.IsOwn(t.Context(), st, archive.Manifest{Cluster: tc.cluster, Created: made}, "mine")
		if err != nil || own != tc.own {
			t.Errorf("%s: %t %v", name, own, err)
		}
	}
}
