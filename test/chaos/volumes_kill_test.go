//go:build stack

package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// controllersTake is how long the cluster's controllers may take for what a run leaves
// to them.
const controllersTake = 30 * time.Second

// usualVolumes is an undisturbed backup of the lane's volumes, made at first use.
func (l *lane) usualVolumes(ctx context.Context, path string) (*usual, error) {
	if err := l.withVolumes(ctx); err != nil {
		return nil, err
	}
	if u := l.disks.usual[path]; u != nil {
		return u, nil
	}
	name, _ := l.names("backup")
	l.hideDisks(name)
	var res contract.BackupResult
	t, err := l.record(ctx, l.startBackup(name, l.volumeSpec(path)), &res)
	if err != nil {
		return nil, err
	}
	o, err := l.volumeOutcome(ctx, name)
	if err == nil && len(o.Infos) != len(l.disks.byClaim) {
		err = fmt.Errorf("%d volumes in the backup", len(o.Infos))
	}
	if err := errors.Join(err, l.sameVolumes(ctx, name, o, res)); err != nil {
		return nil, fmt.Errorf("undisturbed %s backup: %w", path, err)
	}
	l.disks.usual[path] = &usual{t, o}
	return l.disks.usual[path], nil
}

// hideDisks hides what differs between lanes from signatures.
func (l *lane) hideDisks(name string) {
	l.rename(l.diskSpace(), "DISKS", l.spareSpace(), "SPARE", name, "NAME", bulk, "BULK", l.name, "LANE")
}

// volumePoint finds a point in the lane's own undisturbed run, since what comes before
// a request may differ from lane to lane.
type volumePoint struct {
	name string
	find func(*trace) (point, error)
}

// edge is the first or the last request of an activity that no other activity makes.
func edge(activity string, last bool, moment Moment) volumePoint {
	where := map[bool]string{false: "start", true: "end"}[last]
	return volumePoint{fmt.Sprintf("%s %s of %s", moment, where, activity), func(t *trace) (point, error) {
		for _, s := range t.spans {
			var own []Call
			for _, c := range t.within(s) {
				if !strings.HasSuffix(c.Sig, "/plan.json") && !strings.HasSuffix(c.Sig, "/namespaces/kube-system") {
					own = append(own, c)
				}
			}
			if s.activity != activity || len(own) == 0 {
				continue
			}
			c := own[0]
			if last {
				c = own[len(own)-1]
			}
			return point{activity, c.Side, c.Sig, c.Nth, moment}, nil
		}
		return point{}, fmt.Errorf("no request of %s in the undisturbed run", activity)
	}}
}

// write is a request that changes objects of snapshots: the first or the last of its
// method and type.
func write(method, kind string, last bool, moment Moment) volumePoint {
	where := map[bool]string{false: "first", true: "last"}[last]
	return volumePoint{fmt.Sprintf("%s %s %s of %s", moment, where, method, kind), func(t *trace) (point, error) {
		var at *Call
		for i, c := range t.calls {
			path, _, _ := strings.Cut(c.Sig, "?")
			parts := strings.Split(path, "/")
			of := parts[len(parts)-1] == kind || len(parts) > 1 && parts[len(parts)-2] == kind
			if c.Side == "api" && strings.HasPrefix(c.Sig, method+" ") && of && (at == nil || last) {
				at = &t.calls[i]
			}
		}
		if at == nil {
			return point{}, fmt.Errorf("no %s of %s in the undisturbed run", method, kind)
		}
		return point{"", at.Side, at.Sig, at.Nth, moment}, nil
	}}
}

