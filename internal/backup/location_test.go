package backup

import (
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
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
