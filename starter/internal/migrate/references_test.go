package migrate

import (
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/schedule"
)

// Documents of a cluster, in one line each.
func storage(name, more string) string {
	return "apiVersion: velero.io/v1\nkind: BackupStorageLocation\nmetadata: {name: " + name + ", namespace: velero}\nspec: {provider: aws, objectStorage: {bucket: b}, config: {region: eu-central-1}" + more + "}\n---\n"
}

func azure(kind, name, more string) string {
	return "apiVersion: velero.io/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: velero}\nspec: {provider: azure" + more + "}\n---\n"
}

func snapshots(name string) string {
	return "apiVersion: velero.io/v1\nkind: VolumeSnapshotLocation\nmetadata: {name: " + name + ", namespace: velero}\nspec: {provider: aws, config: {region: eu-central-1}}\n---\n"
}

func schedules(template string) string {
	return "apiVersion: velero.io/v1\nkind: Schedule\nmetadata: {name: nightly, namespace: velero}\nspec: {schedule: '@daily', template: {" + template + "}}\n---\n"
}

// checkAsWorker is what the worker does with its configuration before it starts.
func checkAsWorker(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse([]byte(text))
	if err == nil {
		err = (&schedule.Service{Config: cfg}).CheckConfigured()
	}
	if err != nil {
		t.Errorf("the worker refuses it: %v\n%s", err, text)
	}
	return cfg
}

// TestReferences: schedules that name what is left out are told of, and the worker takes what is
// printed, whatever order objects come in.
func TestReferences(t *testing.T) {
	for name, tc := range map[string]struct {
		in        []string
		schedules int
		notes     []string
	}{
		"storage left out": {
			[]string{storage("a", ""), azure("BackupStorageLocation", "blue", ""), schedules("storageLocation: blue")},
			0,
			[]string{"Schedule nightly is left out: its backups go into BackupStorageLocation blue"},
		},
		"snapshots left out": {
			[]string{storage("a", ""), snapshots("ebs"), azure("VolumeSnapshotLocation", "disks", ""), schedules("volumeSnapshotLocations: [ebs, disks]")},
			1,
			[]string{"Schedule nightly names the VolumeSnapshotLocation disks, which is left out"},
		},
		"all of them": {
			[]string{storage("a", ""), azure("VolumeSnapshotLocation", "disks", ""), schedules("volumeSnapshotLocations: [disks]")},
			1,
			[]string{"Schedule nightly names the VolumeSnapshotLocation disks"},
		},
		"the default left out": {
			[]string{storage("a", ""), azure("BackupStorageLocation", "blue", ", default: true"), schedules("")},
			1,
			[]string{"BackupStorageLocation blue was the default and is left out: schedules that name none write into a now"},
		},
		"the usual default left out": {
			[]string{storage("a", ""), storage("b", ""), azure("BackupStorageLocation", "default", ""), schedules("")},
			1,
			[]string{"no BackupStorageLocation was marked as the default: ", "BackupStorageLocation default was the default"},
		},
		"named as they are": {[]string{storage("a", ", default: true"), storage("b", ""), snapshots("ebs"), schedules("storageLocation: b, volumeSnapshotLocations: [ebs]")}, 1, nil},
		"data moved":        {[]string{storage("a", ""), schedules("snapshotMoveData: true")}, 1, []string{"Schedule nightly moves the data of snapshots to the bucket (snapshotMoveData)"}},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				out, notes, err := run(t, "c", options{files: []string{"-"}, printed: printConfiguration}, strings.Join(tc.in, ""))
				if err != nil {
					t.Fatal(err)
				}
				cfg := checkAsWorker(t, out)
				if cfg == nil || len(cfg.Schedules) != tc.schedules {
					t.Errorf("schedules of\n%s", out)
				}
				if tc.notes == nil && strings.Contains(notes, "Schedule") {
					t.Errorf("notes: %s", notes)
				}
				for _, want := range tc.notes {
					if !strings.Contains(notes, want) {
						t.Errorf("notes lack %q:\n%s", want, notes)
					}
				}
				slices.Reverse(tc.in)
			}
		})
	}
}

