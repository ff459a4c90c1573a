//go:build stack

package volumes

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

const (
	// historyBound is a tenth of the events at which Temporal terminates a run.
	historyBound = 5120
	// deletionBound is how many events a deletion has on average: 17, and some more where a busy
	// machine loses a task.
	deletionBound = 20
	// memoryBound is what one collection may add to a worker's peak, in bytes.
	memoryBound = 128 << 20
)

// bulk is how many backups there are, half of which have expired, and how many snapshots each has.
type bulk struct{ backups, snapshots int }

func (b bulk) String() string { return fmt.Sprintf("%d backups of %d", b.backups, b.snapshots) }

// expired are the backups that go, with gone snapshots.
func (b bulk) expired() int { return b.backups / 2 }
func (b bulk) gone() int    { return b.expired() * b.snapshots }

// TestCollectMany collects half of many backups by one run: a list takes less than a second before
// and after, what is left is what has not expired, and neither memory nor a history grows with the
// number. A deletion costs so many events of Temporal and requests to EC2 and no more, on whatever
// machine, and the run less than a minute beside the time that EC2's rate of deletions takes. It is
// not parallel, for it changes the account's limits. With twenty snapshots each EC2's rate is all
// that counts; with one each it is the work around them.
func TestCollectMany(t *testing.T) {
	sizes := []bulk{{20, 20}}
	if os.Getenv(soakVariable) != "" {
		sizes = []bulk{{1000, 1}, {1000, 20}}
	}
	for _, size := range sizes {
		t.Run(size.String(), func(t *testing.T) { collectMany(t, size) })
	}
}

func collectMany(t *testing.T, size bulk) {
	l := shared.beside(t, fmt.Sprintf("gc-many-%d", size.snapshots))
	ns := l.namespace(t, fmt.Sprintf("gc-many-%d", size.snapshots))
	l.claim(t, ns, "data", "x")
	disk := l.disks(t, ns, "data")[0]
	l.limits(t, func(limits *ebssim.Limits) {
		limits.PendingPerAccount, limits.PendingPerVolume, limits.SnapshotInterval, limits.Buckets = 0, 0, 0, nil
	})
	before := l.snapshots(t, []string{disk})
	l.storeMany(t, disk, size)
	l.listed(t, size.backups) // writes what a list of backups that Lifeboat did not write lacks
	listed := l.listed(t, size.backups)
	if listed > time.Second {
		t.Errorf("a list of all %d took %s", size.backups, listed)
	}
	idle, err := l.Worker.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	res, err := l.Run(t.Context(), "gc", "run")
	took := time.Since(began)
	if want := fmt.Sprintf("%d expired backups deleted", size.expired()); err != nil || !strings.Contains(res, want) {
		t.Fatalf("%v\n%s", err, res)
	}
	peak, err := l.Worker.PeakRSS()
	if err != nil {
		t.Fatal(err)
	}
	left := l.snapshots(t, []string{disk})
	longest, runs := l.histories(t, contract.GarbageID(l.Cluster))
	t.Logf("%s: listed in %s, %d collected in %s (%s by EC2's rate), peak memory from %d to %d MiB, %d runs of at most %d events", size, listed, size.expired(), took, paced(size.gone()), idle>>20, peak>>20, runs, longest)
	if got := len(left) - len(before); got != size.backups*size.snapshots-size.gone() {
		t.Errorf("%d snapshots are left", got)
	}
	if listed = l.listed(t, size.backups-size.expired()); listed > time.Second {
		t.Errorf("a list took %s", listed)
	}
	if rest := took - paced(size.gone()); rest > time.Minute {
		t.Errorf("the collection took %s, %s beside EC2's rate", took, rest)
	}
	if peak > idle+memoryBound {
		t.Errorf("peak memory grew from %d to %d MiB", idle>>20, peak>>20)
	}
	if longest > historyBound {
		t.Errorf("a history has %d events", longest)
	}
	l.checkCost(t, size, began)
	res, err = l.Run(t.Context(), "gc", "run")
	if err != nil || !strings.Contains(res, "0 expired backups deleted") {
		t.Errorf("the next run: %v\n%s", err, res)
	}
}

// checkCost compares what the deletions of a collection have cost Temporal and EC2 with what they
// may. What is asked of the store is in TestRequestsOfADeletion of internal/deletion.
func (l *lab) checkCost(t *testing.T, size bulk, began time.Time) {
	t.Helper()
	if deletions, events := l.deletions(t, size.expired()); deletions != size.expired() || events > deletionBound*int64(deletions) {
		t.Errorf("%d deletions have %d events, want at most %d each", deletions, events, deletionBound)
	}
	calls, err := l.ebs.Audit(t.Context(), "", began)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]int{}
	for _, c := range calls {
		asked[c.Action]++
	}
	// A collection asks besides for a list of all snapshots, and an attempt is repeated now and then.
	for action, most := range map[string]int{"DeleteSnapshot": size.gone(), "DescribeSnapshots": size.expired(), "ListSnapshotsInRecycleBin": size.expired()} {
		if most += 10 + most/10; asked[action] > most {
			t.Errorf("%d requests %s, want at most %d", asked[action], action, most)
		}
	}
}

