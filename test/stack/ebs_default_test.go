package stack

import (
	"slices"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// TestVolumesAreStrictByDefault: what a stack has without being asked for more is as slow as AWS and
// the charts ship it, under both names of the driver; the fast settings are one option.
func TestVolumesAreStrictByDefault(t *testing.T) {
	for _, c := range []struct {
		o          Options
		drivers    []string
		visibility time.Duration
		isFast     bool
	}{
		{Options{EBS: true}, []string{ebsDriver, ebsDriverAuto}, ebssim.Published().Visibility.D(), false},
		{Options{EBS: true, EBSFast: true}, []string{ebsDriver}, 0, true},
		{Options{EBS: true, EBSFast: true, EBSAuto: true}, []string{ebsDriver, ebsDriverAuto}, 0, true},
	} {
		o, err := defaultEBS(c.o.EBSOptions, c.o.EBSFast)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.o.ebsDrivers(); !slices.Equal(got, c.drivers) {
			t.Errorf("%+v: drivers %s", c.o, got)
		}
		if got := o.Limits.Visibility.D(); got != c.visibility || !c.isFast && got < time.Second {
			t.Errorf("%+v: what is made shows after %s", c.o, got)
		}
		isPatient := slices.Contains(c.o.snapshotterRates(), "--retry-interval-max=30m") && len(c.o.snapshotControllerRates()) == 0
		if isPatient == c.isFast || !slices.Contains(o.Zones, ebsRegion+"-bos-1a") {
			t.Errorf("%+v: %q, %q, %q", c.o, c.o.snapshotterRates(), c.o.snapshotControllerRates(), o.Zones)
		}
	}
}