// TestRefusedReferences: what neither carries over nor is left out is an error with the schedule and
// the field.
func TestRefusedReferences(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"unknown storage":   {storage("a", "") + schedules("storageLocation: gone"), `Schedule nightly: spec.template.storageLocation: there is no BackupStorageLocation "gone"`},
		"unknown snapshots": {storage("a", "") + schedules("volumeSnapshotLocations: [gone]"), `Schedule nightly: spec.template.volumeSnapshotLocations: there is no VolumeSnapshotLocation "gone"`},
		"read-only":         {storage("a", ", accessMode: ReadOnly") + schedules(""), `Schedule nightly: spec.template.storageLocation: "a" is ReadOnly`},
		"two defaults":      {storage("a", ", default: true") + storage("b", ", default: true"), "spec.default: BackupStorageLocations a, b are all marked"},
		"two of a name":     {storage("a", "") + storage("a", ""), "BackupStorageLocation a: there are two of that name"},
		"cron":              {storage("a", "") + strings.Replace(schedules(""), "@daily", "never", 1), `spec.schedule: cron "never"`},
		"long name":         {storage("a", "") + strings.Replace(schedules(""), "nightly", strings.Repeat("n", 50), 1), "metadata.name: "},
		"filter":            {storage("a", "") + schedules("includedNamespaces: [a], includedResources: [pods], includedClusterScopedResources: [nodes]"), "spec.template."},
	} {
		_, _, err := run(t, "c", options{files: []string{"-"}, printed: printConfiguration}, tc.in)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestServer: arguments are taken in both forms, and the role is that of the server's own account.
func TestServer(t *testing.T) {
	account := func(name, role string) string {
		return "kind: ServiceAccount\nmetadata: {name: " + name + ", namespace: velero, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/" + role + "'}}\n---\n"
	}
	deployment := func(name, pod string) string {
		return "kind: Deployment\nmetadata: {name: " + name + ", namespace: velero}\nspec: {template: {spec: {" + pod + "}}}\n---\n"
	}
	in := storage("a", "") + storage("b", "") + account("backup", "server") + account("velero-ui", "ui") +
		deployment("dashboard", "serviceAccountName: velero-ui, containers: [{args: [--port, '80']}]") +
		deployment("nightshift", "serviceAccountName: backup, containers: [{command: [/velero], args: [server, --default-backup-ttl, 240h, --default-volumes-to-fs-backup, --default-backup-storage-location=b, --default-snapshot-move-data=true, --log-level, trace]}]")
	out, notes, err := run(t, "c", options{files: []string{"-"}, printed: printConfiguration}, in)
	if err != nil {
		t.Fatal(err)
	}
	cfg := checkAsWorker(t, out)
	if cfg.DefaultBackupTTL.Hours() != 240 || cfg.Log.Level != "debug" {
		t.Errorf("%s", out)
	}
	if bsl, err := cfg.Location(""); err != nil || bsl.Name != "b" {
		t.Errorf("default: %v %v", bsl, err)
	}
	for _, want := range []string{
		"--default-volumes-to-fs-backup of Velero's server has backups take files of volumes",
		"--default-snapshot-move-data of Velero's server has backups move the data", "ServiceAccount velero/backup",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "no twin") || strings.Contains(notes, "role/ui") {
		t.Errorf("notes: %s", notes)
	}
	values, _, err := run(t, "c", options{files: []string{"-"}, printed: printValues}, in)
	if err != nil || !strings.Contains(values, "role/server") {
		t.Errorf("%v\n%s", err, values)
	}
	off, notes, err := run(t, "c", options{files: []string{"-"}, printed: printValues}, storage("a", "")+account("velero", "old")+
		deployment("velero", "containers: [{args: [server, --default-volumes-to-fs-backup=false, --default-backup-ttl=1d]}]"))
	if err == nil || !strings.Contains(err.Error(), `--default-backup-ttl of Velero's server: "1d" is no duration`) {
		t.Errorf("%v %s %s", err, off, notes)
	}
	alone, _, err := run(t, "c", options{files: []string{"-"}, printed: printValues}, storage("a", "")+account("velero", "old"))
	if err != nil || !strings.Contains(alone, "role/old") {
		t.Errorf("an account without its server: %v %s", err, alone)
	}
}
