package backup

import (
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

func snapshotLocations(names ...string) *location.Set {
	cfg := &config.Config{}
	for _, name := range names {
		l := velerov1.VolumeSnapshotLocation{}
		l.Name, l.Spec.Provider, l.Spec.Config = name, "aws", map[string]string{"region": "eu-west-1"}
		cfg.VolumeSnapshotLocations = append(cfg.VolumeSnapshotLocations, l)
	}
	return location.New(cfg, location.OpenEBS(cfg, nil))
}

// TestSnapshotLocationOfABackup: a policy that asks for snapshots is given a location
// also where the spec turns snapshots off.
func TestSnapshotLocationOfABackup(t *testing.T) {
	on, off := true, false
	asks, skips := "version: v1\nvolumePolicies: [{action: {type: snapshot}}]", "version: v1\nvolumePolicies: [{action: {type: skip}}]"
	for name, tc := range map[string]struct {
		spec     velerov1.BackupSpec
		policies string
		want     string
	}{
		"by default":                {want: "a"},
		"on":                        {spec: velerov1.BackupSpec{SnapshotVolumes: &on}, want: "a"},
		"off":                       {spec: velerov1.BackupSpec{SnapshotVolumes: &off}},
		"off, and named":            {spec: velerov1.BackupSpec{SnapshotVolumes: &off, VolumeSnapshotLocations: []string{"a"}}, want: "a"},
		"off, and a policy asks":    {spec: velerov1.BackupSpec{SnapshotVolumes: &off}, policies: asks, want: "a"},
		"off, and a policy skips":   {spec: velerov1.BackupSpec{SnapshotVolumes: &off}, policies: skips},
		"by default, a policy asks": {policies: asks, want: "a"},
	} {
		var policies *volume.Policies
		if tc.policies != "" {
			var err error
			if policies, err = volume.ParsePolicies([]byte(tc.policies)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := (&Service{Snapshots: snapshotLocations("a")}).snapshotLocation(&tc.spec, policies)
		if got != tc.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestSnapshotLocationsWithoutConfiguration: Velero's server fills in its default location
// also where none is configured.
func TestSnapshotLocationsWithoutConfiguration(t *testing.T) {
	spec := velerov1.BackupSpec{VolumeSnapshotLocations: []string{"default"}}
	got, err := (&Service{Snapshots: snapshotLocations()}).snapshotLocation(&spec, nil)
	if got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (&Service{Snapshots: snapshotLocations("a")}).snapshotLocation(&spec, nil); failure.TypeOf(err) != contract.ErrTypeInvalid {
		t.Errorf("an unknown location beside a known one: %v", err)
	}
}

// TestUnavailableGroups: a group that does not answer is an error where the backup may want
// its objects.
func TestUnavailableGroups(t *testing.T) {
	resolve := func(name string) (filter.Type, bool) { return filter.Type{GroupResource: name, Namespaced: true}, name != "bogus" }
	for name, tc := range map[string]struct {
		spec  velerov1.BackupSpec
		group string
		want  report.Phase
	}{
		"everything":              {velerov1.BackupSpec{}, "g.example.com", report.PartiallyFailed},
		"metrics":                 {velerov1.BackupSpec{}, "metrics.k8s.io", report.Completed},
		"metrics of an adapter":   {velerov1.BackupSpec{}, "external.metrics.k8s.io", report.Completed},
		"known types":             {velerov1.BackupSpec{IncludedResources: []string{"pods"}}, "g.example.com", report.Completed},
		"known types by scope":    {velerov1.BackupSpec{IncludedNamespaceScopedResources: []string{"pods"}}, "g.example.com", report.Completed},
		"an unknown one":          {velerov1.BackupSpec{IncludedResources: []string{"pods", "bogus"}}, "g.example.com", report.PartiallyFailed},
		"a glob":                  {velerov1.BackupSpec{IncludedResources: []string{"pods", "*.example.com"}}, "g.example.com", report.PartiallyFailed},
		"all of the cluster's":    {velerov1.BackupSpec{IncludedNamespaceScopedResources: []string{"pods"}, IncludedClusterScopedResources: []string{"*"}}, "g.example.com", report.PartiallyFailed},
		"types that are excluded": {velerov1.BackupSpec{ExcludedResources: []string{"pods"}}, "g.example.com", report.PartiallyFailed},
	} {
		f, reasons, err := filter.NewBackup(&tc.spec, resolve, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := unavailableGroups([]kube.GroupFailure{{Group: tc.group, Version: "v1", Reason: "no endpoints"}}, f, reasons)
		if len(got) != 1 || report.PhaseOf(got) != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
