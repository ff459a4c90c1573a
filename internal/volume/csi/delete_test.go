package csi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
)

const exampleDriver = "example.org"

// csiCluster is an API server with a snapshotter behind it. What the driver makes of
// a snapshot is its handle, or what behaves says: "works", "slow" (works only after a while),
// "refuses", "silent", "late", "gone", "broken" or "group".
type csiCluster struct {
	*kubetest.Server

	mu        sync.Mutex
	behaves   map[string]string    // by handle
	deleted   []string             // handles
	deletedAt time.Time            // the last of them
	seen      map[string]time.Time // when the snapshotter heard of a content
}

// newCluster has one CSI driver with its classes, and these contents.
func newCluster(t *testing.T, objects ...runtime.Object) *csiCluster {
	t.Helper()
	s := &csiCluster{Server: kubetest.Start(t, kubetest.WithoutNetwork()), behaves: map[string]string{}, seen: map[string]time.Time{}}
	s.Put(&storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: exampleDriver}},
		&snapshotv1.VolumeSnapshotClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Driver: exampleDriver, DeletionPolicy: "Delete"},
		&snapshotv1.VolumeSnapshotClass{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Driver: "x", DeletionPolicy: "Delete"})
	s.Put(objects...)
	s.React(kubetest.On("get", kube.VolumeSnapshotContents()), func(q kubetest.Request) error {
		s.reconcile(q.Name)
		return nil
	})
	return s
}

func (s *csiCluster) contents() []snapshotv1.VolumeSnapshotContent {
	return kubetest.All[snapshotv1.VolumeSnapshotContent](s.Server, kube.VolumeSnapshotContents())
}

func (s *csiCluster) made() int {
	return s.Count(kubetest.On("create", kube.VolumeSnapshotContents()))
}

func (s *csiCluster) deletedHandles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deleted)
}

// deletionTakes is how long the driver needs from when it hears of a content on.
const deletionTakes = 30 * time.Millisecond

// reconcile does what the real snapshotter would have done by now.
func (s *csiCluster) reconcile(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kubetest.Modify(s.Server, kube.VolumeSnapshotContents(), "", name, func(c *snapshotv1.VolumeSnapshotContent) {
		if s.seen[name].IsZero() {
			s.seen[name] = time.Now()
		}
		handle := snapshotcontent.HandleOf(*c)
		behaviour := cmp.Or(s.behaves[handle], handle)
		noteAnswer(c, handle, behaviour, time.Since(s.seen[name]))
		unbound := c.Spec.Source.SnapshotHandle != nil || c.Annotations[annotationBeingDeleted] != ""
		if c.DeletionTimestamp == nil || !slices.Contains(c.Finalizers, finalizerContent) || !unbound || behaviour == "silent" || time.Since(s.seen[name]) < deletionTakes {
			return
		}
		asked := c.Spec.DeletionPolicy == snapshotv1.VolumeSnapshotContentDelete && c.Status != nil && c.Status.SnapshotHandle != nil
		if asked && behaviour == "refuses" {
			return
		}
		if asked && snapshotcontent.GroupHandleOf(c) == "" {
			s.deleted, s.deletedAt, s.behaves[handle] = append(s.deleted, handle), time.Now(), "gone"
		}
		c.Finalizers = slices.DeleteFunc(c.Finalizers, func(f string) bool { return f == finalizerContent })
	})
}