// deletions are the runs that have deleted backups of the cluster, and the events of all. A search
// may be seconds behind.
func (l *lab) deletions(t *testing.T, want int) (n int, events int64) {
	t.Helper()
	query := fmt.Sprintf("WorkflowType = '%s' AND TaskQueue = '%s' AND ExecutionStatus = 'Completed'", contract.DeleteBackupWorkflow, contract.TaskQueue(l.Cluster))
	for deadline := time.Now().Add(patience); n < want && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		n, events = 0, 0
		var page []byte
		for first := true; first || len(page) > 0; first = false {
			res, err := l.Temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: page})
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range res.GetExecutions() {
				n, events = n+1, events+run.GetHistoryLength()
			}
			page = res.GetNextPageToken()
		}
	}
	return n, events
}

// paced is how long a worker that goes by EC2's published rates takes to delete so many snapshots.
func paced(n int) time.Duration {
	rate := quota.DefaultLimits().Rates["DeleteSnapshot"]
	return time.Duration(max(0, float64(n)-rate.Burst) / rate.PerSecond * float64(time.Second))
}

// listed lists n backups by the program and tells how long the quickest of three times took.
func (l *lab) listed(t *testing.T, n int) time.Duration {
	t.Helper()
	best := time.Hour
	for range 3 {
		began := time.Now()
		out, err := l.Run(t.Context(), "backup", "get", "--show-expired", "-o", "name")
		if got := strings.Count(out, "\n"); err != nil || got != n {
			t.Fatalf("%d backups listed, want %d: %v", got, n, err)
		}
		best = min(best, time.Since(began))
	}
	return best
}

// histories are the number of runs of a workflow and the events of the longest.
func (l *lab) histories(t *testing.T, workflow string) (longest int64, runs int) {
	t.Helper()
	for deadline := time.Now().Add(patience); runs == 0 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		res, err := l.Temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("WorkflowId = '%s' AND ExecutionStatus != 'Running'", workflow)})
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range res.GetExecutions() {
			longest, runs = max(longest, run.GetHistoryLength()), runs+1
		}
	}
	return longest, runs
}

// storeMany stores backups, every other of which has expired, with snapshots of a disk.
func (l *lab) storeMany(t *testing.T, disk string, size bulk) {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := ec2.NewFromConfig(cfg)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range size.backups {
		group.Go(func() error {
			name := fmt.Sprintf("many-%04d", i)
			var snapshots []string
			for range size.snapshots {
				out, err := client.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: aws.String(disk), TagSpecifications: []types.TagSpecification{{
					ResourceType: types.ResourceTypeSnapshot, Tags: l.tagsOf(name),
				}}})
				if err != nil {
					return fmt.Errorf("snapshot of %s: %w", name, err)
				}
				snapshots = append(snapshots, aws.ToString(out.SnapshotId))
			}
			return l.store(t, name, i%2 == 0, snapshots)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) tagsOf(backup string) []types.Tag {
	place := repository.PlaceDigest(&l.Config.BackupStorageLocations[0])
	var tags []types.Tag
	for key, value := range map[string]string{ebs.TagBackup: backup, ebs.TagBackupUID: "uid-" + backup, ebs.TagCluster: l.Cluster, ebs.TagPlace: place} {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	return tags
}

// store stores a backup of no objects, two days old.
func (l *lab) store(t *testing.T, name string, expired bool, snapshots []string) error {
	keys, ended := layout.Backup{Name: name}, time.Now().Add(-48*time.Hour)
	expires := time.Now().Add(99 * 24 * time.Hour)
	if expired {
		expires = time.Now().Add(-24 * time.Hour)
	}
	var infos []volume.Info
	var natives []volume.NativeSnapshot
	for i, id := range snapshots {
		pv := fmt.Sprint("pv-", i)
		infos = append(infos, volume.Info{PVName: pv, BackupMethod: volume.VeleroNative, Native: &volume.NativeInfo{SnapshotHandle: id}})
		natives = append(natives, volume.NativeSnapshot{
			Spec:   volume.NativeSnapshotSpec{BackupName: name, Location: location, PersistentVolumeName: pv},
			Status: volume.NativeSnapshotStatus{ProviderSnapshotID: id, Phase: volume.PhaseCompleted},
		})
	}
	files := map[string][]byte{keys.Index(): []byte("x"), keys.Tarball(): []byte("tar")}
	m := archive.Manifest{Backup: name, UID: "uid-" + name, Cluster: l.Cluster, Directory: archive.Range{Size: 1, SHA256: archive.Digest([]byte("x"))}}
	for key, doc := range map[string]any{keys.VolumeInfo(): infos, keys.VolumeSnapshots(): natives} {
		data, err := repository.EncodeGzipJSON(doc)
		if err != nil {
			return err
		}
		files[key] = data
	}
	for key, data := range files {
		m.Files = append(m.Files, archive.NewFile(key, data))
	}
	manifest, err := archive.EncodeManifest(m)
	if err != nil {
		return err
	}
	files[keys.Manifest()] = manifest
	at := ended.UTC().Format(time.RFC3339)
	files[keys.Metadata()] = fmt.Appendf(nil, `{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":%q,"uid":"uid-%s","creationTimestamp":%q,"annotations":{"lifeboat-backup.github.io/uid":"uid-%s"}},
		"status":{"phase":"Completed","startTimestamp":%q,"completionTimestamp":%q,"expiration":%q,"volumeSnapshotsAttempted":%d,"volumeSnapshotsCompleted":%d}}`,
		name, name, at, name, at, at, expires.UTC().Format(time.RFC3339), len(snapshots), len(snapshots))
	for key, data := range files {
		if err := l.Store.Put(t.Context(), key, data, store.PutOptions{}); err != nil {
			return err
		}
	}
	return nil
}
