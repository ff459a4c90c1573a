package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// How long each of several locations may take to answer: one that does not hides no
// other. The first two leave the CLI, which waits for 30 s, time to show the rest.
const (
	lookPatience   = 10 * time.Second // for a document
	listPatience   = 20 * time.Second // for all documents
	searchPatience = time.Minute      // where nobody waits
)

// reply is what a storage location said to a question.
type reply[T any] struct {
	bsl   *velerov1.BackupStorageLocation
	st    store.Store
	value T
	err   error
}

// askAll puts a question to the named location, or to all of them at the same time,
// and gives their answers in the configuration's order. An error of its own is about
// the name, or the end of ctx.
func askAll[T any](ctx context.Context, l *Locations, name string, patience time.Duration,
	ask func(context.Context, reply[T]) (T, error),
) ([]reply[T], error) {
	named, err := l.named(name)
	if err != nil {
		return nil, err
	}
	limited := ctx
	if len(named) > 1 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	all := make([]reply[T], len(named))
	var group sync.WaitGroup
	for i, bsl := range named {
		group.Go(func() {
			all[i] = askOne(limited, l, bsl, ask)
			if all[i].err != nil && limited.Err() != nil {
				all[i].err = fmt.Errorf("no answer within %s", patience)
			}
		})
	}
	group.Wait()
	return all, ctx.Err()
}

func askOne[T any](ctx context.Context, l *Locations, bsl *velerov1.BackupStorageLocation, ask func(context.Context, reply[T]) (T, error)) reply[T] {
	a := reply[T]{bsl: bsl}
	if a.st, a.err = l.store(ctx, bsl); a.err == nil {
		a.value, a.err = ask(ctx, a)
	}
	return a
}

// sift parts the locations that have what was asked for from those that could not
// tell; the others do not have it. Of several names of one place one is kept.
func sift[T any](all []reply[T]) (have, mute []reply[T]) {
	for _, a := range all {
		switch {
		case a.err == nil:
			have = keepPlace(have, a)
		case !errors.Is(a.err, store.ErrNotFound) && kindOf(a.err) != contract.ErrTypeNotFound:
			mute = append(mute, a)
		}
	}
	return have, mute
}

// keepPlace adds a to have unless its bucket and prefix are there under another name;
// of two names the one that may be written to stays.
func keepPlace[T any](have []reply[T], a reply[T]) []reply[T] {
	i := slices.IndexFunc(have, func(b reply[T]) bool { return place(a.bsl) == place(b.bsl) })
	if i < 0 {
		return append(have, a)
	}
	if isReadOnly(have[i].bsl) && !isReadOnly(a.bsl) {
		have[i] = a
	}
	return have
}

// place tells the buckets and prefixes of locations apart.
func place(bsl *velerov1.BackupStorageLocation) [3]string {
	o := bsl.Spec.ObjectStorage
	if o == nil {
		return [3]string{"", "", bsl.Name}
	}
	return [3]string{strings.TrimSuffix(bsl.Spec.Config["s3Url"], "/"), o.Bucket, strings.Trim(o.Prefix, "/")}
}

// sought is what a search is for, in the words of its errors.
type sought struct {
	field   string // of the input
	thing   string // "backup "x""
	missing string // "no backup "x"": without the place
	remedy  string // where there is none
}

// soughtByName is a backup or restore that somebody names.
func soughtByName(what, name string) sought {
	return sought{
		field: "name", thing: fmt.Sprintf("%s %q", what, name), missing: fmt.Sprintf("no %s %q", what, name),
		remedy: fmt.Sprintf("`lifeboat %s get` lists them", what),
	}
}

// single is the one location that has what was sought, and those that could not tell.
func single[T any](all []reply[T], s sought) (reply[T], []contract.UnreadLocation, error) {
	have, mute := sift(all)
	var none reply[T]
	switch {
	case len(have) == 1:
		return have[0], unread(mute), nil
	case len(have) > 1:
		return none, nil, invalid("%s: %s lies in the storage locations %s: say which one with --storage-location, or storageLocation in the input of a workflow",
			s.field, s.thing, nameList(have))
	case len(all) == 1 && len(mute) == 1:
		return none, nil, silence(mute)
	case len(mute) > 0:
		return none, nil, fmt.Errorf("%s: %s in the storage locations that could be read; %w", s.field, s.missing, silence(mute))
	case len(all) == 1:
		return none, nil, notFound("%s: %s in storage location %s; %s", s.field, s.missing, all[0].bsl.Name, s.remedy)
	}
	return none, nil, notFound("%s: %s in any of the storage locations %s; %s", s.field, s.missing, nameList(all), s.remedy)
}

func nameList[T any](all []reply[T]) string {
	names := make([]string, 0, len(all))
	for _, a := range all {
		names = append(names, a.bsl.Name)
	}
	return strings.Join(names, ", ")
}

// silence is the error of locations that could not tell. It is of no kind, so that it
// is tried again, if that may mend any of them.
func silence[T any](mute []reply[T]) error {
	passes := slices.ContainsFunc(mute, func(a reply[T]) bool { return kindOf(a.err) == "" })
	errs := make([]error, 0, len(mute))
	for _, a := range mute {
		err := fmt.Errorf("storage location %s: %w", a.bsl.Name, a.err)
		if passes && kindOf(a.err) != "" {
			err = errors.New(err.Error())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func unread[T any](mute []reply[T]) []contract.UnreadLocation {
	var out []contract.UnreadLocation
	for _, a := range mute {
		out = append(out, contract.UnreadLocation{Name: a.bsl.Name, Message: a.err.Error()})
	}
	return out
}

// gather joins the rows of all locations. It fails only if none could be read.
func gather[T any](all []reply[[]T], what string) ([]T, []contract.UnreadLocation, error) {
	have, mute := sift(all)
	if len(have) == 0 && len(mute) > 0 {
		return nil, nil, fmt.Errorf("list %s: %w", what, silence(mute))
	}
	var rows []T
	for _, a := range have {
		rows = append(rows, a.value...)
	}
	return rows, unread(mute), nil
}
