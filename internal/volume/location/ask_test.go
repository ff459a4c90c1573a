package location_test

import (
	"context"
	"errors"
	"slices"
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
		answered, tries := make(chan struct{}), 0
		set := location.New(locationsNamed("far", "near"), func(_ context.Context, l *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
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

// TestAskEach: the locations are asked in the order of the configuration until one has told enough,
// and each that was not heard is told.
func TestAskEach(t *testing.T) {
	refused := errors.New("refused")
	for name, tc := range map[string]struct {
		enough  string // the location after which nobody else is asked
		cancel  string // the location that is asked when the context ends
		asked   []string
		unheard []string
		err     error
	}{
		"all":       {asked: []string{"east", "shut", "west"}, unheard: []string{"shut"}},
		"enough":    {enough: "east", asked: []string{"east"}},
		"cancelled": {cancel: "shut", asked: []string{"east", "shut"}, err: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			set := location.New(locationsNamed("east", "shut", "west"), func(context.Context, *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
				return &ebs.Location{}, nil
			})
			var asked, unheard []string
			all, err := set.AskEach(ctx, func(_ context.Context, name string, _ *ebs.Location) (bool, error) {
				asked = append(asked, name)
				if name == tc.cancel {
					cancel()
				}
				if name == "shut" {
					return false, refused
				}
				return name == tc.enough, nil
			})
			for _, u := range all {
				if unheard = append(unheard, u.Location); !errors.Is(u.Err, refused) {
					t.Errorf("%s: %v", u.Location, u.Err)
				}
			}
			if !errors.Is(err, tc.err) || !slices.Equal(asked, tc.asked) || !slices.Equal(unheard, tc.unheard) {
				t.Errorf("asked %v, not heard %v, %v", asked, unheard, err)
			}
		})
	}
}

// locationsNamed is a configuration with locations of these names.
func locationsNamed(names ...string) *config.Config {
	cfg := &config.Config{}
	for _, name := range names {
		l := velerov1.VolumeSnapshotLocation{}
		l.Name = name
		cfg.VolumeSnapshotLocations = append(cfg.VolumeSnapshotLocations, l)
	}
	return cfg
}
