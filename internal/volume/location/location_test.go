package location_test

import (
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
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

func TestChooseSnapshotLocation(t *testing.T) {
	for name, tt := range map[string]struct {
		have, ask []string
		want, err string
	}{
		"none configured":        {nil, nil, "", ""},
		"the only one":           {[]string{"a"}, nil, "a", ""},
		"named":                  {[]string{"a", "b"}, []string{"b"}, "b", ""},
		"several and none named": {[]string{"a", "b"}, nil, "", "spec.volumeSnapshotLocations: required, since there are several locations; name one of a, b"},
		"unknown":                {[]string{"a", "b"}, []string{"x"}, "", `spec.volumeSnapshotLocations[0]: no location "x"; known are a, b`},
		"unknown among none":     {nil, []string{"x"}, "", `spec.volumeSnapshotLocations[0]: no location "x"; none is configured`},
		"two of one provider":    {[]string{"a", "b"}, []string{"a", "b"}, "", "spec.volumeSnapshotLocations[1]: "},
	} {
		got, err := snapshotLocations(tt.have...).Choose(tt.ask)
		switch {
		case got != tt.want:
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)):
			t.Errorf("%s: error %v, want %q", name, err, tt.err)
		case err != nil && failure.TypeOf(err) != contract.ErrTypeInvalid:
			t.Errorf("%s: kind %q", name, failure.TypeOf(err))
		}
	}
}

func TestGetUnknownSnapshotLocation(t *testing.T) {
	_, _, err := snapshotLocations("a").Get(t.Context(), "b")
	if failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), `no location "b"; known are a`) {
		t.Errorf("got %v", err)
	}
}
