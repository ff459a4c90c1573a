package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// silence is how long nobody is told what a command waits for.
const silence = 2 * time.Second

// sayWaiting says on stderr what is waited for, unless the function that it returns is called
// before the silence is over.
func (con *Console) sayWaiting(what string) (answered func()) {
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		select {
		case <-done:
		case <-time.After(con.Silence):
			con.Note("waiting for %s\n", what)
		}
	}()
	return func() { close(done); <-told }
}

// telling is a Backend that says what it waits for.
type telling struct {
	Backend
	con *Console
}

func (t telling) worker(what string) func() {
	return t.con.sayWaiting("the worker of cluster " + t.Cluster() + " to answer: " + what)
}

func (t telling) temporal() func() {
	return t.con.sayWaiting("Temporal at " + t.Address() + ", or for a worker of cluster " + t.Cluster() + " to ask it for work")
}

func (t telling) RequireAnswer(ctx context.Context) error {
	defer t.con.sayWaiting("a worker of cluster " + t.Cluster() + " to answer")()
	return t.Backend.RequireAnswer(ctx)
}

func (t telling) Sample(ctx context.Context, run temporal.Run) (temporal.Sample, error) {
	defer t.worker("how far the " + run.Kind.Noun() + " is")()
	return t.Backend.Sample(ctx, run)
}

func (t telling) Read(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	defer t.worker(in.Verb)()
	res, err := t.Backend.Read(ctx, in)
	if errors.Is(err, temporal.ErrNotFound) && (in.Verb == contract.ReadBackupURL || in.Verb == contract.ReadBackupDiff) {
		err = t.unfinished(ctx, err, in.Name, in.To)
	}
	return res, err
}

// unfinished is the reason why there is no backup of these names, where one of them is being taken:
// it is listed as a backup, and has no files yet.
func (t telling) unfinished(ctx context.Context, missing error, names ...string) error {
	for _, name := range names {
		if name == "" {
			continue
		}
		if state, err := t.Backend.Latest(ctx, temporal.KindBackup, name); err == nil && state.Running {
			return fmt.Errorf("backup %q is %s: %w among what is stored until it ends; wait for it: lifeboat backup wait %s", name, state.Phase, temporal.ErrNotFound, name)
		}
	}
	return missing
}

func (t telling) Backups(ctx context.Context, selector, location string) (temporal.Listing[contract.BackupSummary], error) {
	defer t.worker(contract.ReadBackups)()
	return t.Backend.Backups(ctx, selector, location)
}

func (t telling) Restores(ctx context.Context, selector, location string) (temporal.Listing[contract.RestoreSummary], error) {
	defer t.worker(contract.ReadRestores)()
	return t.Backend.Restores(ctx, selector, location)
}

func (t telling) StartBackup(ctx context.Context, in contract.BackupInput) (temporal.Run, error) {
	defer t.temporal()()
	return t.Backend.StartBackup(ctx, in)
}

func (t telling) StartRestore(ctx context.Context, in contract.RestoreInput) (temporal.Run, error) {
	defer t.temporal()()
	return t.Backend.StartRestore(ctx, in)
}

func (t telling) StartDelete(ctx context.Context, in contract.DeleteBackupInput) (temporal.Run, error) {
	defer t.temporal()()
	return t.Backend.StartDelete(ctx, in)
}

func (t telling) Latest(ctx context.Context, kind temporal.Kind, name string) (temporal.State, error) {
	defer t.temporal()()
	return t.Backend.Latest(ctx, kind, name)
}

func (t telling) Runs(ctx context.Context, kind temporal.Kind) ([]temporal.State, error) {
	defer t.temporal()()
	return t.Backend.Runs(ctx, kind)
}
