package main

import (
	"bytes"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// stockOfVolumes has the backup "shop" with a volume by each path, and one that was skipped.
func stockOfVolumes() *memory {
	doc := backupDoc("shop", "PartiallyFailed")
	doc.Status.VolumeSnapshotsAttempted, doc.Status.VolumeSnapshotsCompleted = 1, 1
	doc.Status.CSIVolumeSnapshotsAttempted = 1
	doc.Status.HookStatus = &velerov1.HookStatus{HooksAttempted: 2, HooksFailed: 1}
	return &memory{
		reads: map[string]contract.ReadResult{
			contract.ReadBackup + "/shop": {
				Backup: &doc,
				Volumes: []contract.VolumeSummary{
					{Namespace: "shop", Claim: "logs", PV: "pvc-2", Method: "CSISnapshot", Result: "failed", Driver: "ebs.csi.aws.com"},
					{Namespace: "shop", Claim: "tmp", PV: "pvc-3", Skipped: true, SkippedReason: "volumes of its type cannot be snapshotted: nfs"},
					{Namespace: "shop", Claim: "data", PV: "pvc-1", Method: "NativeSnapshot", Result: "succeeded", Snapshot: "snap-1", Type: "gp3", Zone: "eu-central-1a"},
				},
				Results: []byte(`{"errors":{"namespaces":{"shop":["[HOOK_FAILED] pods shop/db: exit 1. Next: run it by hand"]}},"warnings":{}}`),
			},
			contract.ReadSnapshotLocations: {SnapshotLocations: []contract.SnapshotLocationStatus{
				{Name: "default", Provider: "aws", Region: "eu-central-1"}, {Name: "west", Provider: "velero.io/aws", Region: "us-west-2", KMSKey: "alias/disks"},
			}},
			contract.ReadSnapshotLocationCheck + "/default": {SnapshotLocations: []contract.SnapshotLocationStatus{{
				Name: "default", Provider: "aws", Region: "eu-central-1", Phase: "Available", Account: "111122223333", Identity: "arn:aws:sts::111122223333:assumed-role/lifeboat",
				Capabilities: []contract.Capability{{Name: "ec2:DescribeVolumes", OK: true}},
			}}},
			contract.ReadSnapshotLocationCheck + "/west": {SnapshotLocations: []contract.SnapshotLocationStatus{{
				Name: "west", Provider: "aws", Region: "us-west-2", Phase: "Unavailable", Account: "111122223333", Identity: "arn:x",
				Capabilities: []contract.Capability{{Name: "ec2:DescribeVolumes", Detail: "access denied", Consequence: "volumes cannot be snapshotted"}},
			}}},
		},
	}
}

func TestDescribeVolumes(t *testing.T) {
	got := lifeboat(t, stockOfVolumes(), "", "backup", "describe", "shop")
	got.want(t, console.CodeDone, `Backup Volumes:
  Velero-Native Snapshots: 1 of 1 completed
    pvc-1:  succeeded, snap-1, claim shop/data
  CSI Snapshots: 0 of 1 completed
    shop/logs:  failed
  Pod Volume Backups: <none included>
  Skipped:
    shop/tmp:  volumes of its type cannot be snapshotted: nfs

HooksAttempted:  2
HooksFailed:     1
`, "[HOOK_FAILED] pods shop/db: exit 1. Next: run it by hand")
	lifeboat(t, stockOfVolumes(), "", "backup", "describe", "shop", "--details").want(t, console.CodeDone,
		"    pvc-1:\n      Claim:              shop/data\n      Snapshot ID:        snap-1\n", "Storage Snapshot ID:    <none>", "CSI Driver:             ebs.csi.aws.com")
	for _, format := range []string{"json", "yaml"} {
		lifeboat(t, stockOfVolumes(), "", "describe", "backup", "shop", "-o", format).want(t, console.CodeDone, "volumes", "volumeSnapshotsAttempted", "snap-1", "skippedReason", "hooksFailed")
	}
	// A backup without volumes says so.
	lifeboat(t, stock(), "", "backup", "describe", "nightly").want(t, console.CodeDone, "Velero-Native Snapshots: <none included>", "CSI Snapshots: <none included>")
}

func TestSnapshotLocations(t *testing.T) {
	m := stockOfVolumes()
	const table = "NAME      PROVIDER\ndefault   aws\nwest      velero.io/aws\n"
	for _, args := range []string{"snapshot-location get", "snapshot-locations get", "get snapshot-location", "get snapshot-locations"} {
		if got := lifeboat(t, m, "", strings.Fields(args)...); got.code != console.CodeDone || got.out != table {
			t.Errorf("%s: %+v", args, got)
		}
	}
	lifeboat(t, m, "", "snapshot-location", "get", "west", "-o", "name").want(t, console.CodeDone, "west\n")
	lifeboat(t, m, "", "snapshot-location", "get", "west", "-o", "yaml").want(t, console.CodeDone, "items:\n- kmsKeyID: alias/disks\n  name: west\n  provider: velero.io/aws\n  region: us-west-2\n")
	lifeboat(t, m, "", "snapshot-location", "get", "nope").want(t, console.CodeNotFound, `snapshot-location "nope": not found; see 'lifeboat snapshot-location get'`)
	lifeboat(t, m, "", "snapshot-location", "get", "-o", "xml").want(t, console.CodeError, `"xml" is not one of table, json, yaml, name`)
	lifeboat(t, m, "", "snapshot-location", "frob").want(t, console.CodeError, "use one of check, get")
	for _, words := range [][]string{{"snapshot-location", "get"}, {"snapshot-location", "check"}, {"get", "snapshot-location"}} {
		lifeboat(t, m, "", append(append([]string{"__complete"}, words...), "")...).want(t, console.CodeDone, "default\nwest\n", ":4")
	}
	none := &memory{reads: map[string]contract.ReadResult{contract.ReadSnapshotLocations: {}}}
	lifeboat(t, none, "", "snapshot-location", "get").want(t, console.CodeDone, "No snapshot locations found", "volumeSnapshotLocations")
	lifeboat(t, none, "", "snapshot-location", "get", "-o", "json").want(t, console.CodeDone, `"items": []`)
	lifeboat(t, none, "", "snapshot-location", "check").want(t, console.CodeNotFound, "has none")
}

func TestCheckSnapshotLocations(t *testing.T) {
	m := stockOfVolumes()
	lifeboat(t, m, "", "snapshot-location", "check", "default").want(t, console.CodeDone, `Snapshot location "default" (aws, eu-central-1): Available
  account 111122223333, as arn:aws:sts::111122223333:assumed-role/lifeboat
CAPABILITY            OK    DETAIL   CONSEQUENCE
ec2:DescribeVolumes   yes
`)
	lifeboat(t, m, "", "snapshot-location", "check").want(t, console.CodeError, "Available", "ec2:DescribeVolumes   no    access denied   volumes cannot be snapshotted")
	lifeboat(t, m, "", "snapshot-location", "check", "-o", "json").want(t, console.CodeError, `"phase": "Unavailable"`)
	m.reads[contract.ReadSnapshotLocationCheck+"/west"] = contract.ReadResult{SnapshotLocations: []contract.SnapshotLocationStatus{
		{Name: "west", Provider: "aws", Region: "us-west-2", Phase: "Unavailable", Message: "GetCallerIdentity: credentials"},
	}}
	got := lifeboat(t, m, "", "snapshot-location", "check", "west")
	got.want(t, console.CodeError, "  GetCallerIdentity: credentials\n")
	if strings.Contains(got.out, "CAPABILITY") || strings.Contains(got.errors, "error") {
		t.Errorf("%+v", got)
	}
	delete(m.reads, contract.ReadSnapshotLocationCheck+"/west")
	lifeboat(t, m, "", "snapshot-location", "check", "west").want(t, console.CodeNotFound, `check snapshot location "west"`)
}

func TestWaitForVolumes(t *testing.T) {
	m := &memory{
		samples: []temporal.Sample{{Progress: contract.Progress{Phase: "InProgress", Step: "waiting for snapshots", Objects: 10, TotalObjects: 10, Volumes: 1, TotalVolumes: 3, VolumesPercent: 43}}},
		results: map[string]any{
			"b": contract.BackupResult{Name: "b", Phase: "PartiallyFailed", Objects: 10, Volumes: 2, Bytes: 1 << 20, Warnings: 1, Errors: 1, Reasons: []string{
				"[SNAPSHOT_FAILED] volume pvc-2: no. Next: look at the driver", "[VOLUME_SKIPPED] volume pvc-3: nfs. Next: exclude it",
			}},
			"r":    contract.RestoreResult{Name: "r", Backup: "b", Phase: "Completed", Volumes: 2, Hooks: contract.HookCounts{Attempted: 2, Failed: 1}},
			"look": contract.RestoreResult{Name: "look", Backup: "b", Phase: "Completed", Volumes: 2, DryRun: true},
		},
		reads: map[string]contract.ReadResult{},
	}
	got := lifeboat(t, m, "", "backup", "create", "b", "--wait")
	got.want(t, console.CodePartiallyFailed, `Backup "b" PartiallyFailed: 10 objects and 2 volumes, 1.0 MiB in under 1s; 1 warning, 1 error.
  [SNAPSHOT_FAILED] volume pvc-2: no. Next: look at the driver
  [VOLUME_SKIPPED] volume pvc-3: nfs. Next: exclude it
Next: lifeboat backup describe b`, "10/10 objects (100%)  1/3 volumes (43%)  waiting for snapshots")
	lifeboat(t, m, "", "restore", "create", "r", "--from-backup", "b", "--wait").want(t, console.CodeDone, "1/3 volumes", "2 volumes with the data of the backup.\n", "2 hooks in restored pods, 1 failed.")
	if got := lifeboat(t, m, "", "restore", "create", "look", "--from-backup", "b", "--dry-run"); strings.Contains(got.out, "with the data") {
		t.Errorf("a dry run restores no volume: %s", got.out)
	}
}

const hookedText = `apiVersion: velero.io/v1
kind: Backup
metadata: {name: hooked}
spec:
  volumeSnapshotLocations: [default]
  resourcePolicy: {kind: configmap, name: policies}
  hooks:
    resources:
    - name: freeze
      includedNamespaces: [shop]
      pre:
      - exec: {container: db, command: [sync], onError: Fail, timeout: 1m}
      post:
      - exec: {command: ["true"]}
`

// Hooks have no flags: they come with a manifest, and flags leave them as they are.
func TestHooksFromManifest(t *testing.T) {
	got := inputOf(t, hookedText, "backup", "create", "-f", "-", "--csi-snapshot-timeout", "20m")
	for _, want := range []string{
		`"name":"freeze"`, `"container":"db","command":["sync"],"onError":"Fail","timeout":"1m0s"`, `"post":[{"exec":{"command":["true"]`,
		`"volumeSnapshotLocations":["default"]`, `"name":"policies"`, `"csiSnapshotTimeout":"20m0s"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	got = inputOf(t, hookedText, "backup", "create", "-f", "-", "--volume-snapshot-locations", "west", "--resource-policies-configmap", "other")
	if !strings.Contains(got, `"volumeSnapshotLocations":["west"]`) || !strings.Contains(got, `"name":"other"`) {
		t.Error(got)
	}
}

// Velero's flags for volumes have Velero's names, and say what is not done yet.
func TestVolumeFlagsInHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if code := testApp(&memory{}, "", &out, &errs).run(t.Context(), []string{"backup", "create", "--help"}); code != console.CodeDone {
		t.Fatal(errs.String())
	}
	for _, flag := range []string{
		"snapshot-volumes", "volume-snapshot-locations", "csi-snapshot-timeout", "item-operation-timeout", "resource-policies-configmap",
		"default-volumes-to-fs-backup", "snapshot-move-data", "data-mover", "parallel-files-upload",
	} {
		if !strings.Contains(out.String(), "--"+flag+" ") && !strings.Contains(out.String(), "--"+flag+"[=true]") && !strings.Contains(out.String(), "--"+flag+" bool") {
			t.Errorf("no --%s in\n%s", flag, out.String())
		}
	}
	if n := strings.Count(out.String(), "not done yet"); n != 2 {
		t.Errorf("%d flags say that they are not done yet", n)
	}
}
