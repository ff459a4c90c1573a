package drill

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func planned() *restore.Volumes {
	return &restore.Volumes{Volumes: []volume.Restore{
		{PV: "a", Namespace: "shop", Claim: "data", Selected: true, Disposition: volume.Dynamic, Class: "gp3", Capacity: 5 << 30},
		{PV: "b", Namespace: "shop", Claim: "other", Disposition: volume.Dynamic, Class: "gp3", Capacity: 1 << 30}, // not selected
	}}
}

// TestBudget: what the plan needs is held against the budget, and 0 bounds nothing.
func TestBudget(t *testing.T) {
	two := planned()
	two.Volumes[1].Selected = true
	for name, tc := range map[string]struct {
		budget definition.Budget
		says   string
	}{
		"none": {definition.Budget{}, ""}, "enough": {definition.Budget{Volumes: 2, GiB: 6}, ""},
		"volumes": {definition.Budget{Volumes: 1}, "spec.budget.volumes: 2 volumes"}, "size": {definition.Budget{GiB: 5}, "spec.budget.gib: volumes of 6 GiB"},
	} {
		if err := checkBudget(two, tc.budget); (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refuseIn holds the claims of a plan against the volumes of a cluster.
func refuseIn(t *testing.T, cluster *kubetest.Server, plan *restore.Volumes) error {
	t.Helper()
	s := &Service{Kube: cluster.Client()}
	free, err := s.freeVolumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.refuseRequests(t.Context(), free, plannedRequests(plan))
}

// TestForeignVolume: a drill does not begin where a claim of its copy would be bound to a volume
// that somebody has left there.
func TestForeignVolume(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(pv *corev1.PersistentVolume)
		bound  bool
	}{
		"fits": {func(*corev1.PersistentVolume) {}, true},
		"larger": {func(pv *corev1.PersistentVolume) {
			pv.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("9Gi")
		}, true},
		"too small": {func(pv *corev1.PersistentVolume) {
			pv.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("4Gi")
		}, false},
		"usual class":   {func(pv *corev1.PersistentVolume) { pv.Spec.StorageClassName = "standard" }, false},
		"another class": {func(pv *corev1.PersistentVolume) { pv.Spec.StorageClassName = "io2" }, false},
		"reserved": {func(pv *corev1.PersistentVolume) {
			pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "x", Name: "y"}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			pv := &corev1.PersistentVolume{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"}, ObjectMeta: metav1.ObjectMeta{Name: "left"},
				Spec: corev1.PersistentVolumeSpec{StorageClassName: "gp3", Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}},
			}
			tc.change(pv)
			cluster := kubetest.Start(t)
			cluster.Serve(kubetest.Type{Resource: kube.StorageClasses()})
			cluster.Put(pv)
			err := refuseIn(t, cluster, planned())
			if (err != nil) != tc.bound || err != nil && (!strings.Contains(err.Error(), "volume left") || !strings.Contains(err.Error(), "claim shop/data")) {
				t.Error(err)
			}
		})
	}
}

// TestForeignVolumeOfNoClass: a claim of no class is bound to a free volume of the cluster's usual one,
// and where there is none, to one of no class.
func TestForeignVolumeOfNoClass(t *testing.T) {
	plan := &restore.Volumes{Volumes: []volume.Restore{{PV: "a", Namespace: "shop", Claim: "data", Selected: true, Disposition: volume.Dynamic, Capacity: 5 << 30}}}
	usual := &storagev1.StorageClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass"},
		ObjectMeta: metav1.ObjectMeta{Name: "standard", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
	}
	for name, tc := range map[string]struct {
		class    string
		hasUsual bool
		bound    bool
	}{
		"of the usual class": {"standard", true, true}, "of no class beside a usual one": {"", true, false},
		"of no class": {"", false, true}, "of a class": {"standard", false, false},
	} {
		cluster := kubetest.Start(t)
		cluster.Serve(kubetest.Type{Resource: kube.StorageClasses()})
		if tc.hasUsual {
			cluster.Put(usual)
		}
		cluster.Put(&corev1.PersistentVolume{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"}, ObjectMeta: metav1.ObjectMeta{Name: "left"},
			Spec: corev1.PersistentVolumeSpec{StorageClassName: tc.class, Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}},
		})
		if err := refuseIn(t, cluster, plan); (err != nil) != tc.bound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStuckNamespace: a namespace that has been going for long is told with what holds it; one that was
// deleted just now is no reason to refuse.
func TestStuckNamespace(t *testing.T) {
	api := kubetest.Start(t)
	for name, ago := range map[string]time.Duration{"stuck": 6 * time.Minute, "going": time.Minute} {
		at := metav1.NewTime(time.Now().Add(-ago))
		api.Put(&corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, DeletionTimestamp: &at, Finalizers: []string{"example.com/held"}},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceTerminating},
		})
	}
	s := &Service{Kube: api.Client()}
	for name, says := range map[string]string{"stuck": "example.com/held", "going": "", "none": ""} {
		err := s.refuseStuckNamespaces(t.Context(), []string{name})
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || failure.TypeOf(err) != contract.ErrTypeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWallOfWorker: the worker comes into a copy from the namespace of its pod, wherever the objects
// of Velero are.
func TestWallOfWorker(t *testing.T) {
	cluster := kubetest.Start(t)
	cluster.Serve(kubetest.Type{Resource: endpointSlices()}, kubetest.Type{Resource: kube.NetworkPolicies()})
	cluster.PutNamespaces("copy")
	s := &Service{Kube: cluster.Client(), Config: &config.Config{Namespace: "velero"}, Namespace: "lifeboat"}
	if err := s.closeOff(t.Context(), map[string]string{"drill": "one"}, []string{"copy"}); err != nil {
		t.Fatal(err)
	}
	wall, err := kube.Read[networkingv1.NetworkPolicy](t.Context(), s.Kube, kube.NetworkPolicies(), "copy", isolation.WallName)
	if err != nil {
		t.Fatal(err)
	}
	var from []string
	for _, rule := range wall.Spec.Ingress {
		for _, peer := range rule.From {
			if name := peer.NamespaceSelector.MatchLabels[corev1.LabelMetadataName]; name != "" {
				from = append(from, name)
			}
		}
	}
	if len(from) != 1 || from[0] != "lifeboat" {
		t.Errorf("the copy is open to %v", from)
	}
}
