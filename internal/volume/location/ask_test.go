package location_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

// TestUnreachableLocation: one location that does not answer holds up neither the others nor,
// for long, those who would only like to ask it.
func TestUnreachableLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, answered, tries := &config.Config{}, make(chan struct{}), 0
		for _, name := range []string{"far", "near"} {
			l := velerov1.VolumeSnapshotLocation{}
			l.Name = name
			cfg.VolumeSnapshotLocations = append(cfg.VolumeSnapshotLocations, l)
		}
		set := location.New(cfg, func(_ context.Context, l *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
			if l.Name == "far" {
				tries++
				<-answered
			}
			return &ebs.Location{}, nil
		})
		ask := func(name string) (time.Duration, error) {
			began := time.Now()
			err := set.Ask(t.Context(), name, func(context.Context, *ebs.Location) error { return nil })
			return time.Since(began), err
		}
		go func() { _, _ = ask("far") }()
		synctest.Wait()
		if took, err := ask("near"); err != nil || took > 0 {
			t.Errorf("the other one took %s: %v", took, err)
		}
		if took, err := ask("far"); err == nil || took > 15*time.Second {
			t.Errorf("took %s: %v", took, err)
		}
		if took, err := ask("far"); err == nil || took > 0 || tries != 1 {
			t.Errorf("asked again, for %s: %v, opened %d times", took, err, tries)
		}
		close(answered)
		synctest.Wait()
		time.Sleep(10 * time.Minute)
		if _, err := ask("far"); err != nil {
			t.Errorf("it answers again: %v", err)
		}
	})
}
