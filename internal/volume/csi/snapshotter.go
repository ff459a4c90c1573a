package csi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/parallel"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
)

const (
	// Snapshots are looked at by one list a namespace or one of the cluster.
	pollFirst = 100 * time.Millisecond
	pollLast  = 2 * time.Second
	// quiescedError is how long an error of the driver is borne while pods are quiesced.
	quiescedError = 30 * time.Second
)

// LabelUID is on every VolumeSnapshot of a backup, beside Velero's label. Annotations have the
// keys of tags of EBS snapshots, and say by them where the backup's files lie.
const LabelUID = ebs.TagBackupUID

// Snapshots takes snapshots by VolumeSnapshot objects. They stay in the cluster
// until the backup is committed.
type Snapshots struct {
	Kube      *kube.Client
	Backup    *volume.Backup
	Quotas    *Quotas
	Locations *location.Set // nil: no account is known
	// MaxPending is how many snapshots of the cluster a driver makes at a time. EBS takes
	// so many pending ones in an account, and its driver does not queue: what it
	// refuses, the snapshotter asks for again, ever later.
	MaxPending int
	classes    map[string]string // the drivers of VolumeSnapshotClasses, once they are read
}

// reservation has the capacity for the snapshots of one unit.
type reservation struct {
	snapshots *Snapshots
	volumes   []int
	options   volume.ReserveOptions
	quotas    map[string]*quota.Driver // by driver
	errs      map[int]time.Time        // since when the driver has had an error
	paced     bool                     // it has its place in the pace of the snapshot controller
}

// Reserve reserves capacity before pods are quiesced: what a driver refuses is not taken
// while they are.
func (c *Snapshots) Reserve(ctx context.Context, groups [][]int, how volume.ReserveOptions) (volume.Reservation, error) {
	t := &reservation{snapshots: c, volumes: slices.Concat(groups...), options: how, quotas: map[string]*quota.Driver{}, errs: map[int]time.Time{}}
	mine := c.byDriver(t.volumes)
	drivers := slices.Sorted(maps.Keys(mine)) // in one order, so that no two wait for one another
	if at := slices.Index(drivers, volume.DriverEBS); at > 0 {
		drivers = slices.Insert(slices.Delete(drivers, at, at+1), 0, volume.DriverEBS) // as native snapshots
	}
	for _, driver := range drivers {
		of, err := c.quotaOf(ctx, driver)
		if err != nil {
			t.Release()
			return nil, err
		}
		t.quotas[driver] = of
		if !how.Quiesced {
			continue
		}
		err = how.Within(ctx, func(ctx context.Context) error { return of.Reserve(ctx, c.orders(mine[driver])) })
		if err != nil {
			t.Release()
			return nil, err
		}
	}
	if how.Quiesced && len(t.volumes) > 0 { // last: what waits here holds nobody up who needs no pace
		err := how.Within(ctx, func(ctx context.Context) error { return c.Quotas.pace.enter(ctx, t, len(t.volumes)) })
		if err != nil {
			t.Release()
			return nil, err
		}
		t.paced = true
	}
	return t, nil
}

// list is the VolumeSnapshots of this backup, by "namespace/name".
func (c *Snapshots) list(ctx context.Context) (map[string]snapshotv1.VolumeSnapshot, error) {
	live, err := kube.ListMap[snapshotv1.VolumeSnapshot](ctx, c.Kube, kube.VolumeSnapshots(), "", LabelUID+"="+c.Backup.UID)
	if err != nil {
		return nil, fmt.Errorf("list volume snapshots: %w", err)
	}
	return live, nil
}

// Take makes the VolumeSnapshots, as many at a time as the window allows, and waits
// until each is taken.
func (t *reservation) Take(ctx context.Context, without map[int]bool) ([]volume.Snapshot, error) {
	todo := slices.DeleteFunc(slices.Clone(t.volumes), func(i int) bool { return without[i] })
	var out []volume.Snapshot
	asked, refused := map[int]string{}, map[int]string{}
	began := time.Now()
	defer t.leavePace(0)
	for wait := pollFirst; len(todo) > 0; wait = min(wait*3/2, pollLast) {
		live, err := t.snapshots.list(ctx)
		if err != nil {
			return out, err
		}
		var done []volume.Snapshot
		todo, done = t.partition(todo, live, asked, refused)
		out = append(out, done...)
		if len(todo) == 0 {
			t.leavePace(time.Since(began))
			break
		}
		if err := t.createMissing(ctx, todo, live, asked, refused); err != nil {
			return out, err
		}
		if !t.paced {
			t.snapshots.Quotas.pace.report(t, countAsked(todo, asked))
		}
		if err := poll.Wait(ctx, wait); err != nil {
			return out, err
		}
	}
	return out, nil
}

func countAsked(todo []int, asked map[int]string) int {
	n := 0
	for _, i := range todo {
		if asked[i] != "" {
			n++
		}
	}
	return n
}

// createMissing creates what is not there, within the window, each once, and notes the contents
// to come in asked. What is refused for good is noted with the reason.
func (t *reservation) createMissing(ctx context.Context, todo []int, live map[string]snapshotv1.VolumeSnapshot, asked, refused map[int]string) error {
	missing := slices.DeleteFunc(slices.Clone(todo), func(i int) bool {
		_, there := live[t.snapshots.key(i)]
		return there || asked[i] != ""
	})
	missing, err := t.withCapacity(ctx, missing, refused)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	return parallel.ForEach(ctx, volume.CreateWindow, missing, func(ctx context.Context, i int) error {
		v := &t.snapshots.Backup.Volumes[i]
		content, err := t.snapshots.create(ctx, v)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case apierrors.IsForbidden(err) || kube.IsInvalid(err) || apierrors.IsNotFound(err):
			refused[i] = err.Error()
			t.quotas[quotaName(v.Driver)].Release(t.snapshots.key(i))
		case err != nil:
			return err
		}
		asked[i] = content
		t.quotas[quotaName(v.Driver)].Asked(t.snapshots.key(i))
		return nil
	})
}

