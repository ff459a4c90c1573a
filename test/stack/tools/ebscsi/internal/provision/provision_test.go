package provision

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/simtest"
)

func withNodes(t *testing.T, zones map[string]string) *Provisioner {
	t.Helper()
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{})
	for name, zone := range zones {
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if zone != "" {
			node.Labels = map[string]string{driver.KnownZoneKey: zone}
		}
		if err := indexer.Add(node); err != nil {
			t.Fatal(err)
		}
	}
	return &Provisioner{Nodes: corelisters.NewNodeLister(indexer)}
}

func TestTopology(t *testing.T) {
	nodes := map[string]string{"n1": "z1", "n2": "z2", "bare": ""}
	tests := []struct {
		name, selected string
		nodes          map[string]string
		allowed, want  []string // one of want; none: no requirement
		fails          string
	}{
		{name: "the scheduler's node", selected: "n2", nodes: nodes, want: []string{"z2"}},
		{name: "a node that is gone", selected: "n9", nodes: nodes, fails: "not found"},
		{name: "a node without zone", selected: "bare", nodes: nodes, fails: "no label"},
		{name: "at once", nodes: nodes, want: []string{"z1", "z2"}},
		{name: "at once, class allows one", nodes: nodes, allowed: []string{"z2", "z3"}, want: []string{"z2"}},
		{name: "at once, class allows none with nodes", nodes: nodes, allowed: []string{"z3"}, fails: "allows"},
		{name: "no nodes", want: nil},
		{name: "no nodes, class allows one", allowed: []string{"z3"}, want: []string{"z3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			class := &storage.StorageClass{}
			if test.allowed != nil {
				class.AllowedTopologies = []v1.TopologySelectorTerm{{MatchLabelExpressions: []v1.TopologySelectorLabelRequirement{
					{Key: driver.ZoneKey, Values: test.allowed},
				}}}
			}
			claim := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: "a"}}
			got, err := withNodes(t, test.nodes).topology(controller.ProvisionOptions{PVC: claim, StorageClass: class, SelectedNodeName: test.selected})
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %v, want %q", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			zone := ""
			if preferred := got.GetPreferred(); len(preferred) == 1 {
				zone = preferred[0].GetSegments()[driver.ZoneKey]
			}
			if test.want == nil && got != nil || test.want != nil && !slices.Contains(test.want, zone) {
				t.Errorf("got %v, want one of %v", got, test.want)
			}
		})
	}
}

const snapshotText = `{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"s","namespace":"a","uid":"u1"},
"status":{"boundVolumeSnapshotContentName":"c","readyToUse":true,"restoreSize":"2Gi"}}`

const contentText = `{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotContent","metadata":{"name":"c"},
"spec":{"driver":"ebs.csi.aws.com","volumeSnapshotRef":{"name":"s","namespace":"a","uid":"u1"}},"status":{"snapshotHandle":"snap-1"}}`

func TestSource(t *testing.T) {
	tests := []struct{ name, old, changed, size, fails string }{
		{name: "ready", size: "2Gi"},
		{name: "larger", size: "3Gi"},
		{name: "too small", size: "1Gi", fails: "holds 2Gi"},
		{name: "pending", old: `"readyToUse":true`, changed: `"readyToUse":false`, size: "2Gi", fails: "not ready"},
		{name: "unbound", old: `"boundVolumeSnapshotContentName":"c",`, size: "2Gi", fails: "not bound"},
		{name: "content lost", old: `"name":"c"}`, changed: `"name":"d"}`, size: "2Gi", fails: "not found"},
		{name: "of another", old: `"uid":"u1"}},"status"`, changed: `"uid":"u2"}},"status"`, size: "2Gi", fails: "another snapshot"},
		{name: "of another driver", old: "ebs.csi.aws.com", changed: "disks.example.com", size: "2Gi", fails: "driver disks.example.com"},
		{name: "no handle", old: "snap-1", size: "2Gi", fails: "no handle"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			replace := func(text string) string { return text }
			if test.old != "" {
				replace = func(text string) string { return strings.ReplaceAll(text, test.old, test.changed) }
			}
			source, err := cluster(t, replace(snapshotText), replace(contentText)).source(t.Context(), claimFrom("s", test.size))
			switch {
			case test.fails == "" && (err != nil || source.GetSnapshot().GetSnapshotId() != "snap-1"):
				t.Errorf("got %v, %v", source, err)
			case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
				t.Errorf("got %v, want %q", err, test.fails)
			}
		})
	}
}

func claimFrom(snapshot, size string) *v1.PersistentVolumeClaim {
	group := snapshotGroup
	claim := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: "a"}}
	claim.Spec.DataSource = &v1.TypedLocalObjectReference{APIGroup: &group, Kind: "VolumeSnapshot", Name: snapshot}
	claim.Spec.Resources.Requests = v1.ResourceList{v1.ResourceStorage: resource.MustParse(size)}
	return claim
}

func cluster(t *testing.T, texts ...string) *Provisioner {
	t.Helper()
	var objects []runtime.Object
	for _, text := range texts {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	group := schema.GroupVersion{Group: snapshotGroup, Version: "v1"}
	return &Provisioner{Driver: driver.Name, Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		group.WithResource("volumesnapshots"): "VolumeSnapshotList", group.WithResource("volumesnapshotcontents"): "VolumeSnapshotContentList",
	}, objects...)}
}

// TestVolumeIsOfItsZone: a PersistentVolume fits the nodes of its volume's zone by Kubernetes'
// own key alone, as those of the real driver do since 1.33.
func TestVolumeIsOfItsZone(t *testing.T) {
	p := withNodes(t, map[string]string{"n1": simtest.Zone})
	p.Driver, p.Volumes = driver.Name, driver.NewController(simtest.Start(t).Cloud)
	claim := &v1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data", Namespace: "a"}}
	claim.Spec.AccessModes = []v1.PersistentVolumeAccessMode{v1.ReadWriteOnce}
	claim.Spec.Resources.Requests = v1.ResourceList{v1.ResourceStorage: resource.MustParse("1Gi")}
	pv, _, err := p.Provision(t.Context(), controller.ProvisionOptions{PVC: claim, PVName: "pvc-1", StorageClass: &storage.StorageClass{Provisioner: driver.Name}, SelectedNodeName: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{
		{Key: "topology.kubernetes.io/zone", Operator: v1.NodeSelectorOpIn, Values: []string{simtest.Zone}},
	}}}
	if got := pv.Spec.NodeAffinity.Required.NodeSelectorTerms; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestIdentityIsNew(t *testing.T) {
	first := NewIdentity(driver.Name)
	time.Sleep(2 * time.Millisecond)
	if second := NewIdentity(driver.Name); first == second || !strings.HasSuffix(first, driver.Name) {
		t.Errorf("got %s and %s", first, second)
	}
}