// noteAnswer notes on a content what its driver says of the snapshot after some time.
func noteAnswer(c *snapshotv1.VolumeSnapshotContent, handle, behaviour string, after time.Duration) {
	found := fmt.Sprintf(`{"snapshotHandle":%q}`, handle)
	says := map[string]string{
		"works": found, "refuses": found,
		"group":  `{"snapshotHandle":"group","volumeGroupSnapshotHandle":"g-1"}`,
		"gone":   fmt.Sprintf(`{"error":{"message":"can not find snapshot for snapshotID %s"}}`, handle),
		"broken": `{"error":{"message":"rpc error: no credentials"}}`,
	}[behaviour]
	if behaviour == "slow" && after > 100*time.Millisecond {
		says = found
	}
	if behaviour == "late" { // the driver finds it at the second look
		says = `{"error":{"message":"rpc error: code = NotFound"}}`
		if after > 60*time.Millisecond {
			c.Status, says = nil, found
		}
	}
	if says != "" && c.Status == nil {
		c.Status = &snapshotv1.VolumeSnapshotContentStatus{}
		_ = json.Unmarshal([]byte(says), c.Status)
	}
}

// deletionOn deletes snapshots of backup "b" on that cluster.
func deletionOn(t *testing.T, s *kubetest.Server) *deletion {
	t.Helper()
	d := &deletion{kube: s.Client(), owner: volume.Owner{Name: "b", UID: "u"}, times: deletionTimes{
		work: 2 * time.Second, release: 200 * time.Millisecond, insist: 150 * time.Millisecond,
		first: 10 * time.Millisecond, most: 20 * time.Millisecond,
	}}
	if err := d.readCluster(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeleteCSI(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		snapshot volume.CSIRef
		bare     bool // no definitions
		want     volume.Outcome
		reason   string
	}{
		"works":            {volume.CSIRef{Driver: exampleDriver, Handle: "works"}, false, volume.Deleted, ""},
		"after a while":    {volume.CSIRef{Driver: exampleDriver, Handle: "slow"}, false, volume.Deleted, ""},
		"found late":       {volume.CSIRef{Driver: exampleDriver, Handle: "late"}, false, volume.Deleted, ""},
		"gone already":     {volume.CSIRef{Driver: exampleDriver, Handle: "gone"}, false, volume.Gone, ""},
		"driver refuses":   {volume.CSIRef{Driver: exampleDriver, Handle: "refuses"}, false, volume.Retained, "has not deleted it in 2s; its log says why"},
		"driver is broken": {volume.CSIRef{Driver: exampleDriver, Handle: "broken"}, false, volume.Retained, "has not deleted it in 2s: rpc error: no credentials"},
		"no snapshotter":   {volume.CSIRef{Driver: exampleDriver, Handle: "silent"}, false, volume.Retained, "check that its snapshotter runs"},
		"found in a group": {volume.CSIRef{Driver: exampleDriver, Handle: "group"}, false, volume.Retained, "part of group snapshot g-1"},
		"known in a group": {volume.CSIRef{Driver: exampleDriver, Handle: "works", Group: "g-2"}, false, volume.Retained, "part of group snapshot g-2"},
		"no driver":        {volume.CSIRef{Driver: "x", Handle: "works"}, false, volume.Retained, "not installed in the cluster; delete it at its provider"},
		"no definitions":   {volume.CSIRef{Driver: exampleDriver, Handle: "works"}, true, volume.Retained, "does not serve volumesnapshotcontents"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cluster := newCluster(t)
				if tc.bare {
					cluster.Withdraw(resource.VolumeSnapshotContents)
				}
				d := deletionOn(t, cluster.Server)
				end, err := d.deleteOne(t.Context(), tc.snapshot)
				if err != nil || end.Outcome != tc.want || !strings.Contains(end.Reason, tc.reason) {
					t.Errorf("%+v, %v", end, err)
				}
				if got := len(cluster.deletedHandles()) > 0; got != (tc.want == volume.Deleted) {
					t.Errorf("deleted %v", cluster.deletedHandles())
				}
				if len(cluster.contents()) > 0 || cluster.made() > 1 {
					t.Errorf("made %d, left %v", cluster.made(), cluster.contents())
				}
			})
		})
	}
}

