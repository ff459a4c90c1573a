package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
)

// How often a worker looks whether it reaches what its runs need, and how long one look may take.
const (
	reachPeriod  = 2 * time.Minute
	reachTimeout = 10 * time.Second
)

// reach tells in the worker's log what it reaches and what not, and why: one line each, at the
// start and when it changes.
type reach struct {
	kube       *kube.Client
	drillKey   func(context.Context) (ed25519.PrivateKey, error) // nil where none is configured
	reader     *catalog.Reader
	attributes *temporal.Attributes
	log        *slog.Logger
	causes     map[string]string // why it cannot be used, "" where it can, by what it is
}

// watch looks again and again until the end of ctx.
func (r *reach) watch(ctx context.Context) {
	for poll.Wait(ctx, reachPeriod) == nil {
		r.look(ctx)
	}
}

func (r *reach) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	err := r.kube.Ping(ctx)
	r.tell(ctx, "API server", failure.Text(err))
	if err == nil {
		missing, err := missingPermissions(ctx, r.kube)
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("the worker may not: %s; what it may not is missing in backups and restores", strings.Join(missing, ", "))
		}
		r.tell(ctx, "permissions in the cluster", failure.Text(err))
	}
	locations, err := r.reader.Read(ctx, contract.ReadInput{Verb: contract.ReadLocations})
	if err != nil {
		r.tell(ctx, "storage locations", err.Error())
	}
	for _, l := range locations.Locations {
		r.tell(ctx, "storage location "+l.Name, l.Message)
	}
	snapshots, err := r.reader.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	if err != nil {
		r.tell(ctx, "snapshot locations", err.Error())
	}
	for _, l := range snapshots.SnapshotLocations {
		r.tell(ctx, "snapshot location "+l.Name, r.snapshotCause(ctx, l.Name))
	}
	r.lookForKey(ctx)
	r.attributes.Look(ctx)
}

// lookForKey reads the key that drills are signed with, so that a wrong name of a Secret is not first
// told by the drill of the quarter.
func (r *reach) lookForKey(ctx context.Context) {
	if r.drillKey == nil {
		return
	}
	_, err := r.drillKey(ctx)
	if err != nil {
		err = fmt.Errorf("%w; no drill runs without it: make one with 'lifeboat drill keygen' and name it in drills.signingKey", err)
	}
	r.tell(ctx, "key for the evidence of drills", failure.Text(err))
}

// snapshotCause is why a snapshot location cannot be used, "" if it can.
func (r *reach) snapshotCause(ctx context.Context, name string) string {
	res, err := r.reader.Read(ctx, contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: name})
	if err != nil {
		return err.Error()
	}
	return res.SnapshotLocations[0].Message
}

// tell tells what has changed. A look that was cut short by the worker's end tells nothing.
func (r *reach) tell(ctx context.Context, what, cause string) {
	before, known := r.causes[what]
	if known && before == cause || errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	r.causes[what] = cause
	if cause == "" {
		r.log.Info("can be used", "what", what)
		return
	}
	r.log.Error("cannot be used", "what", what, "cause", cause)
}

// missingPermissions are what the worker may not do in the cluster of what its runs need: to
// read and write every type, and to run hooks in pods.
func missingPermissions(ctx context.Context, kc *kube.Client) ([]string, error) {
	var missing []string
	for _, p := range [][3]string{
		{"list", "*", "*"}, {"get", "*", "*"}, {"create", "*", "*"}, {"patch", "*", "*"}, {"create", "", "pods/exec"},
	} {
		allowed, err := kc.May(ctx, p[0], p[1], p[2])
		if err != nil {
			return nil, err
		}
		if !allowed {
			missing = append(missing, p[0]+" "+strings.ReplaceAll(p[2], "*", "every type"))
		}
	}
	return missing, nil
}
