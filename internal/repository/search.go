package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// How long each of several locations may take to answer: one that does not hides no
// other. The first two leave the CLI, which waits for 30 s, time to show the rest. One
// that is out of reach is waited for only where nobody waits.
const (
	DocumentTimeout = 10 * time.Second // for a document
	ListTimeout     = 20 * time.Second // for all documents
	PlanTimeout     = 50 * time.Second // for all that is stored
	SearchTimeout   = time.Minute      // where nobody waits
)

// PatienceOfPlan is how long a location may take to tell what a plan of deletions needs. Somebody
// waits for a plan that nothing follows.
func PatienceOfPlan(dryRun bool) time.Duration {
	if dryRun {
		return PlanTimeout
	}
	return SearchTimeout
}

// Answer is what a storage location said to a question.
type Answer[T any] struct {
	Location *velerov1.BackupStorageLocation
	Store    store.Store
	Value    T
	Err      error
}

// Listing lists the backups of the location.
func (a Answer[T]) Listing() *Listing {
	return &Listing{Store: a.Store, ReadOnly: isReadOnly(a.Location)}
}

// AskAll puts a question to the named location, or to all of them at the same time,
// and gives their answers in the configuration's order. An error of its own is about
// the name, or the end of ctx. One that is out of reach is given up on after seconds, unless
// others may answer in its place and nobody waits.
func AskAll[T any](ctx context.Context, l *Locations, name string, patience time.Duration,
	ask func(context.Context, Answer[T]) (T, error),
) ([]Answer[T], error) {
	named, err := l.Named(name)
	if err != nil {
		return nil, err
	}
	limited := ctx
	if len(named) > 1 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	all := make([]Answer[T], len(named))
	var group sync.WaitGroup
	for i, bsl := range named {
		group.Go(func() {
			if len(named) > 1 && patience >= SearchTimeout {
				all[i] = askLocation(limited, l, bsl, ask)
			} else {
				all[i] = withReach(limited, l, bsl, func(ctx context.Context) Answer[T] { return askLocation(ctx, l, bsl, ask) })
			}
			if all[i].Err != nil && limited.Err() != nil {
				all[i].Err = fmt.Errorf("no answer within %s", patience)
			}
		})
	}
	group.Wait()
	return all, ctx.Err()
}

func askLocation[T any](ctx context.Context, l *Locations, bsl *velerov1.BackupStorageLocation, ask func(context.Context, Answer[T]) (T, error)) Answer[T] {
	a := Answer[T]{Location: bsl}
	if a.Store, a.Err = l.openStore(ctx, bsl); a.Err == nil {
		a.Value, a.Err = ask(ctx, a)
	}
	return a
}

// partition parts the locations that have what was asked for from those that could not
// tell; the others do not have it. Of several names of one place one is kept.
func partition[T any](all []Answer[T]) (have, mute []Answer[T]) {
	for _, a := range all {
		switch {
		case a.Err == nil:
			have = dropSamePlace(have, a)
		case !errors.Is(a.Err, store.ErrNotFound) && failure.TypeOf(a.Err) != contract.ErrTypeNotFound:
			mute = append(mute, a)
		}
	}
	return have, mute
}

// dropSamePlace adds a to have unless its bucket and prefix are there under another name;
// of two names the one that may be written to stays.
func dropSamePlace[T any](have []Answer[T], a Answer[T]) []Answer[T] {
	i := slices.IndexFunc(have, func(b Answer[T]) bool { return placeOf(a.Location) == placeOf(b.Location) })
	if i < 0 {
		return append(have, a)
	}
	if isReadOnly(have[i].Location) && !isReadOnly(a.Location) {
		have[i] = a
	}
	return have
}

// Query is what a search is for, in the words of its errors.
type Query struct {
	Field   string // of the input; "" where the thing's name says enough
	Thing   string // "backup "x""
	Missing string // "no backup "x"": without the place
	Remedy  string // where there is none
}