// TestDeleteCSIGoesOn takes up what an attempt before left, wherever that one died.
func TestDeleteCSIGoesOn(t *testing.T) {
	now := metav1.Now()
	for name, tc := range map[string]struct {
		left func(*snapshotv1.VolumeSnapshotContent)
		want volume.Outcome
	}{
		"made":     {func(*snapshotv1.VolumeSnapshotContent) {}, volume.Deleted},
		"asked":    {func(c *snapshotv1.VolumeSnapshotContent) { c.DeletionTimestamp = &now }, volume.Deleted},
		"given up": {func(c *snapshotv1.VolumeSnapshotContent) { c.Spec.DeletionPolicy = "Retain" }, volume.Retained},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				snapshot := volume.CSIRef{Driver: exampleDriver, Handle: "works", Class: "fast"}
				left := (&deletion{owner: volume.Owner{Name: "b", UID: "u"}}).placeholderContent(snapshot)
				left.UID = "u0"
				tc.left(left)
				if left.DeletionTimestamp != nil {
					left.Status = &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &snapshot.Handle}
				}
				s := newCluster(t, left)
				end, err := deletionOn(t, s.Server).deleteOne(t.Context(), snapshot)
				if err != nil || end.Outcome != tc.want || len(s.contents()) > 0 {
					t.Errorf("%+v, %v, left %v", end, err, s.contents())
				}
				if got := len(s.deletedHandles()) > 0; got != (tc.want == volume.Deleted) {
					t.Errorf("deleted %v", s.deletedHandles())
				}
			})
		})
	}
}

// TestDeleteCSIByTheBackupsOwnContent: one that the cluster still has is used, and
// only if it is the backup's and stands for that very snapshot.
func TestDeleteCSIByTheBackupsOwnContent(t *testing.T) {
	works, volumeHandle, content := "works", "vol-1", "content-1"
	snapshot := volume.CSIRef{Driver: exampleDriver, Handle: works, Content: content}
	for name, tc := range map[string]struct {
		label, handle string
		own           bool
	}{
		"the backup's":     {"b", works, true},
		"another backup's": {"c", works, false},
		"another snapshot": {"b", "other", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				labels := map[string]string{resource.LabelBackup: tc.label}
				c := &snapshotv1.VolumeSnapshotContent{ObjectMeta: metav1.ObjectMeta{Name: content, UID: "c1", Labels: labels}}
				c.Spec = snapshotv1.VolumeSnapshotContentSpec{
					Driver: exampleDriver, DeletionPolicy: "Retain", Source: snapshotv1.VolumeSnapshotContentSource{VolumeHandle: &volumeHandle},
					VolumeSnapshotRef: corev1.ObjectReference{Namespace: "shop", Name: "vs", UID: "v1"},
				}
				c.Status = &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &tc.handle}
				s := newCluster(t, c, &snapshotv1.VolumeSnapshot{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "vs", UID: "v1", Labels: labels}})
				end, err := deletionOn(t, s.Server).deleteOne(t.Context(), snapshot)
				if err != nil || end.Outcome != volume.Deleted || !slices.Equal(s.deletedHandles(), []string{works}) {
					t.Errorf("%+v, %v, deleted %v", end, err, s.deletedHandles())
				}
				snapshots := kubetest.All[snapshotv1.VolumeSnapshot](s.Server, kube.VolumeSnapshots())
				if used := len(s.contents()) == 0 && len(snapshots) == 0 && s.made() == 0; used != tc.own {
					t.Errorf("used it: %t; contents %v, snapshots %v, made %d", used, s.contents(), snapshots, s.made())
				}
				if left := s.contents(); !tc.own && (len(left) != 1 || left[0].Spec.DeletionPolicy != "Retain") {
					t.Error("it was marked for deletion")
				}
			})
		})
	}
}

