package repository_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// mute is a store whose requests are never answered.
type mute struct{ *memstore.Store }

func (mute) Dirs(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A store that is out of reach is named, with the cause, before somebody has waited for 5 s,
// however long its requests would be tried; one that is only slow is waited for.
func TestOutOfReach(t *testing.T) {
	refused := errors.New("dial tcp 192.0.2.1:443: connection refused")
	for name, tc := range map[string]struct {
		probe    store.Store
		err      error
		patience time.Duration
		want     string
	}{
		"refused":        {nil, refused, repository.ListTimeout, refused.Error()},
		"silent":         {mute{}, nil, repository.ListTimeout, "the object store does not answer within 3s"},
		"only slow":      {memstore.New(), nil, repository.ListTimeout, ""},
		"a plan waits":   {nil, refused, repository.PatienceOfPlan(false), ""},
		"somebody waits": {nil, refused, repository.PatienceOfPlan(true), refused.Error()},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := &config.Config{Cluster: "prod", BackupStorageLocations: []velerov1.BackupStorageLocation{*placeAt("default", "b", "p", ""), *placeAt("other", "b", "q", "")}}
			l := repository.NewLocations(cfg, func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return memstore.New(), nil }).
				WithProbe(func(context.Context, velerov1.BackupStorageLocation) (store.Store, error) { return tc.probe, tc.err })
			began := time.Now()
			all, err := repository.AskAll(t.Context(), l, "", tc.patience, func(ctx context.Context, _ repository.Answer[contract.Nothing]) (contract.Nothing, error) {
				select {
				case <-ctx.Done():
					return contract.Nothing{}, ctx.Err()
				case <-time.After(15 * time.Second):
					return contract.Nothing{}, nil
				}
			})
			if err != nil || len(all) != 2 {
				t.Fatalf("%v %v", all, err)
			}
			switch took := time.Since(began); {
			case tc.want == "" && all[0].Err != nil:
				t.Errorf("%s: %v", name, all[0].Err)
			case tc.want != "" && (all[0].Err == nil || all[0].Err.Error() != tc.want || took >= 5*time.Second):
				t.Errorf("%s: %v after %s, want %s", name, all[0].Err, took, tc.want)
			}
		})
	}
}
