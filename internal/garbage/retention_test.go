package garbage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// What is said of a backup lies beside it and adds up; what is not said stays.
func TestSetRetention(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	r := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	hold, second, expires, release := "audit", "a case", day(9), ""
	for _, step := range []struct {
		in   contract.SetRetentionInput
		want contract.RetentionResult
	}{
		{contract.SetRetentionInput{Hold: &hold}, contract.RetentionResult{Hold: "audit", Expires: day(2)}},
		{contract.SetRetentionInput{Expires: &expires}, contract.RetentionResult{Hold: "audit", Expires: day(9)}},
		{contract.SetRetentionInput{Hold: &second}, contract.RetentionResult{Hold: "audit; a case", Expires: day(9)}},
		{contract.SetRetentionInput{Hold: &hold}, contract.RetentionResult{Hold: "audit; a case", Expires: day(9)}},
		{contract.SetRetentionInput{Hold: &release}, contract.RetentionResult{Expires: day(9)}},
	} {
		step.in.Name, step.want.Name, step.want.Location = "a", "a", "default"
		if got, err := r.SetRetention(t.Context(), step.in); err != nil || got != step.want {
			t.Errorf("%+v, %v; want %+v", got, err, step.want)
		}
	}
	said, err := beside.ReadRetention(t.Context(), st, "a", "uid-a")
	if err != nil || said.Hold != "" || !said.Expires.Equal(day(9)) {
		t.Errorf("stored %+v, %v", said, err)
	}
}

// A worker changes what another cluster made where that cluster is named, and what Velero made.
func TestSetRetentionOfAnotherCluster(t *testing.T) {
	st := memstore.New()
	put(t, st, "theirs", "", "gone", 1)
	put(t, st, "veleros", "", "", 1)
	r := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(repositorytest.Stores{"default": st})}
	hold := "audit"
	for _, in := range []contract.SetRetentionInput{{Name: "theirs", Cluster: "gone", Hold: &hold}, {Name: "veleros", Hold: &hold}} {
		if got, err := r.SetRetention(t.Context(), in); err != nil || got.Hold != hold {
			t.Errorf("%s: %+v, %v", in.Name, got, err)
		}
	}
}

// TestSetRetentionUnderALock: a lock on every file of a backup keeps nobody from holding it, from
// letting it go and from changing its time, which the plan goes by.
func TestSetRetentionUnderALock(t *testing.T) {
	st := memstore.New()
	put(t, st, "a", "", "prod", 1)
	for _, key := range st.Keys() {
		st.Lock(key, store.ErrLocked)
	}
	before := st.Keys()
	locations := repositorytest.Stores{"default": st}
	r := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(locations)}
	hold, release, later, at := "audit", "", day(30), day(15)
	for _, step := range []struct {
		in   contract.SetRetentionInput
		want string // the plan of the 20th
	}{
		{contract.SetRetentionInput{Hold: &hold}, "default/a stays: held: audit"},
		{contract.SetRetentionInput{Hold: &release, Expires: &later}, ""},
		{contract.SetRetentionInput{Expires: &at}, "default/a"},
	} {
		step.in.Name = "a"
		if _, err := r.SetRetention(t.Context(), step.in); err != nil {
			t.Fatal(err)
		}
		if got := textOf(plan(t, retention.Policy{}, day(20), locations)); got != step.want {
			t.Errorf("%+v: plan %q, want %q", step.in, got, step.want)
		}
	}
	if left := slices.DeleteFunc(st.Keys(), func(key string) bool {
		return key == layout.RetentionKey("a") || strings.HasPrefix(key, layout.CatalogRoot)
	}); !slices.Equal(left, before) {
		t.Errorf("keys %q, before %q", left, before)
	}
}

// What is refused changes nothing.
func TestSetRetentionRefused(t *testing.T) {
	hold, most, long := "audit", strings.Repeat("x", 200), strings.Repeat("x", 300)
	away := repositorytest.Holding()
	away.Fail(memstore.On(memstore.OpGet), store.ErrUnavailable)
	for name, c := range map[string]struct {
		in     contract.SetRetentionInput
		others repositorytest.Stores
		kind   string
		text   string
	}{
		"nothing to change":         {contract.SetRetentionInput{Name: "a"}, nil, contract.ErrTypeInvalid, "say what to change"},
		"a long one beside another": {contract.SetRetentionInput{Name: "held", Hold: &most}, nil, contract.ErrTypeInvalid, "with those for which backup held is held already"},
		"a long reason":             {contract.SetRetentionInput{Name: "a", Hold: &long}, nil, contract.ErrTypeInvalid, "hold: the reason has 300 bytes"},
		"no such backup":            {contract.SetRetentionInput{Name: "b", Hold: &hold}, nil, contract.ErrTypeNotFound, `no backup "b"`},
		"no name":                   {contract.SetRetentionInput{Name: "../a", Hold: &hold}, nil, contract.ErrTypeInvalid, "name: "},
		"two of the name":           {contract.SetRetentionInput{Name: "a", Hold: &hold}, repositorytest.Stores{"west": repositorytest.Holding("a")}, contract.ErrTypeInvalid, "lies in the storage locations default, west"},
		"beside an unreadable one":  {contract.SetRetentionInput{Name: "a", Hold: &hold}, repositorytest.Stores{"west": nil}, contract.ErrTypeLocation, "may have another backup of the name"},
		"another cluster's":         {contract.SetRetentionInput{Name: "theirs", Hold: &hold}, nil, contract.ErrTypeDenied, "is of cluster other and not of prod: if that is the one you mean, repeat the command with --cluster other"},
		"not of the cluster meant":  {contract.SetRetentionInput{Name: "a", Cluster: "other", Hold: &hold}, nil, contract.ErrTypeDenied, "is of cluster prod and not of other"},
		"none beside an outage":     {contract.SetRetentionInput{Name: "b", Hold: &hold}, repositorytest.Stores{"west": away}, contract.ErrTypeLocation, "say in which location it lies with --storage-location"},
	} {
		t.Run(name, func(t *testing.T) {
			st := memstore.New()
			put(t, st, "a", "", "prod", 1)
			put(t, st, "theirs", "", "other", 1)
			put(t, st, "held", "", "prod", 1)
			st.Set(layout.RetentionKey("held"), []byte(`{"name":"held","uid":"uid-held","hold":"audit"}`))
			stores := repositorytest.Stores{"default": st}
			for name, other := range c.others {
				stores[name] = other
			}
			r := garbage.Runner{Cluster: "prod", Locations: repositorytest.Locations(stores)}
			_, err := r.SetRetention(t.Context(), c.in)
			if failure.TypeOf(err) != c.kind || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s %v, want %s %s", failure.TypeOf(err), err, c.kind, c.text)
			}
			if st.Has(layout.RetentionKey("a")) || st.Has(layout.RetentionKey("theirs")) {
				t.Error("something was written")
			}
		})
	}
}
