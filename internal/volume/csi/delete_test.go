package csi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

const exampleDriver = "example.org"

// csiCluster is an API server with a snapshotter behind it. What the driver makes of
// a snapshot is its handle: "works", "slow" (works only after a while), "refuses",
// "silent", "late", "gone", "broken" or "group".
type csiCluster struct {
	uninstalled bool // no definitions

	mu       sync.Mutex
	contents map[string]*snapshotv1.VolumeSnapshotContent
	snaps    map[string]*snapshotv1.VolumeSnapshot // by "namespace/name"
	deleted  []string                              // handles
	made     int
}

func (s *csiCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, path, _ := strings.Cut(r.URL.Path, "/v1/")
	kind, name, _ := strings.Cut(path, "/")
	switch {
	case kind == "csidrivers":
		fmt.Fprintf(w, `{"items":[{"metadata":{"name":%q}}]}`, exampleDriver)
	case s.uninstalled:
		answer(w, http.StatusNotFound, "NotFound")
	case kind == "volumesnapshotclasses":
		fmt.Fprintf(w, `{"items":[{"metadata":{"name":"fast"},"driver":%q},{"metadata":{"name":"other"},"driver":"x"}]}`, exampleDriver)
	case kind == "namespaces":
		ns, rest, _ := strings.Cut(name, "/")
		s.snapshot(w, r, ns+strings.TrimPrefix(rest, "volumesnapshots"))
	case r.Method == http.MethodPost:
		s.create(w, r)
	case name == "":
		s.list(w, r)
	default:
		s.one(w, r, name)
	}
}

func answer(w http.ResponseWriter, code int, reason string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}

func (s *csiCluster) snapshot(w http.ResponseWriter, r *http.Request, key string) {
	vs := s.snaps[key]
	switch {
	case vs == nil:
		answer(w, http.StatusNotFound, "NotFound")
	case r.Method == http.MethodDelete:
		delete(s.snaps, key)
		fallthrough
	default:
		_ = json.NewEncoder(w).Encode(vs)
	}
}

func (s *csiCluster) create(w http.ResponseWriter, r *http.Request) {
	var c snapshotv1.VolumeSnapshotContent
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		answer(w, http.StatusBadRequest, "BadRequest")
		return
	}
	if s.contents[c.Name] != nil {
		answer(w, http.StatusConflict, "AlreadyExists")
		return
	}
	s.made++
	c.UID, c.CreationTimestamp = "u1", metav1.Now()
	s.contents[c.Name] = &c
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(c)
}

