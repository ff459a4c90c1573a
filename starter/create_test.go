package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// inputOf is what a create command starts, as JSON.
func inputOf(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	m := &memory{}
	lifeboat(t, m, stdin, args...).want(t, console.CodeDone)
	if len(m.started) != 1 {
		t.Fatalf("started %d runs", len(m.started))
	}
	data, err := json.Marshal(m.started[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestBackupFlags(t *testing.T) {
	for _, tc := range []struct{ flag, want string }{
		{"--include-namespaces=a,b", `"includedNamespaces":["a","b"]`},
		{"--include-namespaces=a --include-namespaces=b-*", `"includedNamespaces":["a","b-*"]`},
		{"--exclude-namespaces=c", `"excludedNamespaces":["c"]`},
		{"--include-resources=pods,deployments.apps", `"includedResources":["pods","deployments.apps"]`},
		{"--exclude-resources=events", `"excludedResources":["events"]`},
		{"--include-cluster-scoped-resources=*", `"includedClusterScopedResources":["*"]`},
		{"--exclude-cluster-scoped-resources=nodes", `"excludedClusterScopedResources":["nodes"]`},
		{"--include-namespace-scoped-resources=secrets", `"includedNamespaceScopedResources":["secrets"]`},
		{"--exclude-namespace-scoped-resources=events", `"excludedNamespaceScopedResources":["events"]`},
		{"--include-cluster-resources", `"includeClusterResources":true`},
		{"--include-cluster-resources=false", `"includeClusterResources":false`},
		{"--selector=app=web,tier!=x", `"labelSelector":{"matchLabels":{"app":"web"},"matchExpressions":[{"key":"tier","operator":"NotIn","values":["x"]}]}`},
		{"-l app=web", `"labelSelector":{"matchLabels":{"app":"web"}}`},
		{"--or-selector=a=b or c=d", `"orLabelSelectors":[{"matchLabels":{"a":"b"}},{"matchLabels":{"c":"d"}}]`},
		{"--ttl=72h30m", `"ttl":"72h30m0s"`},
		{"--storage-location=west", `"storageLocation":"west"`},
		{"--volume-snapshot-locations=a,b", `"volumeSnapshotLocations":["a","b"]`},
		{"--snapshot-volumes", `"snapshotVolumes":true`},
		{"--snapshot-volumes=false", `"snapshotVolumes":false`},
		{"--snapshot-move-data", `"snapshotMoveData":true`},
		{"--data-mover=velero", `"datamover":"velero"`},
		{"--default-volumes-to-fs-backup=true", `"defaultVolumesToFsBackup":true`},
		{"--ordered-resources=pods=ns/a,ns/b;persistentvolumes=pv1", `"orderedResources":{"persistentvolumes":"pv1","pods":"ns/a,ns/b"}`},
		{"--csi-snapshot-timeout=20m", `"csiSnapshotTimeout":"20m0s"`},
		{"--item-operation-timeout=2h", `"itemOperationTimeout":"2h0m0s"`},
		{"--resource-policies-configmap=p", `"resourcePolicy":{"apiGroup":null,"kind":"configmap","name":"p"}`},
		{"--parallel-files-upload=8", `"uploaderConfig":{"parallelFilesUpload":8}`},
		{"--labels=a=b,c=d", `"labels":{"a":"b","c":"d"}`},
		{"--annotations=velero.io/x=1", `"annotations":{"velero.io/x":"1"}`},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			got := inputOf(t, "", append([]string{"backup", "create", "b"}, words(tc.flag)...)...)
			if !strings.Contains(got, tc.want) {
				t.Errorf("no %s in %s", tc.want, got)
			}
		})
	}
}

// words splits a flag and a second use of it, or a flag and its value, but not the
// spaces inside of "a=b or c=d".
func words(flag string) []string {
	if strings.Contains(flag, " or ") {
		return []string{flag}
	}
	return strings.Fields(flag)
}

func TestRestoreFlags(t *testing.T) {
	for _, tc := range []struct{ flag, want string }{
		{"--include-namespaces=a,b", `"includedNamespaces":["a","b"]`},
		{"--exclude-namespaces=c", `"excludedNamespaces":["c"]`},
		{"--include-resources=pods", `"includedResources":["pods"]`},
		{"--exclude-resources=secrets", `"excludedResources":["secrets"]`},
		{"--namespace-mappings=a:b,c:d", `"namespaceMapping":{"a":"b","c":"d"}`},
		{"-l app=web", `"labelSelector":{"matchLabels":{"app":"web"}}`},
		{"--or-selector=a=b or c=d", `"orLabelSelectors":[{"matchLabels":{"a":"b"}},{"matchLabels":{"c":"d"}}]`},
		{"--restore-volumes=false", `"restorePVs":false`},
		{"--storage-class-mappings=gp2:gp3,io1:io2", `"storageClassMapping":{"gp2":"gp3","io1":"io2"}`},
		{"--preserve-nodeports", `"preserveNodePorts":true`},
		{"--include-cluster-resources=false", `"includeClusterResources":false`},
		{"--existing-resource-policy=update", `"existingResourcePolicy":"update"`},
		{"--status-include-resources=workflows", `"restoreStatus":{"includedResources":["workflows"]}`},
		{"--status-exclude-resources=pods", `"restoreStatus":{"excludedResources":["pods"]}`},
		{"--resource-modifier-configmap=m", `"resourceModifier":{"apiGroup":null,"kind":"configmap","name":"m"}`},
		{"--item-operation-timeout=2h", `"itemOperationTimeout":"2h0m0s"`},
		{"--write-sparse-files", `"writeSparseFiles":true`},
		{"--parallel-files-download=8", `"parallelFilesDownload":8`},
		{"--include-resources=secrets --include-name=ns/a --include-name=ns/b", `"names":["ns/a","ns/b"]`},
		{"--plan=look", `"plan":"look"`},
		{"--storage-location=west", `"storageLocation":"west"`},
		{"--labels=a=b", `"labels":{"a":"b"}`},
		{"--annotations=x=1", `"annotations":{"x":"1"}`},
	} {
		t.Run(tc.flag, func(t *testing.T) {
			got := inputOf(t, "", append([]string{"restore", "create", "--from-backup", "nightly"}, words(tc.flag)...)...)
			if !strings.Contains(got, tc.want) || !strings.Contains(got, `"name":"nightly-20260102120000"`) {
				t.Errorf("no %s in %s", tc.want, got)
			}
		})
	}
	got := inputOf(t, "", "create", "restore", "r", "--from-schedule", "daily", "--allow-partially-failed")
	if !strings.Contains(got, `"scheduleName":"daily"`) || !strings.Contains(got, `"allowPartiallyFailed":true`) {
		t.Error(got)
	}
}

func TestCreateRefused(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"backup create", "a backup needs a name: lifeboat backup create NAME"},
		{"backup create a b", "accepts at most 1 arg"},
		{"backup create Ab", `backup name "Ab" is not a DNS-1123 subdomain`},
		{"backup create " + strings.Repeat("a", 64), "has 64 characters: use at most 63"},
		{"backup create a --ttl 3d", `"3d" is not a duration: write 72h`},
		{"backup create a --ttl -1h", "spec.ttl"},
		{"backup create a --ttl 0", "0 would be the worker's default, as with Velero: leave the flag out for that, or say how long"},
		{"backup create a -l a=b --or-selector c=d", "spec.orLabelSelectors: cannot be used together with spec.labelSelector"},
		{"backup create a --include-resources a --include-cluster-scoped-resources b", "cannot be used together with the filters by scope"},
		{"backup create a --include-namespaces a,*", "spec.includedNamespaces"},
		{"backup create a --ordered-resources pods", "is not of the form type=namespace/name"},
		{"backup create a --labels a", `"a" is not of the form key=value`},
		{"backup create a --labels a/b/c=d", "metadata.labels[a/b/c]: "},
		{"backup create a -l a=b=c", "write selectors like app=web"},
		{"backup create a --snapshot-volumes=maybe", `"maybe" is neither true nor false`},
		{"backup create a --parallel-files-upload=-1", "is not a number of 0 or more"},
		{"backup create a -o xml", `--output: "xml" is not one of json, yaml`},
		{"backup create a -f /does/not/exist", "-f: open /does/not/exist"},
		{"backup create a --from-schedules s", "unknown flag: --from-schedules; did you mean --from-schedule?"},
		{"restore create", "say what to restore: --from-backup NAME or --from-schedule NAME"},
		{"restore create --from-backup a --from-schedule b", "exclude each other"},
		{"restore create --from-backup a --allow-partially-failed", "goes with --from-schedule"},
		{"restore create --from-backup a --dry-run --plan b", "give one"},
		{"restore create --from-backup a --existing-resource-policy replace", "spec.existingResourcePolicy"},
		{"restore create --from-backup a --include-name x/y -o yaml", "cannot say --include-name"},
		{"restore create --from-backup a --namespace-mappings a=b", "is not of the form key:value"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			m := &memory{}
			got := lifeboat(t, m, "", strings.Fields(tc.args)...)
			got.want(t, console.CodeError, "error: ", tc.want)
			if len(m.started) > 0 || strings.Count(got.errors, "error: ") != 1 {
				t.Errorf("started %v; stderr %s", m.started, got.errors)
			}
		})
	}
}

