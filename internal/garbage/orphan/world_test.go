package orphan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/garbage/orphan"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/inprocess"
)

const (
	region   = "eu-central-1"
	instance = "i-0123456789abcdef0"
	day      = 24 * time.Hour
)

// world is an account of EC2 in virtual time, in which installations work. Time begins on the
// first of January 2000.
type world struct {
	*ebssim.Sim
	t      *testing.T
	ec2    *ec2.Client // the account's administrator
	wire   *wire
	volume string
}

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_EC2": "http://ec2.test", "AWS_ENDPOINT_URL_STS": "http://sts.test", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CA_BUNDLE": "", // it wants a client of the SDK's own
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func inWorld(t *testing.T, test func(*testing.T, *world)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		limits := ebssim.Fast()
		limits.PendingPerAccount, limits.PendingPerVolume = 100_000, 100_000
		sim, err := ebssim.New(ebssim.Options{
			Dir: dir, Region: region, Limits: &limits, Instances: []ebssim.Instance{{ID: instance, Zone: region + "a"}},
			Users: []ebssim.User{{Name: "lifeboat", AccessKeyID: "AKIALIFEBOAT", SecretAccessKey: "lifeboat-secret"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Close()
		w := &world{Sim: sim, t: t, wire: &wire{sim: sim}}
		w.ec2 = ec2.New(ec2.Options{
			Region: region, BaseEndpoint: aws.String("http://ec2.test"), HTTPClient: &wire{sim: sim},
			Credentials: credentials.NewStaticCredentialsProvider("AKIALIFEBOAT", "lifeboat-secret", ""),
		})
		v, err := w.ec2.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(region + "a"), Size: aws.Int32(7)})
		if err != nil {
			t.Fatal(err)
		}
		w.volume = *v.VolumeId
		time.Sleep(time.Minute)
		test(t, w)
	})
}

// snapshot makes one with tags and returns its id. It is complete, and visible, soon after.
func (w *world) snapshot(tags map[string]string) string {
	w.t.Helper()
	out, err := w.ec2.CreateSnapshot(w.t.Context(), &ec2.CreateSnapshotInput{VolumeId: &w.volume, TagSpecifications: tagsOf(types.ResourceTypeSnapshot, tags)})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.SnapshotId
}

// left are the ids of the snapshots that are not deleted.
func (w *world) left() map[string]bool {
	out := map[string]bool{}
	for _, s := range w.State().Snapshots {
		if s.Where == "" {
			out[s.ID] = true
		}
	}
	return out
}

// installation is a cluster with its storage locations, whose worker is its processes.
type installation struct {
	*world
	cluster string
	stores  repositorytest.Stores
	objects *objects
	runs    *runs

	*orphan.Collector
	locations *repository.Locations
	snapshots *location.Set
	policy    retention.Policy
}

// install begins an installation; the first location of the alphabet is that of its backups.
func (w *world) install(cluster string, stores repositorytest.Stores) *installation {
	i := &installation{world: w, cluster: cluster, stores: stores, objects: &objects{uid: "uid-of-" + cluster, attached: map[string]bool{}}, runs: &runs{}}
	i.restart()
	return i
}

// restart starts the worker's process anew: what it kept in memory is gone.
func (i *installation) restart() {
	i.t.Helper()
	i.locations = repositorytest.Locations(i.stores)
	i.locations.Config().Cluster = i.cluster
	i.snapshots = i.connect("ebs")
	i.Collector = &orphan.Collector{
		Cluster: i.cluster, Grace: day, Policy: i.policy, Locations: i.locations, Snapshots: i.snapshots, Objects: i.objects, Runs: i.runs, Abandon: abandoner{i},
	}
}

// connect opens the account as a snapshot location of that name.
func (w *world) connect(name string) *location.Set {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id=AKIALIFEBOAT\naws_secret_access_key=lifeboat-secret\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	doc := velerov1.VolumeSnapshotLocation{}
	doc.Name, doc.Spec.Provider, doc.Spec.Config = name, "aws", map[string]string{"region": region, "credentialsFile": file}
	pool := quota.NewPool(quota.DefaultLimits())
	return location.New(&config.Config{VolumeSnapshotLocations: []velerov1.VolumeSnapshotLocation{doc}}, func(ctx context.Context, d *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
		return ebs.Open(ctx, d, ebs.Options{HTTP: w.wire, Limits: pool})
	})
}

// store is that of the backups, and place its digest.
func (i *installation) store() *memstore.Store { return i.stores[i.location()] }