func (s *csiCluster) list(w http.ResponseWriter, r *http.Request) {
	key, value, _ := strings.Cut(r.URL.Query().Get("labelSelector"), "=")
	list := snapshotv1.VolumeSnapshotContentList{Items: []snapshotv1.VolumeSnapshotContent{}}
	for _, c := range s.contents {
		if c.Labels[key] == value {
			list.Items = append(list.Items, *c)
		}
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (s *csiCluster) one(w http.ResponseWriter, r *http.Request, name string) {
	c := s.contents[name]
	if c == nil {
		answer(w, http.StatusNotFound, "NotFound")
		return
	}
	switch r.Method {
	case http.MethodPatch:
		patch(c, r)
	case http.MethodDelete:
		now := metav1.Now()
		c.DeletionTimestamp = &now
	}
	s.settle(c)
	_ = json.NewEncoder(w).Encode(c)
}

// patch merges as far as the deleter's patches go.
func patch(c *snapshotv1.VolumeSnapshotContent, r *http.Request) {
	var p struct {
		Metadata map[string]json.RawMessage
		Spec     struct{ DeletionPolicy snapshotv1.DeletionPolicy }
	}
	_ = json.NewDecoder(r.Body).Decode(&p)
	if f, ok := p.Metadata["finalizers"]; ok {
		c.Finalizers = nil
		_ = json.Unmarshal(f, &c.Finalizers)
	}
	_ = json.Unmarshal(p.Metadata["annotations"], &c.Annotations)
	if p.Spec.DeletionPolicy != "" {
		c.Spec.DeletionPolicy = p.Spec.DeletionPolicy
	}
}

// settle does what the real one would have done by now.
func (s *csiCluster) settle(c *snapshotv1.VolumeSnapshotContent) {
	handle := SnapshotHandleOf(*c)
	s.status(c, handle)
	unbound := c.Spec.Source.SnapshotHandle != nil || c.Annotations[annotationBeingDeleted] != ""
	if c.DeletionTimestamp != nil && slices.Contains(c.Finalizers, finalizerContent) && unbound && handle != "silent" {
		doomed := c.Spec.DeletionPolicy == snapshotv1.VolumeSnapshotContentDelete && c.Status != nil && c.Status.SnapshotHandle != nil
		if doomed && handle == "refuses" {
			return
		}
		if doomed && GroupHandleOf(c) == "" {
			s.deleted = append(s.deleted, handle)
		}
		c.Finalizers = slices.DeleteFunc(c.Finalizers, func(f string) bool { return f == finalizerContent })
	}
	if c.DeletionTimestamp != nil && len(c.Finalizers) == 0 {
		delete(s.contents, c.Name)
	}
}

func (s *csiCluster) status(c *snapshotv1.VolumeSnapshotContent, handle string) {
	says := map[string]string{
		"works": `{"snapshotHandle":"works"}`, "refuses": `{"snapshotHandle":"refuses"}`,
		"group":  `{"snapshotHandle":"group","volumeGroupSnapshotHandle":"g-1"}`,
		"gone":   `{"error":{"message":"can not find snapshot for snapshotID gone"}}`,
		"broken": `{"error":{"message":"rpc error: no credentials"}}`,
	}[handle]
	if handle == "slow" && time.Since(c.CreationTimestamp.Time) > 100*time.Millisecond {
		says = `{"snapshotHandle":"slow"}`
	}
	if handle == "late" { // the driver finds it at the second look
		says = `{"error":{"message":"rpc error: code = NotFound"}}`
		if time.Since(c.CreationTimestamp.Time) > 60*time.Millisecond {
			c.Status, says = nil, `{"snapshotHandle":"late"}`
		}
	}
	if says != "" && c.Status == nil {
		c.Status = &snapshotv1.VolumeSnapshotContentStatus{}
		_ = json.Unmarshal([]byte(says), c.Status)
	}
}

// deleterOn is a deleter of backup "b" on that cluster, with the contents it has.
func deleterOn(t *testing.T, s *csiCluster, contents ...*snapshotv1.VolumeSnapshotContent) *deletion {
	t.Helper()
	if s.contents == nil {
		s.contents = map[string]*snapshotv1.VolumeSnapshotContent{}
	}
	for _, c := range contents {
		s.contents[c.Name] = c
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kube.New(&kube.RESTConfig{Host: server.URL}, kube.Options{RetryFor: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	d := &deletion{kube: client, owner: volume.Owner{Name: "b", UID: "u"}, times: deletionTimes{
		work: 2 * time.Second, release: 200 * time.Millisecond, insist: 150 * time.Millisecond,
		first: 10 * time.Millisecond, most: 20 * time.Millisecond,
	}}
	if err := d.readCluster(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeleteCSI(t *testing.T) {
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
			cluster := &csiCluster{uninstalled: tc.bare}
			d := deleterOn(t, cluster)
			end, err := d.deleteOne(t.Context(), tc.snapshot)
			cluster.mu.Lock()
			defer cluster.mu.Unlock()
			if err != nil || end.Outcome != tc.want || !strings.Contains(end.Reason, tc.reason) {
				t.Errorf("%+v, %v", end, err)
			}
			if got := len(cluster.deleted) > 0; got != (tc.want == volume.Deleted) {
				t.Errorf("deleted %v", cluster.deleted)
			}
			if len(cluster.contents) > 0 || cluster.made > 1 {
				t.Errorf("made %d, left %v", cluster.made, cluster.contents)
			}
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
			s := &csiCluster{}
			snapshot := volume.CSIRef{Driver: exampleDriver, Handle: "works", Class: "fast"}
			left := (&deletion{owner: volume.Owner{Name: "b", UID: "u"}}).placeholderContent(snapshot)
			left.UID = "u0"
			tc.left(left)
			if left.DeletionTimestamp != nil {
				left.Status = &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &snapshot.Handle}
				time.AfterFunc(50*time.Millisecond, func() { s.mu.Lock(); defer s.mu.Unlock(); s.settle(left) })
			}
			end, err := deleterOn(t, s, left).deleteOne(t.Context(), snapshot)
			s.mu.Lock()
			defer s.mu.Unlock()
			if err != nil || end.Outcome != tc.want || len(s.contents) > 0 {
				t.Errorf("%+v, %v, left %v", end, err, s.contents)
			}
			if got := len(s.deleted) > 0; got != (tc.want == volume.Deleted) {
				t.Errorf("deleted %v", s.deleted)
			}
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
			labels := map[string]string{resource.LabelBackup: tc.label}
			c := &snapshotv1.VolumeSnapshotContent{ObjectMeta: metav1.ObjectMeta{Name: content, UID: "c1", Labels: labels}}
			c.Spec = snapshotv1.VolumeSnapshotContentSpec{
				Driver: exampleDriver, DeletionPolicy: "Retain", Source: snapshotv1.VolumeSnapshotContentSource{VolumeHandle: &volumeHandle},
				VolumeSnapshotRef: corev1.ObjectReference{Namespace: "shop", Name: "vs", UID: "v1"},
			}
			c.Status = &snapshotv1.VolumeSnapshotContentStatus{SnapshotHandle: &tc.handle}
			s := &csiCluster{snaps: map[string]*snapshotv1.VolumeSnapshot{"shop/vs": {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "vs", UID: "v1", Labels: labels}}}}
			end, err := deleterOn(t, s, c).deleteOne(t.Context(), snapshot)
			if err != nil || end.Outcome != volume.Deleted || !slices.Equal(s.deleted, []string{works}) {
				t.Errorf("%+v, %v, deleted %v", end, err, s.deleted)
			}
			if used := len(s.contents) == 0 && len(s.snaps) == 0 && s.made == 0; used != tc.own {
				t.Errorf("used it: %t; contents %v, snapshots %v, made %d", used, s.contents, s.snaps, s.made)
			}
			if !tc.own && c.Spec.DeletionPolicy != "Retain" {
				t.Error("it was marked for deletion")
			}
		})
	}
}

// TestPlaceholderContent: what is made for a deletion can be found again, and names a class
// only if the cluster has it for that driver.
func TestPlaceholderContent(t *testing.T) {
	d := deleterOn(t, &csiCluster{})
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