// killPoints are where a backup of volumes is killed. What the paths have in common, the
// mixed one shows, which has a native volume too.
func killPoints(path string) []volumePoint {
	var out []volumePoint
	for _, a := range []string{"SnapshotVolumes", "FinishVolumes"} {
		out = append(out, edge(a, false, Before), edge(a, true, Before), edge(a, true, After))
	}
	if path == "native" {
		return out
	}
	out = append(out, edge("CheckVolumes", false, Before)) // it only reads
	out = append(out, edge("CommitBackup", false, Before), edge("CommitBackup", true, Before), edge("CommitBackup", true, After))
	for _, last := range []bool{false, true} {
		out = append(
			out,
			write("POST", "volumesnapshots", last, After),
			write("PATCH", "volumesnapshotcontents", last, After), // to keep, and to release
			write("DELETE", "volumesnapshotcontents", last, After),
			write("DELETE", "volumesnapshots", last, Before), write("DELETE", "volumesnapshots", last, After),
		)
	}
	return out
}

// TestKilledVolumes kills the worker at the edges of every activity that deals with
// volumes, and between the writes of each.
func TestKilledVolumes(t *testing.T) {
	t.Parallel()
	var jobs []job
	for path := range volumePaths {
		for _, p := range killPoints(path) {
			jobs = append(jobs, volumesAt(path+", "+p.name, path, p, kill))
		}
	}
	each(t, jobs)
}

// volumesAt makes a scenario of a backup of volumes that is struck at a point and has to
// end as if it had not been.
func volumesAt(name, path string, at volumePoint, do strike) job {
	return job{name, func(ctx context.Context, l *lane) error {
		var res contract.BackupResult
		name, err := l.struckVolumes(ctx, path, at, do, &res)
		if err != nil {
			return err
		}
		return l.sameVolumes(ctx, name, l.disks.usual[path].outcome, res)
	}}
}

// struckVolumes strikes a backup of volumes and returns its name and how it ended.
func (l *lane) struckVolumes(ctx context.Context, path string, at volumePoint, do strike, result any) (name string, err error) {
	u, err := l.usualVolumes(ctx, path)
	if err != nil {
		return "", err
	}
	p, err := at.find(u.trace)
	if err != nil {
		return "", err
	}
	name, _ = l.names("backup")
	l.hideDisks(name)
	return name, l.struck(ctx, p, l.startBackup(name, l.volumeSpec(path)), do, result)
}

// TestVolumesWithoutAPIServer cuts the API server off in the midst of activities that
// deal with volumes.
func TestVolumesWithoutAPIServer(t *testing.T) {
	t.Parallel()
	var jobs []job
	api := cut(func(l *lane) *stack.Proxy { return l.apiLine }, outage)
	for _, p := range []volumePoint{
		write("POST", "volumesnapshots", false, After), edge("CheckVolumes", false, Before),
		write("PATCH", "volumesnapshotcontents", false, After), write("DELETE", "volumesnapshotcontents", false, Before),
	} {
		jobs = append(jobs, volumesAt(p.name, "mixed", p, func(ctx context.Context, l *lane, _ point, _ client.WorkflowRun) (bool, error) {
			return true, api(ctx, l)
		}))
	}
	each(t, jobs)
}

// TestCancelledVolumes cancels a backup of volumes where each time something else is left
// behind: no snapshot is left, and the name is free.
func TestCancelledVolumes(t *testing.T) {
	t.Parallel()
	points := map[string][]volumePoint{
		"native": {edge("SnapshotVolumes", true, Before), edge("VerifyBackup", false, Before)},
		"mixed": {
			write("POST", "volumesnapshots", true, After), edge("CheckVolumes", false, Before),
			write("PATCH", "volumesnapshotcontents", false, After), edge("SealBackup", true, Before),
		},
	}
	var jobs []job
	for path, of := range points {
		for _, p := range of {
			jobs = append(jobs, job{path + ", " + p.name, func(ctx context.Context, l *lane) error { return l.cancelledVolumes(ctx, path, p) }})
		}
		jobs = append(jobs, job{path + ", after a kill in the midst of a snapshot", func(ctx context.Context, l *lane) error {
			return l.orphaned(ctx, path)
		}})
	}
	each(t, jobs)
}