func (i *installation) location() string { return slices.Sorted(maps.Keys(i.stores))[0] }

func (i *installation) place() string {
	bsl, err := i.locations.Config().Location(i.location())
	if err != nil {
		i.t.Fatal(err)
	}
	return repository.PlaceDigest(bsl)
}

// tags are those of a native snapshot of a backup, whose uid is "uid-" and its name.
func (i *installation) tags(backup string) map[string]string {
	return map[string]string{
		ebs.TagBackup: backup, ebs.TagBackupUID: "uid-" + backup, ebs.TagCluster: i.cluster, ebs.TagPlace: i.place(), ebs.TagPV: "pv-1",
	}
}

// csiTags are those of a snapshot that a driver made for a VolumeSnapshot.
func (i *installation) csiTags(name string) map[string]string {
	return map[string]string{ebs.TagCluster: i.cluster, ebs.TagPlace: i.place(), ebs.TagSnapshotName: name, ebs.TagSnapshotNamespace: "shop"}
}

// driverTags are those of a snapshot that a driver made, and that the backup has tagged.
func (i *installation) driverTags(backup string) map[string]string {
	tags := i.tags(backup)
	tags[ebs.TagDriverBackupUID] = tags[ebs.TagBackupUID]
	delete(tags, ebs.TagBackupUID)
	return tags
}

// commit stores a backup that names the snapshots and expires at a time.
func (i *installation) commit(name, schedule string, expires time.Time, snapshots ...string) {
	i.t.Helper()
	commitAs(i.t, i.store(), name, schedule, i.cluster, expires, snapshots)
}

