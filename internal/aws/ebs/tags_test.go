package ebs

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTags(t *testing.T) {
	got := Tags(
		map[string]string{
			"team": "blue", "aws:cloudformation:stack-id": "x", "AWS:upper": "x", "Name": strings.Repeat("n", 300),
			"velero.io/backup": "older", strings.Repeat("k", 129): "x", "": "x", "empty": "",
		},
		map[string]string{"team": "red", "velero.io/pv": "label"},
		map[string]string{TagBackup: "nightly", TagPV: "pv-1", TagBackupUID: "uid-1", TagCluster: "prod", TagLocation: ""},
	)
	want := map[string]string{
		"team": "red", "Name": strings.Repeat("n", 256), "empty": "",
		TagBackup: "nightly", TagPV: "pv-1", TagBackupUID: "uid-1", TagCluster: "prod",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestTagsKeepOursAmongMany(t *testing.T) {
	volume, labels := map[string]string{}, map[string]string{}
	for i := range 60 {
		volume[fmt.Sprintf("v%02d", i)], labels[fmt.Sprintf("l%02d", i)] = "x", "x"
	}
	got := Tags(volume, labels, map[string]string{TagBackup: "b", TagPV: "p", TagBackupUID: "u", TagCluster: "c", TagLocation: "l"})
	if len(got) != maxTags || got[TagBackup] != "b" || got[TagBackupUID] != "u" || got["l44"] == "" || got["v00"] != "" {
		t.Errorf("%d tags: %v", len(got), got)
	}
}

// TestTagsBeside: those that are there stay, but for ours, and all together fit.
func TestTagsBeside(t *testing.T) {
	ours := map[string]string{TagBackup: "b", TagPlace: "p", TagLocation: ""}
	got := TagsBeside(map[string]string{"ebs.csi.aws.com/cluster": "true", TagPlace: "older"}, map[string]string{"team": "red", "ebs.csi.aws.com/cluster": "x", TagPlace: "label"}, ours)
	if !maps.Equal(got, map[string]string{TagBackup: "b", TagPlace: "p", "team": "red"}) {
		t.Errorf("%v", got)
	}
	have, labels := map[string]string{"aws:x": "y"}, map[string]string{}
	for i := range 40 {
		have[fmt.Sprintf("h%02d", i)], labels[fmt.Sprintf("l%02d", i)] = "x", "x"
	}
	if got := TagsBeside(have, labels, ours); len(got) != maxTags-40 || got[TagBackup] != "b" || got["l00"] == "" {
		t.Errorf("%d tags: %v", len(got), got)
	}
}

func TestVolumeTags(t *testing.T) {
	r := VolumeRequest{
		RestoreUID: "r-1", PV: "pv-new", Tags: map[string]string{"extra": "1"},
		Snapshot: Snapshot{Tags: map[string]string{
			"kubernetes.io/cluster/old": "owned", "KubernetesCluster": "old", "ebs.csi.aws.com/cluster": "true",
			TagBackup: "b", TagPV: "pv-old", "aws:x": "y", "ebs.csi.aws.com/cluster-name": "old", "eks:eks-cluster-name": "old",
			"velero.io/schedule-name": "nightly", TagPlace: "digest", TagBackupUID: "uid-of-b", TagLocation: "default", TagCluster: "old", TagIOPS: "1", TagThroughput: "2", TagMultiAttach: "true",
		}},
	}
	kept := map[string]string{"extra": "1", "ebs.csi.aws.com/cluster": "true", TagPV: "pv-new", TagRestoreUID: "r-1"}
	without := maps.Clone(kept)
	without["kubernetes.io/cluster/old"], without["KubernetesCluster"] = "owned", "old"
	without["ebs.csi.aws.com/cluster-name"], without["eks:eks-cluster-name"] = "old", "old"
	if got := volumeTags(r, ""); !maps.Equal(got, without) {
		t.Errorf("without a cluster's name: %v", got)
	}
	with := maps.Clone(kept)
	with["kubernetes.io/cluster/new"], with["KubernetesCluster"] = "owned", "new"
	with["ebs.csi.aws.com/cluster-name"], with["eks:eks-cluster-name"] = "new", "new"
	if got := volumeTags(r, "new"); !maps.Equal(got, with) {
		t.Errorf("with a cluster's name: %v", got)
	}
}

// The role of EKS Auto Mode attaches only what names its cluster, also what another driver had.
func TestAutoModeTag(t *testing.T) {
	for auto, want := range map[bool]string{true: "new", false: ""} {
		if got := volumeTags(VolumeRequest{RestoreUID: "r", PV: "p", AutoMode: auto}, "new")["eks:eks-cluster-name"]; got != want {
			t.Errorf("auto mode %t: %q", auto, got)
		}
	}
}

// The driver's policies let it attach only what carries its tag: a volume of a snapshot
// without any tags gets it, and the tags of the driver survive the limit of 50.
func TestDriverTagsAreThere(t *testing.T) {
	if got := volumeTags(VolumeRequest{RestoreUID: "r", PV: "p"}, ""); got["ebs.csi.aws.com/cluster"] != "true" {
		t.Errorf("of a snapshot without tags: %v", got)
	}
	volume := map[string]string{"ebs.csi.aws.com/cluster": "true", "ebs.csi.aws.com/cluster-name": "prod"}
	for i := range 60 {
		volume[fmt.Sprintf("a%02d", i)] = "x"
	}
	got := Tags(volume, map[string]string{"aa": "x"}, map[string]string{TagBackup: "b"})
	if len(got) != maxTags || got["ebs.csi.aws.com/cluster"] != "true" || got["ebs.csi.aws.com/cluster-name"] != "prod" {
		t.Errorf("of a volume with many tags: %v", got)
	}
}

func TestLacking(t *testing.T) {
	tags := map[string]string{"a": "1", "b": ""}
	for _, tt := range []struct {
		must map[string]string
		want string
	}{
		{nil, ""},
		{map[string]string{"a": "1"}, ""},
		{map[string]string{"a": ""}, ""},
		{map[string]string{"b": ""}, ""},
		{map[string]string{"a": "2"}, "a"},
		{map[string]string{"b": "1"}, "b"},
		{map[string]string{"a": "1", "c": ""}, "c"},
	} {
		if got := lacking(tags, tt.must); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.must, got, tt.want)
		}
	}
}

// FuzzTags: whatever is on a volume, EC2 takes the result and ours is in it.
func FuzzTags(f *testing.F) {
	f.Add("team", "blue", "aws:x", "y", 3)
	f.Add(strings.Repeat("k", 200), strings.Repeat("ü", 300), "", "v", 80)
	f.Add("AWS:", "\xff\xfe", TagPV, "theirs", 0)
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, more int) {
		volume, labels := map[string]string{k1: v1, k2: v2}, map[string]string{k2: v1}
		for i := range min(max(more, 0), 100) {
			volume[fmt.Sprint(k1, i)] = v2
		}
		got := Tags(volume, labels, map[string]string{TagBackup: "b", TagPV: "p", TagBackupUID: "u"})
		if len(got) > maxTags || got[TagBackup] != "b" || got[TagPV] != "p" || got[TagBackupUID] != "u" {
			t.Errorf("%d tags: %v", len(got), got)
		}
		for k, v := range got {
			if !usable(k) || utf8.RuneCountInString(v) > maxTagValue {
				t.Errorf("EC2 refuses %q=%q", k, v)
			}
		}
	})
}