func (l *lane) cancelledVolumes(ctx context.Context, path string, at volumePoint) error {
	name, err := l.struckVolumes(ctx, path, at, cancel, nil)
	return l.nothingLeft(ctx, path, name, err)
}

// nothingLeft fails unless a run was cancelled, left nothing, and its name can be had.
func (l *lane) nothingLeft(ctx context.Context, path, name string, err error) error {
	err = errors.Join(l.canceled(ctx, contract.BackupID(l.Cluster, name), err), l.leftovers(ctx),
		l.absent(ctx, layout.BackupDir(name)), l.noSnapshots(ctx), l.noSnapshotObjects(ctx))
	if err != nil {
		return err
	}
	return l.againVolumes(ctx, path, name)
}

// againVolumes takes a backup of a name that an earlier run has left.
func (l *lane) againVolumes(ctx context.Context, path, name string) error {
	l.arm(nil)
	var res contract.BackupResult
	run, err := l.startBackup(name, l.volumeSpec(path))(ctx)
	if err == nil {
		err = run.Get(ctx, &res)
	}
	if err != nil {
		return fmt.Errorf("a later backup of that name: %w", err)
	}
	return l.sameVolumes(ctx, name, l.disks.usual[path].outcome, res)
}

// slowly makes EC2 take its time over one snapshot of a volume of the lane, and waits
// until it has been asked for it.
func (l *lane) slowly(ctx context.Context, d time.Duration) (asked func() error, err error) {
	disk := l.disks.byClaim[firstClaim]
	_, err = shared.EBS.AddFault(ctx, ebssim.Fault{
		Action: "CreateSnapshot", Volume: disk, Effect: ebssim.EffectLate, Delay: ebssim.Duration(d), Times: 1,
	})
	return func() error {
		return until(ctx, "EC2 is asked for a snapshot", func() (bool, error) {
			return shared.EBS.Hit(ctx, disk)
		})
	}, err
}

// slowAnswer is longer than a worker takes to start, and shorter than what a cancelled
// run waits for snapshots that may still show.
const slowAnswer = 4 * time.Second

// begun starts a backup and returns while EC2 makes its first snapshot.
func (l *lane) begun(ctx context.Context, path, name string) (client.WorkflowRun, error) {
	if _, err := l.usualVolumes(ctx, path); err != nil {
		return nil, err
	}
	l.hideDisks(name)
	l.arm(nil)
	asked, err := l.slowly(ctx, slowAnswer)
	if err != nil {
		return nil, err
	}
	run, err := l.startBackup(name, l.volumeSpec(path))(ctx)
	if err != nil {
		return nil, err
	}
	return run, asked()
}

// orphaned cancels a run whose worker was killed while EC2 was making a snapshot: it
// is made all the same, and nobody has its id.
func (l *lane) orphaned(ctx context.Context, path string) error {
	name, _ := l.names("backup")
	run, err := l.begun(ctx, path, name)
	if err != nil {
		return err
	}
	l.current().Kill()
	if err := errors.Join(l.Temporal.CancelWorkflow(ctx, run.GetID(), run.GetRunID()), l.start(ctx)); err != nil {
		return err
	}
	return l.nothingLeft(ctx, path, name, run.Get(ctx, nil))
}

// TestKilledWhileSnapshotting kills the worker while EC2 makes a snapshot, whose id
// nobody gets to know.
func TestKilledWhileSnapshotting(t *testing.T) {
	t.Parallel()
	var jobs []job
	for path := range volumePaths {
		jobs = append(jobs, job{path, func(ctx context.Context, l *lane) error {
			name, _ := l.names("backup")
			run, err := l.begun(ctx, path, name)
			if err != nil {
				return err
			}
			l.current().Kill()
			if err := l.start(ctx); err != nil {
				return err
			}
			var res contract.BackupResult
			if err := run.Get(ctx, &res); err != nil {
				return err
			}
			return l.sameVolumes(ctx, name, l.disks.usual[path].outcome, res)
		}})
	}
	each(t, jobs)
}