// TestPlaceholderContent: what is made for a deletion can be found again, and names a class
// only if the cluster has it for that driver.
func TestPlaceholderContent(t *testing.T) {
	d := deletionOn(t, newCluster(t).Server)
	snapshot := volume.CSIRef{Driver: exampleDriver, Handle: "h", Class: "fast", SourceMode: "Block", Annotations: map[string]string{"snapshot.storage.kubernetes.io/deletion-secret-name": "s"}}
	c := d.placeholderContent(snapshot)
	if *c.Spec.VolumeSnapshotClassName != "fast" || *c.Spec.SourceVolumeMode != "Block" || len(c.Annotations) != 1 ||
		c.Spec.DeletionPolicy != "Delete" || !slices.Contains(c.Finalizers, finalizerContent) || c.Spec.VolumeSnapshotRef.Namespace != c.Name {
		t.Errorf("%+v", c)
	}
	if again := d.placeholderContent(snapshot); again.Name != c.Name {
		t.Errorf("%s, then %s", c.Name, again.Name)
	}
	for _, class := range []string{"other", "missing", ""} {
		snapshot.Class = class
		if c := d.placeholderContent(snapshot); c.Spec.VolumeSnapshotClassName != nil {
			t.Errorf("class %q", *c.Spec.VolumeSnapshotClassName)
		}
	}
	snapshot.Handle = "h2"
	if other := d.placeholderContent(snapshot); other.Name == c.Name {
		t.Error("two snapshots, one name")
	}
}

// provider keeps these snapshots, from its nth answer on.
type provider struct {
	kept  map[string]string
	from  int
	asked int
	shows map[string]int // for so many looks
	hides int            // everything, for so many looks
}

func (p *provider) ExistingSnapshots(_ context.Context, refs []volume.CSIRef) map[string]bool {
	out := map[string]bool{}
	if p.hides--; p.hides >= 0 {
		return out
	}
	for _, s := range refs {
		if p.shows[s.Handle]--; p.shows[s.Handle] >= 0 {
			out[s.Handle] = true
		}
	}
	return out
}

func (p *provider) KeptSnapshots(context.Context, []volume.CSIRef) map[string]string {
	if p.asked++; p.asked < p.from {
		return nil
	}
	return p.kept
}

// TestGoneIsDoubted: a snapshot that its driver does not find and that EC2 goes on showing
// is retained. One that was just deleted may be shown for a while, and one of a young backup may
// be hidden.
func TestGoneIsDoubted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := []volume.CSIRef{{Handle: "gone"}, {Handle: "lingers"}, {Handle: "exists"}, {Handle: "done"}}
		ends := []volume.Deletion{{Outcome: volume.Gone}, {Outcome: volume.Gone}, {Outcome: volume.Gone}, {Outcome: volume.Deleted}}
		d := &Deleter{Provider: &provider{shows: map[string]int{"lingers": 1, "exists": 99, "done": 99}}}
		if err := d.doubtGone(t.Context(), volume.Owner{}, all, ends, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for i, want := range []volume.Outcome{volume.Gone, volume.Gone, volume.Retained, volume.Deleted} {
			if ends[i].Outcome != want {
				t.Errorf("%s: %+v", all[i].Handle, ends[i])
			}
		}
	})
}

func TestGoneIsDoubtedOfYoungBackups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hidden := []volume.CSIRef{{Handle: "hidden"}}
		for name, tc := range map[string]struct {
			ended time.Time
			want  volume.Outcome
		}{"young": {time.Now(), volume.Retained}, "old": {time.Now().Add(-time.Hour), volume.Gone}} {
			ends := []volume.Deletion{{Outcome: volume.Gone}}
			d := &Deleter{Provider: &provider{hides: 1, shows: map[string]int{"hidden": 99}}}
			if err := d.doubtGone(t.Context(), volume.Owner{Ended: tc.ended}, hidden, ends, 10*time.Millisecond); err != nil || ends[0].Outcome != tc.want {
				t.Errorf("%s: %+v, %v", name, ends[0], err)
			}
		}
	})
}

