//go:build stack

package volumes

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// What volumeinfo says of a volume that is left out.
const (
	byPolicy = "a resource policy skips it"
	bySpec   = "snapshots of volumes are turned off (snapshotVolumes: false)"
	taken    = "" // it is not left out
)

// TestPolicies takes backups of five claims under resource policies: what they skip and
// what they ask for shows in volumeinfo, in the account and in the backup's counts.
func TestPolicies(t *testing.T) {
	t.Parallel()
	l := shared
	ns := l.policed(t)
	off := false
	for name, tc := range map[string]struct {
		policies string
		spec     velerov1.BackupSpec
		want     map[string]string // claim to the reason why it is left out
	}{
		"skip": { // by class, by size, by labels, both of two conditions; the first that matches
			policies: `{"version": "v1", "volumePolicies": [
{"conditions": {"pvcLabels": {"tier": "kept"}}, "action": {"type": "snapshot"}},
{"conditions": {"storageClass": ["scratch-` + l.ID + `"]}, "action": {"type": "skip"}},
{"conditions": {"capacity": "4Gi,8Gi"}, "action": {"type": "skip"}},
{"conditions": {"pvcLabels": {"tier": "cache"}, "csi": {"driver": "ebs.csi.aws.com"}}, "action": {"type": "skip"}},
{"conditions": {"capacity": "100Gi,", "storageClass": ["ebs-gp3-now"]}, "action": {"type": "skip"}}]}`,
			spec: velerov1.BackupSpec{VolumeSnapshotLocations: []string{location}},
			want: map[string]string{"scratch": byPolicy, "big": byPolicy, "cache": byPolicy, "kept": taken, "plain": taken},
		},
		"asked-native": { // where the spec turns snapshots off
			policies: `{"version": "v1", "volumePolicies": [
{"conditions": {"pvcLabels": {"tier": "cache"}}, "action": {"type": "snapshot"}},
{"conditions": {"capacity": "4Gi,8Gi"}, "action": {"type": "skip"}}]}`,
			spec: velerov1.BackupSpec{SnapshotVolumes: &off, VolumeSnapshotLocations: []string{location}},
			want: map[string]string{"scratch": bySpec, "big": byPolicy, "cache": taken, "kept": bySpec, "plain": bySpec},
		},
		"asked-csi": {
			policies: `{"version": "v1", "volumePolicies": [{"conditions": {"storageClass": ["scratch-` + l.ID + `"], "pvcPhase": ["Bound"]}, "action": {"type": "snapshot"}}]}`,
			spec:     velerov1.BackupSpec{SnapshotVolumes: &off},
			want:     map[string]string{"scratch": taken, "big": bySpec, "cache": bySpec, "kept": bySpec, "plain": bySpec},
		},
	} {
		t.Run(name, func(t *testing.T) {
			backup := "policies-" + name + "-" + l.ID
			l.policies(tc.policies)(t, backup)
			spec, since := tc.spec, time.Now()
			spec.IncludedNamespaces, spec.ResourcePolicy = []string{ns}, policiesIn(backup)
			res := l.backup(t, backup, "Completed", spec)
			l.leftOut(t, res, ns, since, tc.want)
		})
	}
}

// policed is a namespace with claims of two classes, two sizes and three labels.
func (l *lab) policed(t *testing.T) (ns string) {
	t.Helper()
	ns = l.namespace(t, "policies")
	class := "scratch-" + l.ID
	l.kubectl(t, `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"`+class+`"},"provisioner":"ebs.csi.aws.com","volumeBindingMode":"Immediate"}`, "apply", "-f", "-")
	l.later(t, "delete", "storageclass", class)
	l.claimOf(t, ns, "scratch", class, "2Gi", "s")
	l.claimOf(t, ns, "big", "ebs-gp3-now", "5Gi", "b")
	for _, name := range []string{"cache", "kept", "plain"} {
		l.claim(t, ns, name, name)
		if name != "plain" {
			l.kubectl(t, "", "label", "pvc", name, "-n", ns, "tier="+name)
		}
	}
	return ns
}

// leftOut compares a backup's volumes with those that were to be left out, and why.
func (l *lab) leftOut(t *testing.T, res contract.BackupResult, ns string, since time.Time, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, info := range l.infos(t, res.Name) {
		got[info.PVCName] = info.SkippedReason
		if info.Skipped != (info.SkippedReason != "") || info.Skipped == (info.Result == volume.Succeeded) {
			t.Errorf("%s: skipped %t, reason %q, result %q", info.PVCName, info.Skipped, info.SkippedReason, info.Result)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("volumeinfo says %q, want %q", got, want)
	}
	volumes := 0
	for claim, reason := range want {
		n := 0
		for _, s := range l.snapshotsOf(t, l.disk(t, ns, claim)) {
			if s.Started.After(since) {
				n++
			}
		}
		if wanted := map[bool]int{true: 1}[reason == taken]; n != wanted {
			t.Errorf("%s: %d snapshots, want %d", claim, n, wanted)
		}
		if reason == taken {
			volumes++
		}
	}
	if res.Volumes != volumes || res.Warnings != 0 { // left out by the user: no warning
		t.Errorf("%d volumes, want %d: %+v", res.Volumes, volumes, res)
	}
}

// TestVolumeGroup takes claims of two pods on one node by one call where they have the
// same value of the group's label; a third claim has another and is taken by itself.
func TestVolumeGroup(t *testing.T) {
	t.Parallel()
	l := shared
	nodes := map[string]string{"kubernetes.io/hostname": "node-a"}
	ns := l.namespace(t, "group")
	var disks []string
	for claim, group := range map[string]string{"data": "db", "wal": "db", "logs": "other"} {
		disk := l.podOn(t, nodes, ns, "pod-"+claim, nil, claim)
		l.kubectl(t, "", "label", "pvc", claim, "-n", ns, "velero.io/volume-group="+group)
		if group == "db" {
			disks = append(disks, disk...)
		}
	}
	other := l.disk(t, ns, "logs")
	since := time.Now()
	res := l.backup(t, ns, "Completed", velerov1.BackupSpec{IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: []string{location}})
	if res.Volumes != 3 || res.Warnings != 0 {
		t.Errorf("%+v", res)
	}
	l.oneMoment(t, disks)
	l.oneMoment(t, []string{other})
	l.askedFor(t, ns, since, other)
}

// askedFor: for a backup, EC2 was asked once for volumes of an instance but for one, and
// once for that one.
func (l *lab) askedFor(t *testing.T, backup string, since time.Time, other string) {
	t.Helper()
	for action, key := range map[string]string{"CreateSnapshots": "InstanceSpecification.ExcludeDataVolumeId.", "CreateSnapshot": "VolumeId"} {
		calls := l.callsFor(t, action, backup, since)
		for _, c := range calls {
			named := false
			for param, value := range c.Params {
				named = named || strings.HasPrefix(param, key) && value == other
			}
			if !named {
				t.Errorf("%s does not name %s: %v", action, other, c.Params)
			}
		}
		if len(calls) != 1 {
			t.Errorf("%d calls of %s, want 1", len(calls), action)
		}
	}
}

// callsFor are the calls that carry a backup's tag: others run at the same time.
func (l *lab) callsFor(t *testing.T, action, backup string, since time.Time) []ebssim.Call {
	t.Helper()
	calls, err := l.ebs.Audit(t.Context(), action, since)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(calls, func(c ebssim.Call) bool { return !strings.Contains(toJSON(t, c.Params), `"`+backup+`"`) })
}