// prefix names the field that a search is for.
func (s Query) prefix() string {
	if s.Field == "" {
		return ""
	}
	return s.Field + ": "
}

// QueryByName is a backup or restore that somebody names.
func QueryByName(what, name string) Query {
	return Query{
		Thing: fmt.Sprintf("%s %q", what, name), Missing: fmt.Sprintf("no %s %q", what, name),
		Remedy: fmt.Sprintf("`lifeboat %s get` lists them", what),
	}
}

// ExactlyOne is the one location that has what was sought, and those that could not tell.
func ExactlyOne[T any](all []Answer[T], s Query) (Answer[T], []contract.UnreadLocation, error) {
	have, mute := partition(all)
	var none Answer[T]
	switch {
	case len(have) == 1:
		return have[0], unreadLocations(mute), nil
	case len(have) > 1:
		return none, nil, failure.Invalid("%s%s lies in the storage locations %s: say which one with --storage-location, or storageLocation in the input of a workflow",
			s.prefix(), s.Thing, nameList(have))
	case len(all) == 1 && len(mute) == 1:
		return none, nil, readError(mute)
	case len(mute) > 0:
		return none, nil, fmt.Errorf("%s%s in the storage locations that could be read; %w", s.prefix(), s.Missing, readError(mute))
	case len(all) == 1:
		return none, nil, failure.NotFound("%s%s in storage location %s; %s", s.prefix(), s.Missing, all[0].Location.Name, s.Remedy)
	}
	return none, nil, failure.NotFound("%s%s in any of the storage locations %s; %s", s.prefix(), s.Missing, nameList(all), s.Remedy)
}

// FindDocument looks the document of a backup or restore up in the named location, or in all:
// a location that cannot be read hides no other. Of two documents it gives none: the name
// does not say which. what is the word for it in errors, key where it lies.
func FindDocument[T any](ctx context.Context, l *Locations, location, name, what, key string) (Answer[*T], []contract.UnreadLocation, error) {
	if err := archive.ValidateBackupName(name); err != nil {
		return Answer[*T]{}, nil, failure.Invalid("name: %w", err)
	}
	all, err := AskAll(ctx, l, location, DocumentTimeout, func(ctx context.Context, a Answer[*T]) (*T, error) {
		doc := new(T)
		return doc, GetJSON(ctx, a.Store, key, doc)
	})
	if err != nil {
		return Answer[*T]{}, nil, err
	}
	return ExactlyOne(all, QueryByName(what, name))
}

func nameList[T any](all []Answer[T]) string {
	names := make([]string, 0, len(all))
	for _, a := range all {
		names = append(names, a.Location.Name)
	}
	return strings.Join(names, ", ")
}

// readError is the error of locations that could not tell. It is of no kind, so that it
// is tried again, if that may mend any of them.
func readError[T any](mute []Answer[T]) error {
	passes := slices.ContainsFunc(mute, func(a Answer[T]) bool { return failure.TypeOf(a.Err) == "" })
	errs := make([]error, 0, len(mute))
	for _, a := range mute {
		err := fmt.Errorf("storage location %s: %w", a.Location.Name, a.Err)
		if passes && failure.TypeOf(a.Err) != "" {
			err = errors.New(err.Error())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func unreadLocations[T any](mute []Answer[T]) []contract.UnreadLocation {
	var out []contract.UnreadLocation
	for _, a := range mute {
		out = append(out, contract.UnreadLocation{Name: a.Location.Name, Message: a.Err.Error()})
	}
	return out
}

// JoinRows joins the rows of all locations. It fails only if none could be read.
func JoinRows[T any](all []Answer[[]T], what string) ([]T, []contract.UnreadLocation, error) {
	have, mute := partition(all)
	if len(have) == 0 && len(mute) > 0 {
		return nil, nil, fmt.Errorf("list %s: %w", what, readError(mute))
	}
	var rows []T
	for _, a := range have {
		rows = append(rows, a.Value...)
	}
	return rows, unreadLocations(mute), nil
}
