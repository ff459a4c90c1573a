package repository_test

import (
	"context"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// A location that hangs is given up on, and answers that came in time are kept.
func TestSlowLocation(t *testing.T) {
	l := repositorytest.Locations(repositorytest.Stores{"default": repositorytest.Holding("a"), "empty": repositorytest.Holding(), "slow": repositorytest.Holding()})
	all, err := repository.AskAll(t.Context(), l, "", 50*time.Millisecond, func(ctx context.Context, r repository.Answer[store.Info]) (store.Info, error) {
		if r.Location.Name == "slow" {
			<-ctx.Done()
			return store.Info{}, ctx.Err()
		}
		return r.Store.Head(ctx, layout.Backup{Name: "a"}.Metadata())
	})
	if err != nil {
		t.Fatal(err)
	}
	found, unread, err := repository.ExactlyOne(all, repository.QueryByName("backup", "a"))
	if err != nil || found.Location.Name != "default" || len(unread) != 1 || unread[0].Message != "no answer within 50ms" {
		t.Errorf("%+v %v %v", found.Location, unread, err)
	}
}
