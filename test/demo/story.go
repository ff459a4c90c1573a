package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// settleWithin is how long controllers may take after a restore until all is as
// it was.
const settleWithin = time.Minute

// story is the demo while it is told.
type story struct {
	o       options
	s       *screen
	boat    *lifeboat
	shop    *bookstore
	before  compare.State
	pods    int
	settle  time.Duration // how long the comparison waits for controllers
	started time.Time
}

// tell plays the whole story and cleans up after it.
func tell(ctx context.Context, o options, s *screen) (err error) {
	t := &story{o: o, s: s, settle: settleWithin}
	s.headline(o.title())
	bin, err := t.build(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.end(ctx, err)) }()
	if err := t.launch(ctx, bin); err != nil {
		return err
	}
	chapters := []func(context.Context) error{t.load, t.backup, t.disaster, t.restore, t.compare, t.schedule, t.prove}
	if o.Drill {
		chapters = []func(context.Context) error{t.loadDatabase, t.backUpDatabase, t.rehearseDatabase, t.drillDatabase}
	}
	for _, chapter := range chapters {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (o options) title() string {
	if o.Drill {
		return "Lifeboat: a database is backed up; a copy of it is restored beside it, looked at, and removed."
	}
	return "Lifeboat: an application is backed up, lost, restored, and compared with what it was."
}

func (t *story) build(ctx context.Context) (bin harness.Binaries, err error) {
	t.s.step("Build lifeboat and lifeboat-worker")
	t.started = time.Now()
	err = t.s.during("go build", func() error {
		bin, err = compile(ctx)
		return err
	})
	if err == nil {
		t.done("built")
	}
	return bin, err
}

// done tells how long it took since t.started.
func (t *story) done(format string, args ...any) {
	t.s.say("%s in %s", fmt.Sprintf(format, args...), lasted(time.Since(t.started)))
}

func lasted(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func (t *story) launch(ctx context.Context, bin harness.Binaries) error {
	t.s.step("Start %s", t.ingredients())
	t.started = time.Now()
	return t.s.during("start", func() error {
		stack, err := startStack(ctx, t.o, t.s)
		if err != nil {
			return err
		}
		t.boat = &lifeboat{services: stack}
		t.s.set("start lifeboat-worker")
		boat, err := startLifeboat(ctx, t.o, stack, bin)
		if boat != nil {
			t.boat = boat
		}
		if err != nil {
			return err
		}
		t.done("all are healthy")
		t.s.say("Temporal UI: %s", stack.Temporal.UI)
		return nil
	})
}

func (t *story) ingredients() string {
	if t.o.Kubeconfig != "" {
		return "an S3 server, Temporal, and a Lifeboat worker for the cluster of " + t.o.Kubeconfig
	}
	if t.o.Drill {
		return "Kubernetes with a node, simulated EBS, an S3 server, Temporal, and a Lifeboat worker (built first, if this is the first time: some minutes)"
	}
	return "Kubernetes, an S3 server, Temporal, and a Lifeboat worker (built first, if this is the first time: some minutes)"
}

// sample is the bookstore that suits the cluster.
func (t *story) sample() sample {
	if t.o.Kubeconfig == "" {
		return sample{VolumeClass: "kwok-volume"}
	}
	return sample{Foreign: true, Suffix: "-" + strings.ToLower(rand.Text()[:6])}
}

func (t *story) load(ctx context.Context) (err error) {
	if t.shop, err = newBookstore(t.boat.Kube, t.sample()); err != nil {
		return err
	}
	t.s.step("Load the bookstore into the namespaces %s and %s", t.shop.Shop(), t.shop.Data())
	t.started = time.Now()
	return t.s.during("load and wait until every Pod is Ready", func() error {
		if err := t.shop.load(ctx); err != nil {
			return err
		}
		if t.pods, err = t.shop.awaitReady(ctx); err != nil {
			return err
		}
		if t.before, err = t.shop.take(ctx); err != nil {
			return err
		}
		t.done("%d objects of %d kinds, %d Pods Ready,", len(t.before), t.before.Kinds(), t.pods)
		return nil
	})
}

func (t *story) backup(ctx context.Context) error {
	t.s.step("Back it up")
	name := t.shop.Shop()
	err := t.boat.run(ctx, t.s, "backup", "create", name, "--include-namespaces", t.shop.Shop()+","+t.shop.Data(),
		"--include-cluster-resources", "--selector", t.shop.Selector(), "--wait")
	t.s.raw(t.link(contract.BackupID(clusterName, name)))
	return err
}

// link is a workflow's page in the Temporal UI.
func (t *story) link(id string) string {
	temporal := t.boat.services.Temporal
	return temporal.UI + "/namespaces/" + temporal.Namespace + "/workflows/" + id
}

func (t *story) disaster(ctx context.Context) error {
	t.s.step("Disaster: someone runs")
	t.started = time.Now()
	if err := t.shop.remove(ctx, func(args ...string) error { return t.boat.kubectl(ctx, t.s, args...) }); err != nil {
		return err
	}
	left, err := t.shop.take(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d objects survived the disaster: %.5v", len(left), compare.Diff(left, compare.State{}))
	}
	t.done("%d of %d objects are left", len(left), len(t.before))
	return err
}

// remove deletes the bookstore and nothing else.
func (b *bookstore) remove(_ context.Context, kubectl func(args ...string) error) error {
	if err := kubectl("delete", "namespace", b.Shop(), b.Data()); err != nil {
		return err
	}
	return kubectl("delete", strings.Join(b.clusterTypes(), ","), "--selector", b.Selector())
}

func (t *story) restore(ctx context.Context) error {
	t.s.step("Restore it")
	t.started = time.Now()
	name := t.shop.Shop() + "-again"
	err := t.boat.run(ctx, t.s, "restore", "create", name, "--from-backup", t.shop.Shop(), "--wait")
	t.s.raw(t.link(contract.RestoreID(clusterName, name)))
	if err != nil {
		return err
	}
	return t.s.during("wait until every Pod is Ready", func() error {
		pods, err := t.shop.awaitReady(ctx)
		if err == nil {
			t.done("%d Pods are Ready again, all", pods)
		}
		return err
	})
}

// compare looks until all is as it was or the time to settle is over: controllers may
// still be at work.
func (t *story) compare(ctx context.Context) error {
	t.s.step("Compare before and after, object by object, field by field")
	var diff []string
	err := t.s.during("compare", func() error {
		for deadline := time.Now().Add(t.settle); ; {
			after, err := t.shop.take(ctx)
			if err != nil {
				return err
			}
			diff = compare.Diff(t.before, after)
			if len(diff) == 0 || time.Now().After(deadline) {
				return nil
			}
			if err := pause(ctx, 500*time.Millisecond); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	if len(diff) > 0 {
		t.s.say("differences: %d", len(diff))
		t.s.raw(diff...)
		return errDiffers
	}
	t.s.say("%d objects of %d kinds: none missing, none extra, none changed", len(t.before), t.before.Kinds())
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