func commitAs(t *testing.T, st *memstore.Store, name, schedule, cluster string, expires time.Time, snapshots []string) {
	t.Helper()
	keys := layout.Backup{Name: name}
	var infos []volume.Info
	var native []volume.NativeSnapshot
	for n, id := range snapshots {
		pv := fmt.Sprintf("pv-%d", n)
		infos = append(infos, volume.Info{PVName: pv, BackupMethod: volume.VeleroNative, Native: &volume.NativeInfo{SnapshotHandle: id}})
		s := volume.NativeSnapshot{Spec: volume.NativeSnapshotSpec{BackupName: name, Location: "ebs", PersistentVolumeName: pv}}
		s.Status.ProviderSnapshotID, s.Status.Phase = id, volume.PhaseCompleted
		native = append(native, s)
	}
	files := map[string][]byte{keys.Index(): []byte("x"), keys.Tarball(): []byte("tar")}
	for key, doc := range map[string]any{keys.VolumeInfo(): infos, keys.VolumeSnapshots(): native} {
		data, err := repository.EncodeGzipJSON(doc)
		if err != nil {
			t.Fatal(err)
		}
		files[key] = data
	}
	m := archive.Manifest{Backup: name, UID: "uid-" + name, Cluster: cluster, Directory: archive.Range{Size: 1, SHA256: archive.Digest([]byte("x"))}}
	for _, key := range slices.Sorted(maps.Keys(files)) {
		st.Set(key, files[key])
		m.Files = append(m.Files, archive.NewFile(key, files[key]))
	}
	data, err := archive.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	st.Set(keys.Manifest(), data)
	now := time.Now().UTC().Format(time.RFC3339)
	st.Set(keys.Metadata(), fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"uid-%s","annotations":{"lifeboat-backup.github.io/uid":"u"},"labels":{"velero.io/schedule-name":%q}},
		"status":{"phase":"Completed","startTimestamp":%q,"completionTimestamp":%q,"expiration":%q,"volumeSnapshotsCompleted":%d}}`,
		name, name, schedule, now, now, expires.UTC().Format(time.RFC3339), len(snapshots)))
}

// stage writes what a run has in the bucket that has planned a backup.
func (i *installation) stage(name string) {
	uid, st := "uid-"+name, i.store()
	run := fmt.Sprintf(`{"workflowID":"backup:%s:%s","runID":"r","cluster":%q,"started":%q}`, i.cluster, name, i.cluster, time.Now().UTC().Format(time.RFC3339))
	st.Set(layout.Staging(uid)+repository.PlanFile, fmt.Appendf(nil, `{"uid":%q,"backup":{"name":%q},"run":%s}`, uid, name, run))
	st.Set(layout.Staging(uid)+"shard-00000/chunk-00000", []byte("x"))
	st.Set(layout.NameLock(name), fmt.Appendf(nil, `{"uid":%q,"run":%s}`, uid, run))
	i.runs.begin("backup:" + i.cluster + ":" + name)
}

// writeFiles writes files of a backup that is not committed.
func (i *installation) writeFiles(name string) {
	files := layout.Backup{Name: name}
	i.store().Set(files.Tarball(), []byte("tar"))
	i.store().Set(files.Index(), []byte("x"))
}

// registered says that the cluster has worked in its location.
func (i *installation) registered() {
	i.store().Set(layout.ClusterName(i.cluster), fmt.Appendf(nil, `{"cluster":%q,"uid":%q}`, i.cluster, i.objects.uid))
}

// plan plans with the right clock.
func (i *installation) plan() contract.OrphanPlan {
	i.t.Helper()
	plan, err := i.Plan(i.t.Context(), contract.PlanOrphansInput{Now: time.Now()})
	if err != nil {
		i.t.Fatal(err)
	}
	return plan
}

// remove removes what a plan found.
func (i *installation) remove(plan contract.OrphanPlan) contract.OrphanResult {
	i.t.Helper()
	res, err := i.Remove(i.t.Context(), new(heartbeat.Recorder), contract.RemoveOrphansInput{Orphans: plan.Remove})
	if err != nil {
		i.t.Fatal(err)
	}
	return res
}

// textOf is a plan as text: what goes, then what stays and why.
func textOf(p contract.OrphanPlan) string {
	var lines []string
	for _, o := range p.Remove {
		lines = append(lines, o.Kind+" "+o.ID)
	}
	for _, o := range p.Keep {
		lines = append(lines, o.Kind+" "+o.ID+" stays: "+o.Reason)
	}
	for _, u := range p.Unread {
		lines = append(lines, "unread: "+u)
	}
	return strings.Join(lines, "\n")
}

// runs are those of a Temporal.
type runs struct {
	mu    sync.Mutex
	alive map[string]bool
	err   error
}

func (r *runs) begin(workflow string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive == nil {
		r.alive = map[string]bool{}
	}
	r.alive[workflow] = true
}

func (r *runs) end(workflow string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.alive, workflow)
}

func (r *runs) Closed(_ context.Context, run contract.Run) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.alive[run.WorkflowID], r.err
}

// objects are those of a cluster.
type objects struct {
	uid       string
	contents  []orphan.Content
	snapshots map[string]bool // by namespace/name
	taken     []orphan.VolumeSnapshot
	attached  map[string]bool
	err       error
	deleted   []string
}

func (o *objects) ClusterUID(context.Context) (string, error)         { return o.uid, o.err }
func (o *objects) Contents(context.Context) ([]orphan.Content, error) { return o.contents, o.err }
func (o *objects) Volumes(context.Context) (map[string]bool, error)   { return o.attached, o.err }
func (o *objects) DeleteContent(_ context.Context, name, _ string) error {
	o.deleted = append(o.deleted, name)
	return o.err
}

func (o *objects) VolumeSnapshots(context.Context) ([]orphan.VolumeSnapshot, error) {
	return o.taken, o.err
}

func (o *objects) DeleteVolumeSnapshot(_ context.Context, ns, name, uid string) error {
	o.deleted = append(o.deleted, ns+"/"+name+" "+uid)
	return o.err
}

func (o *objects) HasSnapshot(_ context.Context, ns, n string) (bool, error) {
	return o.snapshots[ns+"/"+n], o.err
}

// abandoner does what the activities do for a backup that ended without cleaning up.
type abandoner struct{ *installation }

func (a abandoner) AbandonBackup(ctx context.Context, ref contract.BackupRef) error {
	st := a.stores[ref.Location]
	var doc velerov1.Backup
	switch err := repository.GetJSON(ctx, st, layout.Backup{Name: ref.Name}.Metadata(), &doc); {
	case err == nil && string(doc.UID) == ref.UID:
		return errors.Join(repository.ReleaseName(ctx, st, ref.Name, ref.UID), repository.NewStaging(st, ref.UID).Clear(ctx))
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	_, loc, err := a.snapshots.Get(ctx, "ebs")
	if err != nil {
		return err
	}
	if _, err := loc.Prune(ctx, ref.UID, nil); err != nil {
		return err
	}
	if err := repository.NewStaging(st, ref.UID).Clear(ctx); err != nil {
		return err
	}
	if err := repository.ClearBackupFiles(ctx, st, ref.Name, ref.UID, ""); err != nil {
		return err
	}
	return repository.ReleaseName(ctx, st, ref.Name, ref.UID)
}

func (a abandoner) AbandonRestore(ctx context.Context, ref contract.RestoreRef) error {
	return repository.NewStaging(a.stores[ref.Location], ref.UID).Clear(ctx)
}

// wire hands requests to the simulator without a network.
type wire struct {
	sim http.Handler

	mu   sync.Mutex
	seen int
	// inside are the requests that the simulator is at work on, since then; spent is how long it
	// was at work on any, by the machine's clock.
	inside int
	since  time.Time
	spent  time.Duration
	// fault says what befalls the request of a number, from 1.
	fault func(n int) outcome
}

// outcome is what becomes of a request.
type outcome int

const (
	answered outcome = iota
	refused          // it does not get there
	unheard          // it is done, and the answer is lost
)

var errCut = errors.New("connection cut")

func (w *wire) setFault(fault func(int) outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.fault = 0, fault
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

func (w *wire) next() outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen++
	if w.fault == nil {
		return answered
	}
	return w.fault(w.seen)
}

// enter counts requests in and out of the simulator.
func (w *wire) enter(n int) {
	now := machineTime()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside > 0 {
		w.spent += now.Sub(w.since)
	}
	w.inside, w.since = w.inside+n, now
}

// ownTime is how long the simulator was at work.
func (w *wire) ownTime() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spent
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	what := w.next()
	if what == refused {
		return nil, errCut
	}
	select {
	case <-time.After(time.Millisecond):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w.enter(1)
	answer, err := inprocess.Do(w.sim, r)
	w.enter(-1)
	if what == unheard {
		return nil, io.ErrUnexpectedEOF
	}
	return answer, err
}

// disk makes a volume with tags.
func (w *world) disk(tags map[string]string) string {
	w.t.Helper()
	out, err := w.ec2.CreateVolume(w.t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(region + "a"), Size: aws.Int32(1), TagSpecifications: tagsOf(types.ResourceTypeVolume, tags)})
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.VolumeId
}

// lock locks a snapshot for some days.
func (w *world) lock(id string, days int32) {
	w.t.Helper()
	_, err := w.ec2.LockSnapshot(w.t.Context(), &ec2.LockSnapshotInput{SnapshotId: &id, LockMode: types.LockModeGovernance, LockDuration: &days})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) clock() time.Time { return machineTime() }

// machineTime is the time of the machine: within a bubble time.Now tells the bubble's.
func machineTime() time.Time {
	var tv syscall.Timeval
	if err := syscall.Gettimeofday(&tv); err != nil {
		panic(err) // no system has no clock
	}
	return time.Unix(tv.Unix())
}

// attach attaches so many volumes to the instance.
func (w *world) attach(n int) {
	w.t.Helper()
	for i := range n {
		id := w.disk(nil)
		time.Sleep(time.Minute)
		in := &ec2.AttachVolumeInput{VolumeId: &id, InstanceId: aws.String(instance), Device: aws.String(fmt.Sprintf("/dev/sd%c", 'f'+i))}
		if _, err := w.ec2.AttachVolume(w.t.Context(), in); err != nil {
			w.t.Fatal(err)
		}
	}
	time.Sleep(time.Minute)
}

// snapshotAll makes a snapshot of each volume of the instance, with the same tags.
func (w *world) snapshotAll(tags map[string]string) (ids []string) {
	w.t.Helper()
	in := &ec2.CreateSnapshotsInput{InstanceSpecification: &types.InstanceSpecification{InstanceId: aws.String(instance), ExcludeBootVolume: aws.Bool(true)}, TagSpecifications: tagsOf(types.ResourceTypeSnapshot, tags)}
	out, err := w.ec2.CreateSnapshots(w.t.Context(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range out.Snapshots {
		ids = append(ids, *s.SnapshotId)
	}
	return ids
}

// tagsOf are tags as EC2 takes them, none where there are none.
func tagsOf(kind types.ResourceType, tags map[string]string) []types.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	spec := types.TagSpecification{ResourceType: kind}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		spec.Tags = append(spec.Tags, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return []types.TagSpecification{spec}
}

// drills are copies in a cluster. A copy that is held is asked to go, and does not.
type drills struct {
	copies  []orphan.Copy
	held    map[string]bool
	removed []string
	asked   int
}

func (d *drills) Copies(context.Context) ([]orphan.Copy, error) { return d.copies, nil }

func (d *drills) RemoveCopy(_ context.Context, drill string) (string, error) {
	d.asked++
	if d.held[drill] {
		return "namespaces restore-test-shop (finalizer x)", nil
	}
	d.removed = append(d.removed, drill)
	return "", nil
}