// TestSaysSnapshotIsGone: the driver of EBS asks for many snapshots at once, and gives all
// of them the error of the one that is missing.
func TestSaysSnapshotIsGone(t *testing.T) {
	const batch = `Failed to check and update snapshot content: failed to list snapshot for content c: "rpc error: code = Internal desc = Could not get snapshot ID \"snap-good\": ` +
		`error listing snapshots: operation error EC2: DescribeSnapshots, https response error StatusCode: 400, api error InvalidSnapshot.NotFound: The snapshot 'snap-bad' does not exist."`
	for name, tc := range map[string]struct {
		message, handle string
		want            bool
	}{
		"another one is missing":     {batch, "snap-good", false},
		"this one is missing":        {batch, "snap-bad", true},
		"it is a part of the name":   {batch, "snap-ba", false},
		"several are missing":        {"InvalidSnapshot.NotFound: The snapshots 'snap-a, snap-b' do not exist", "snap-b", true},
		"the snapshotter's own text": {"can not find snapshot for snapshotID h", "h", true},
		"another driver":             {"rpc error: code = NotFound desc = no such snapshot", "h", true},
		"a host is not found":        {"rpc error: code = Unavailable desc = HostNotFound", "h", false},
		"nothing":                    {"", "h", false},
	} {
		if got := SaysSnapshotIsGone(tc.message, tc.handle); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestDeleteOfKeptSnapshots: a driver is not asked to delete what its provider keeps, and
// what the provider keeps after the driver has deleted it is no deletion.
func TestDeleteOfKeptSnapshots(t *testing.T) {
	for name, tc := range map[string]struct {
		from    int
		deleted []string
	}{
		"kept before": {1, nil},
		"kept after":  {2, []string{"works"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newCluster(t)
			d := &Deleter{Kube: s.Client(), Provider: &provider{kept: map[string]string{"works": "locked"}, from: tc.from}}
			ends := map[string]volume.Deletion{}
			err := d.Delete(t.Context(), volume.Owner{Name: "b", UID: "u"}, []volume.Ref{volume.CSIRef{Driver: exampleDriver, Handle: "works"}, volume.CSIRef{Driver: "x", Handle: "h"}},
				func(ref volume.Ref, end volume.Deletion, err error) {
					ends[ref.String()] = end
					if err != nil {
						t.Error(err)
					}
				})
			if err != nil || len(ends) != 2 || ends["snapshot works of driver "+exampleDriver] != (volume.Deletion{Outcome: volume.Retained, Reason: "locked"}) {
				t.Errorf("%+v, %v", ends, err)
			}
			if !slices.Equal(s.deletedHandles(), tc.deleted) {
				t.Errorf("deleted %v", s.deletedHandles())
			}
		})
	}
}

// lateBin is a provider whose Recycle Bin shows a snapshot a while after its driver has deleted it.
type lateBin struct {
	provider
	cluster *csiCluster
}

func (p *lateBin) KeptSnapshots(context.Context, []volume.CSIRef) map[string]string {
	p.cluster.mu.Lock()
	defer p.cluster.mu.Unlock()
	if at := p.cluster.deletedAt; at.IsZero() || time.Since(at) < quota.BinShowsAfter/2 {
		return nil
	}
	return map[string]string{"works": "kept in the Recycle Bin"}
}

// TestDeleteIntoTheRecycleBin: what the bin keeps is retained, though it does not show it at once.
func TestDeleteIntoTheRecycleBin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newCluster(t, &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: volume.DriverEBS}},
			&snapshotv1.VolumeSnapshotClass{ObjectMeta: metav1.ObjectMeta{Name: "ebs"}, Driver: volume.DriverEBS, DeletionPolicy: "Delete"})
		d := &Deleter{Kube: s.Client(), Provider: &lateBin{cluster: s}}
		err := d.Delete(t.Context(), volume.Owner{Name: "b", UID: "u"}, []volume.Ref{volume.CSIRef{Driver: volume.DriverEBS, Handle: "works"}}, func(_ volume.Ref, end volume.Deletion, err error) {
			if err != nil || end.Outcome != volume.Retained {
				t.Errorf("%+v, %v", end, err)
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}
