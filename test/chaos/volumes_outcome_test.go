//go:build stack

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// volumeOutcome is what a backup says of its volumes, without what differs between
// two runs: ids of snapshots are told by their volumes, times by whether there are any.
type volumeOutcome struct {
	Infos   []volume.Info
	Natives []volume.NativeSnapshot
	Kinds   map[string]int // objects in the archive, by type
}

// volumeOutcome reads it, and fails unless every snapshot named is complete and there
// is none in the account that is not named.
func (l *lane) volumeOutcome(ctx context.Context, backup string) (*volumeOutcome, error) {
	files := layout.Backup{Name: backup}
	var o volumeOutcome
	if err := errors.Join(l.file(ctx, files.VolumeInfo(), &o.Infos), l.file(ctx, files.VolumeSnapshots(), &o.Natives)); err != nil {
		return nil, err
	}
	kept, err := l.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for i := range o.Infos {
		l.abstract(&o.Infos[i], kept, named)
	}
	for i := range o.Natives {
		s := &o.Natives[i]
		s.Spec.BackupName, s.Spec.BackupUID = "", ""
		s.Status.ProviderSnapshotID = kept[s.Status.ProviderSnapshotID].VolumeID
	}
	for id, s := range kept {
		if !named[id] || s.State != "completed" {
			err = errors.Join(err, fmt.Errorf("snapshot %s of %s is %s, named %t", id, s.VolumeID, s.State, named[id]))
		}
	}
	c, broken := l.content(ctx, backup)
	if err := errors.Join(err, broken); err != nil {
		return nil, err
	}
	o.Kinds = map[string]int{}
	for key := range c.objects {
		kind, _, _ := strings.Cut(key, " ")
		o.Kinds[strings.Split(kind, "/")[0]]++
	}
	return &o, nil
}

// abstract takes what differs out of an entry and notes the snapshot it names.
func (l *lane) abstract(info *volume.Info, kept map[string]ebssim.SnapshotState, named map[string]bool) {
	for _, at := range []*metav1.Time{info.StartTimestamp, info.CompletionTimestamp} {
		if at != nil && !at.IsZero() {
			*at = metav1.Unix(1, 0)
		}
	}
	if info.Native != nil {
		named[info.Native.SnapshotHandle] = true
		info.Native.SnapshotHandle = kept[info.Native.SnapshotHandle].VolumeID
	}
	if info.CSI != nil {
		named[info.CSI.SnapshotHandle] = true
		info.CSI.SnapshotHandle, info.CSI.VSCName = kept[info.CSI.SnapshotHandle].VolumeID, ""
	}
}

func (l *lane) file(ctx context.Context, key string, into any) error {
	body, _, err := l.Store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer body.Close()
	zr, err := gzip.NewReader(body)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// differs says how two outcomes differ.
func (o *volumeOutcome) differs(other *volumeOutcome) error {
	var out []error
	for what, pair := range map[string][2]any{
		"volumeinfo": {o.Infos, other.Infos}, "volumesnapshots": {o.Natives, other.Natives}, "objects": {o.Kinds, other.Kinds},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			was, _ := json.Marshal(pair[0]) // they came from JSON
			is, _ := json.Marshal(pair[1])
			out = append(out, fmt.Errorf("%s: %s; undisturbed %s", what, is, was))
		}
	}
	return errors.Join(out...)
}

// snapshots are those of the lane's volumes that the account holds, in any state.
func (l *lane) snapshots(ctx context.Context) (map[string]ebssim.SnapshotState, error) {
	state, err := shared.EBS.State(ctx)
	if err != nil {
		return nil, err
	}
	mine := slices.Collect(maps.Values(l.disks.byClaim))
	out := map[string]ebssim.SnapshotState{}
	for _, s := range state.Snapshots {
		if s.Where != "deleted" && slices.Contains(mine, s.VolumeID) {
			out[s.ID] = s
		}
	}
	return out, nil
}

// noSnapshots fails if some are left in the account after a while: the cluster's own
// controllers delete those of CSI.
func (l *lane) noSnapshots(ctx context.Context) error {
	var left map[string]ebssim.SnapshotState
	return soon(ctx, func() (err error) {
		if left, err = l.snapshots(ctx); err != nil || len(left) == 0 {
			return err
		}
		return fmt.Errorf("left in the account: %v", slices.Sorted(maps.Keys(left)))
	})
}

// noSnapshotObjects fails if some are left in the cluster.
func (l *lane) noSnapshotObjects(ctx context.Context) error {
	return soon(ctx, func() error {
		var left []string
		err := kube.List(ctx, l.Kube, kube.VolumeSnapshots(), l.diskSpace(), "", func(s snapshotv1.VolumeSnapshot) error {
			left = append(left, "VolumeSnapshot "+s.Name)
			return nil
		})
		contents := kube.List(ctx, l.Kube, kube.VolumeSnapshotContents(), "", "", func(c snapshotv1.VolumeSnapshotContent) error {
			if c.Spec.VolumeSnapshotRef.Namespace == l.diskSpace() {
				left = append(left, "VolumeSnapshotContent "+c.Name)
			}
			return nil
		})
		if len(left) > 0 {
			return fmt.Errorf("left in the cluster: %v", left)
		}
		return errors.Join(err, contents)
	})
}

// soon tries for as long as the cluster's controllers may take.
func soon(ctx context.Context, check func() error) error {
	var last error
	limited, cancel := context.WithTimeout(ctx, controllersTake)
	defer cancel()
	err := until(limited, "it is as it should be", func() (bool, error) {
		last = check()
		return last == nil, nil
	})
	if last != nil {
		return last
	}
	return err
}

// sameVolumes holds a backup of volumes against the undisturbed one and deletes it.
func (l *lane) sameVolumes(ctx context.Context, name string, want *volumeOutcome, res contract.BackupResult) error {
	written := l.writtenOnce()
	got, err := l.volumeOutcome(ctx, name)
	if err == nil {
		err = want.differs(got)
	}
	return errors.Join(backedUp(res), written, err, l.leftovers(ctx), l.noSnapshotObjects(ctx), l.dropVolumes(ctx, name))
}

// dropVolumes deletes a backup, after which the account is as it was.
func (l *lane) dropVolumes(ctx context.Context, name string) error {
	l.arm(nil)
	run, err := l.startDelete(name)(ctx)
	if err != nil {
		return err
	}
	var res contract.DeleteResult
	if err := run.Get(ctx, &res); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return errors.Join(l.noSnapshots(ctx), l.noSnapshotObjects(ctx), l.absent(ctx, layout.BackupDir(name)))
}