// withCapacity are those that there is capacity for now; where pods are quiesced, Reserve
// has seen to it. What has had none in its time is refused.
func (t *reservation) withCapacity(ctx context.Context, missing []int, refused map[int]string) ([]int, error) {
	if t.options.Quiesced {
		return missing, nil
	}
	if !t.snapshots.Quotas.pace.mayAsk() {
		if time.Now().After(t.options.Deadline) {
			for _, i := range missing {
				refused[i] = t.options.TooLate.Error()
			}
		}
		return nil, nil
	}
	var out []int
	for driver, of := range t.snapshots.byDriver(missing) {
		var keys []string
		err := t.options.Within(ctx, func(ctx context.Context) (err error) {
			keys, err = t.quotas[driver].TryReserve(ctx, t.snapshots.orders(of))
			return err
		})
		switch {
		case errors.Is(err, volume.ErrNoCapacity):
			for _, i := range of {
				refused[i] = err.Error()
			}
		case err != nil:
			return nil, err
		}
		for _, i := range of {
			if slices.Contains(keys, t.snapshots.key(i)) {
				out = append(out, i)
			}
		}
	}
	return out, nil
}

func (c *Snapshots) key(i int) string {
	v := &c.Backup.Volumes[i]
	return resource.ObjectName(v.Namespace, v.Snapshot)
}

// annotationArgoSync keeps Argo CD from deleting what Git does not have.
const annotationArgoSync = "argocd.argoproj.io/sync-options"

// create makes a claim's VolumeSnapshot and returns the name of the content that it
// will have, "" if it was there already: then it is this backup's, since its name is
// made of the backup's UID. It has none of the claim's labels: by those Argo CD, Flux and
// Helm would take it for one of theirs and delete it, and the snapshot with it.
func (c *Snapshots) create(ctx context.Context, v *volume.Volume) (string, error) {
	vs := &snapshotv1.VolumeSnapshot{
		TypeMeta: metav1.TypeMeta{APIVersion: snapshotv1.SchemeGroupVersion.String(), Kind: "VolumeSnapshot"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v.Namespace, Name: v.Snapshot,
			Labels:      map[string]string{resource.LabelBackup: resource.LabelValue(c.Backup.Name), LabelUID: c.Backup.UID},
			Annotations: map[string]string{annotationArgoSync: "Prune=false", ebs.TagBackup: c.Backup.Name, ebs.TagCluster: c.Backup.Cluster, ebs.TagPlace: c.Backup.Place},
		},
		Spec: snapshotv1.VolumeSnapshotSpec{
			Source:                  snapshotv1.VolumeSnapshotSource{PersistentVolumeClaimName: &v.Claim},
			VolumeSnapshotClassName: &v.Class,
		},
	}
	made, err := kube.Make(ctx, c.Kube, kube.VolumeSnapshots(), v.Namespace, vs, kube.WriteOptions{FieldManager: resource.FieldManager})
	switch {
	case apierrors.IsAlreadyExists(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("snapshot claim %s: %w", resource.ObjectName(v.Namespace, v.Claim), err)
	}
	return ContentOf(&made), nil
}

// partition tells what is taken, and what has failed, from what goes on. The names of the
// contents are kept: somebody may delete a VolumeSnapshot and leave its content.
func (t *reservation) partition(todo []int, live map[string]snapshotv1.VolumeSnapshot, asked, refused map[int]string) (left []int, done []volume.Snapshot) {
	for _, i := range todo {
		vs, there := live[t.snapshots.key(i)]
		why := refused[i]
		switch {
		case there:
			asked[i], why = ContentOf(&vs), t.failureText(i, &vs)
		case asked[i] != "" && why == "":
			why = t.snapshots.deletedText(i)
		}
		switch {
		case why != "":
			failed := volume.FailedSnapshots([]int{i}, why)
			failed[0].Content = asked[i]
			done = append(done, failed...)
		case there && isTaken(&vs):
			done = append(done, volume.Snapshot{Volume: i, At: vs.Status.CreationTime.UTC(), Content: asked[i]})
		default:
			left = append(left, i)
		}
	}
	return left, done
}

// failureText says why a snapshot is given up; "" if it is not. The driver's errors may
// pass: they are borne until csiSnapshotTimeout, or not that long with pods quiesced.
func (t *reservation) failureText(i int, vs *snapshotv1.VolumeSnapshot) string {
	if isTaken(vs) {
		return ""
	}
	why := errorMessageOf(vs)
	if _, since := t.errs[i]; why != "" && !since {
		t.errs[i] = time.Now()
	} else if why == "" {
		delete(t.errs, i)
	}
	limit := t.snapshots.Backup.SnapshotTimeout
	switch {
	case time.Since(vs.CreationTimestamp.Time) > limit:
		return fmt.Sprintf("the driver has taken no snapshot within csiSnapshotTimeout (%s)%s", limit, volume.After(why))
	case t.options.Quiesced && why != "" && time.Since(t.errs[i]) > quiescedError:
		return "the driver cannot take the snapshot" + volume.After(why)
	}
	return ""
}

// CompleteTags has nothing to do: VolumeSnapshots have their labels from the start.
func (t *reservation) CompleteTags(context.Context) (map[int]string, error) { return nil, nil }