const manifestText = `apiVersion: velero.io/v1
kind: Backup
metadata:
  name: from-file
  labels: {a: b}
spec:
  includedNamespaces: [one, two]
  ttl: 1h
`

func TestFlagsOverrideManifest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "backup.yaml")
	if err := os.WriteFile(file, []byte(manifestText), 0o600); err != nil {
		t.Fatal(err)
	}
	got := inputOf(t, "", "backup", "create", "-f", file)
	if !strings.Contains(got, `"name":"from-file"`) || !strings.Contains(got, `"includedNamespaces":["one","two"]`) {
		t.Error(got)
	}
	got = inputOf(t, manifestText, "backup", "create", "other", "-f", "-", "--include-namespaces", "three", "--labels", "c=d")
	for _, want := range []string{`"name":"other"`, `"includedNamespaces":["three"]`, `"ttl":"1h0m0s"`, `"labels":{"c":"d"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	lifeboat(t, &memory{}, strings.Replace(manifestText, "ttl", "tll", 1), "backup", "create", "-f", "-").
		want(t, console.CodeError, "error: standard input: spec.tll: unknown field; did you mean ttl?")
}

// A printed manifest is one that -f takes and that starts the same.
func TestPrintedManifest(t *testing.T) {
	args := []string{"backup", "create", "b", "--include-namespaces", "a", "--ttl", "2h", "--snapshot-volumes=false", "--labels", "x=0s"}
	for _, format := range []string{"yaml", "json"} {
		m := &memory{}
		printed := lifeboat(t, m, "", append(args, "-o", format)...)
		printed.want(t, console.CodeDone)
		if len(m.started) > 0 {
			t.Error("-o started a backup")
		}
		if strings.Contains(printed.out, "status") || strings.Contains(printed.out, "csiSnapshotTimeout") {
			t.Errorf("prints what nobody said:\n%s", printed.out)
		}
		if direct, again := inputOf(t, "", args...), inputOf(t, printed.out, "backup", "create", "-f", "-"); direct != again {
			t.Errorf("%s:\n%s\n%s", format, direct, again)
		}
	}
	printed := lifeboat(t, &memory{}, "", "restore", "create", "r", "--from-backup", "b", "-o", "yaml")
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(printed.out), &doc); err != nil || doc["kind"] != "Restore" {
		t.Errorf("%v\n%s", err, printed.out)
	}
}

func TestCreateOutcomes(t *testing.T) {
	done := func(phase string) *memory {
		return &memory{results: map[string]any{"b": contract.BackupResult{
			Name: "b", Phase: phase, Objects: 1234, Bytes: 3 << 20, Errors: 7, Reasons: []string{"r1", "r2"},
		}}}
	}
	failed := func(err error) *memory { return &memory{failures: map[string]error{"b": err}} }
	for name, tc := range map[string]struct {
		m    *memory
		code int
		want string
	}{
		"completed": {done("Completed"), console.CodeDone, `Backup "b" Completed: 1,234 objects, 3.0 MiB`},
		"partially": {done("PartiallyFailed"), console.CodePartiallyFailed, "  r1\n  r2\n  and 5 more\n"},
		"failed":    {failed(&temporal.RunError{Run: temporal.Run{Kind: temporal.KindBackup, Name: "b"}, Phase: "Failed", Message: "store"}), console.CodeFailed, `error: backup "b": Failed: store; its history`},
		"invalid":   {failed(&temporal.RunError{Run: temporal.Run{Kind: temporal.KindBackup, Name: "b"}, Phase: "FailedValidation", Message: "spec.ttl"}), console.CodeError, "correct the backup"},
		"exists":    {failed(temporal.ErrExists), console.CodeExists, "already exists"},
		"not found": {failed(temporal.ErrNotFound), console.CodeNotFound, "not found"},
		"lost":      {failed(temporal.ErrLost), console.CodeError, "connection lost"},
		"running":   {&memory{runs: map[temporal.Kind][]temporal.State{temporal.KindBackup: {runState(temporal.KindBackup, "b", "InProgress", true)}}}, console.CodeExists, "already exists"},
	} {
		t.Run(name, func(t *testing.T) {
			lifeboat(t, tc.m, "", "backup", "create", "b", "--wait").want(t, tc.code, tc.want)
		})
	}
}

func TestCreateWithoutWait(t *testing.T) {
	lifeboat(t, &memory{}, "", "backup", "create", "b").
		want(t, console.CodeDone, `Backup "b" is running as workflow id:b.`, "lifeboat backup wait b")
	refused := &temporal.RunError{Run: temporal.Run{Kind: temporal.KindBackup, Name: "b"}, Phase: "FailedValidation", Message: "spec.storageLocation: no"}
	lifeboat(t, &memory{failures: map[string]error{"b": refused}}, "", "backup", "create", "b").
		want(t, console.CodeError, "spec.storageLocation: no")
	quick := &memory{results: map[string]any{"r": contract.RestoreResult{Name: "r", Backup: "b", Phase: "Completed"}}}
	lifeboat(t, quick, "", "restore", "create", "r", "--from-backup", "b").
		want(t, console.CodeDone, `Restore "r" from backup "b" Completed`, "Next: lifeboat restore describe r")
}
