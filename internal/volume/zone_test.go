package volume

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestZone(t *testing.T) {
	affinity := func(key string, values ...string) *corev1.VolumeNodeAffinity {
		return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/os", Values: []string{"linux"}}, {Key: key, Operator: "In", Values: values}}},
		}}}
	}
	for want, pv := range map[string]corev1.PersistentVolume{
		"a": {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelTopologyZone: "a", corev1.LabelFailureDomainBetaZone: "old"}}},
		"b": {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{corev1.LabelFailureDomainBetaZone: "b"}}},
		"c": {Spec: corev1.PersistentVolumeSpec{NodeAffinity: affinity("topology.ebs.csi.aws.com/zone", "c")}},
		"d": {Spec: corev1.PersistentVolumeSpec{NodeAffinity: affinity(corev1.LabelTopologyZone, "d", "e")}},
		"":  {Spec: corev1.PersistentVolumeSpec{NodeAffinity: affinity(corev1.LabelTopologyZone)}},
	} {
		if got := Zone(&pv); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := Zone(&corev1.PersistentVolume{}); got != "" {
		t.Errorf("got %q of nothing", got)
	}
}

func TestSetZoneAndVolumeID(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"csi": {
			`{"metadata":{"labels":{"topology.kubernetes.io/zone":"a","x":"a"}},"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-1"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.ebs.csi.aws.com/zone","operator":"In","values":["a"]},{"key":"kubernetes.io/os","operator":"In","values":["linux"]}]}]}}}}`,
			`{"metadata":{"labels":{"topology.kubernetes.io/zone":"b","x":"a"}},"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-2"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.ebs.csi.aws.com/zone","operator":"In","values":["b"]},{"key":"kubernetes.io/os","operator":"In","values":["linux"]}]}]}}}}`,
		},
		"of the other driver": {
			`{"spec":{"csi":{"driver":"ebs.csi.eks.amazonaws.com"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.ebs.csi.aws.com/zone","operator":"In","values":["a"]}]}]}}}}`,
			`{"spec":{"csi":{"driver":"ebs.csi.eks.amazonaws.com","volumeHandle":"vol-2"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.kubernetes.io/zone","operator":"In","values":["b"]}]}]}}}}`,
		},
		"zone id and outpost": {
			`{"metadata":{"labels":{"topology.k8s.aws/zone-id":"use1-az1"}},"spec":{"csi":{"driver":"ebs.csi.eks.amazonaws.com","volumeHandle":"vol-1"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.k8s.aws/zone-id","operator":"In","values":["use1-az1"]},{"key":"topology.ebs.csi.aws.com/outpost-id","operator":"In","values":["op-1"]}]}]}}}}`,
			`{"metadata":{"labels":{}},"spec":{"csi":{"driver":"ebs.csi.eks.amazonaws.com","volumeHandle":"vol-2"},"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.kubernetes.io/zone","operator":"In","values":["b"]}]}]}}}}`,
		},
		"in-tree":  {`{"spec":{"awsElasticBlockStore":{"volumeID":"aws://a/vol-1"}}}`, `{"spec":{"awsElasticBlockStore":{"volumeID":"aws://b/vol-2"}}}`},
		"nonsense": {`{"metadata":1,"spec":{"csi":{"driver":"ebs.csi.aws.com"},"nodeAffinity":{"required":{"nodeSelectorTerms":[1,{"matchExpressions":"x"}]}}}}`, `{"metadata":1,"spec":{"csi":{"driver":"ebs.csi.aws.com","volumeHandle":"vol-2"},"nodeAffinity":{"required":{"nodeSelectorTerms":[1,{"matchExpressions":"x"}]}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var pv map[string]any
			if err := json.Unmarshal([]byte(tc.in), &pv); err != nil {
				t.Fatal(err)
			}
			SetZone(pv, "b")
			if err := SetVolumeID(pv, "vol-2", "b", ""); err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(pv); string(got) != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestSetVolumeIDOfTheOtherDriver: EBS has two drivers, either of which can have the volume.
func TestSetVolumeIDOfTheOtherDriver(t *testing.T) {
	const text = `{"metadata":{"annotations":{"pv.kubernetes.io/provisioned-by":"%[1]s"}},"spec":{"csi":{"driver":"%[1]s","volumeHandle":"%[2]s"}}}`
	for from, to := range map[string]string{DriverEBS: DriverEBSAuto, DriverEBSAuto: DriverEBS} {
		var pv map[string]any
		if err := json.Unmarshal(fmt.Appendf(nil, text, from, "vol-1"), &pv); err != nil {
			t.Fatal(err)
		}
		if err := SetVolumeID(pv, "vol-2", "b", to); err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(pv); string(got) != fmt.Sprintf(text, to, "vol-2") {
			t.Errorf("got %s", got)
		}
	}
}

func TestSetVolumeIDOfOthers(t *testing.T) {
	for _, spec := range []map[string]any{nil, {"nfs": map[string]any{}}, {"csi": map[string]any{"driver": "efs.csi.aws.com"}}} {
		if err := SetVolumeID(map[string]any{"spec": spec}, "vol-1", "a", ""); !errors.Is(err, ErrNotEBS) {
			t.Errorf("%v: %v", spec, err)
		}
	}
}

// FuzzRewrite: no shape of a stored object makes the rewriting fail other than by an
// error.
func FuzzRewrite(f *testing.F) {
	f.Add(`{"metadata":{"labels":{"topology.kubernetes.io/zone":"a"}},"spec":{"csi":{"driver":"ebs.csi.aws.com"}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var pv map[string]any
		if json.Unmarshal([]byte(text), &pv) != nil {
			t.Skip()
		}
		SetZone(pv, "b")
		if err := SetVolumeID(pv, "vol-2", "b", ""); err != nil && !errors.Is(err, ErrNotEBS) {
			t.Error(err)
		}
	})
}
