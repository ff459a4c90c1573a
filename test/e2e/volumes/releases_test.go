//go:build stack

package volumes

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

const (
	// releasesDir has a bucket of each release with the snapshots that its backups name.
	releasesDir = "testdata/releases"
	// recordRelease names a release that is to be kept there.
	recordRelease = "LIFEBOAT_RECORD"
	// snapshotsFile is the one of an archive that tells of the snapshots; all others are the bucket's.
	snapshotsFile = "snapshots.json"
)

// keptSnapshot is one as EC2 had it, and what its volume held.
type keptSnapshot struct {
	ID       string
	VolumeID string
	Tags     map[string]string
	Text     string
}

// TestReleases restores the volumes of backups of each earlier release, by both paths, and deletes
// the backups with their snapshots.
func TestReleases(t *testing.T) {
	t.Parallel()
	kept, err := filepath.Glob(filepath.Join(releasesDir, "*.tar.gz"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("releases in %s: %v, %v", releasesDir, kept, err)
	}
	for _, file := range kept {
		version := strings.TrimSuffix(filepath.Base(file), ".tar.gz")
		t.Run(version, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files, err := harness.UnpackBucket(data)
			if err != nil {
				t.Fatal(err)
			}
			shared.serveRelease(t, releaseName(version), files)
		})
	}
}

// TestRecordRelease does the same with backups of this code. With LIFEBOAT_RECORD=version it keeps
// them for later code.
func TestRecordRelease(t *testing.T) {
	t.Parallel()
	version := os.Getenv(recordRelease)
	name := releaseName(version)
	if version == "" {
		name = "release-now-" + shared.ID
	}
	files := shared.writeRelease(t, name)
	packed, err := files.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if version != "" {
		if err := os.WriteFile(filepath.Join(releasesDir, version+".tar.gz"), packed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shared.serveRelease(t, name, files)
}

// releaseName is the name of a release's cluster; its namespaces begin with it.
func releaseName(version string) string {
	return "volumes-" + strings.ReplaceAll(version, ".", "-")
}

func releaseBackup(path string) string { return "kept-" + path }

// writeRelease takes a backup of a claim by each path, and returns the bucket with the snapshots,
// which are gone afterwards.
func (l *lab) writeRelease(t *testing.T, name string) harness.BucketFiles {
	t.Helper()
	own := &lab{Lab: l.Named(t, harness.Options{Cluster: name, Prefix: name + "-written-" + l.ID, Edit: withVolumes(l.ebs)}, nil), ebs: l.ebs, ec2: l.ec2}
	var disks []string
	for path, locations := range paths() {
		ns := own.releaseNamespace(t, name, path)
		own.claim(t, ns, "data", "written by "+path)
		disks = append(disks, own.disk(t, ns, "data"))
		own.backup(t, releaseBackup(path), "Completed", velerov1.BackupSpec{
			IncludedNamespaces: []string{ns}, VolumeSnapshotLocations: locations, TTL: metav1.Duration{Duration: 10 * 365 * 24 * time.Hour},
		})
	}
	var kept []keptSnapshot
	for _, s := range own.snapshotsOf(t, disks...) {
		text, err := os.ReadFile(filepath.Join(s.Dir, "data.txt"))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, keptSnapshot{s.ID, s.VolumeID, s.Tags, string(text)})
	}
	files := harness.WholeBucket(t, own.Harness)
	own.Worker.Stop() // the next one has its name
	for path := range paths() {
		own.deleteNamespace(t, name+"-"+path)
	}
	for _, s := range kept {
		if _, err := own.ec2.DeleteSnapshot(t.Context(), s.ID, map[string]string{ebs.TagBackup: ""}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if files[snapshotsFile], err = json.MarshalIndent(kept, "", "  "); err != nil {
		t.Fatal(err)
	}
	return files
}

// releaseNamespace makes one that a release of the past has had under that name.
func (l *lab) releaseNamespace(t *testing.T, name, path string) string {
	t.Helper()
	ns := name + "-" + path
	l.kubectl(t, "", "delete", "namespace", ns, "--ignore-not-found", "--timeout="+patience.String())
	l.create(t, "namespaces", "", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, ns))
	l.cleanUp(t, ns)
	return ns
}

// serveRelease has a worker of this code take over a cluster with the bucket and the snapshots of a
// release: it restores each backup, whose volume holds what it held, and deletes it.
func (l *lab) serveRelease(t *testing.T, name string, files harness.BucketFiles) {
	t.Helper()
	var kept []keptSnapshot
	if err := json.Unmarshal(files[snapshotsFile], &kept); err != nil || len(kept) != len(paths()) {
		t.Fatalf("%d snapshots: %v", len(kept), err)
	}
	bucket := maps.Clone(files)
	delete(bucket, snapshotsFile)
	own := &lab{ebs: l.ebs, ec2: l.ec2, Lab: l.Named(t, harness.Options{Cluster: name, Prefix: name + "-served-" + l.ID, Edit: func(c *config.Config) {
		withVolumes(l.ebs)(c)
		c.ReplacesCluster = bucket.Owner(t, name)
	}}, func(h *harness.Harness) { bucket.Put(t, h) })}
	for _, s := range kept {
		s.Tags[ebs.TagPlace] = repository.PlaceDigest(&own.Config.BackupStorageLocations[0])
		own.remakeSnapshot(t, s)
	}
	for path := range paths() {
		ns := name + "-" + path
		own.cleanUp(t, ns)
		own.restore(t, input("back-"+path, releaseBackup(path), ns, nil))
		if got := own.content(t, ns, "data"); got != "written by "+path {
			t.Errorf("%s: read %q", path, got)
		}
		own.says(t, "backup", "delete", releaseBackup(path), "--confirm")
	}
	eventually(t, "the snapshots are gone", func() error {
		state, err := own.ebs.State(t.Context())
		if err != nil {
			return err
		}
		for _, s := range state.Snapshots {
			if slices.ContainsFunc(kept, func(k keptSnapshot) bool { return k.ID == s.ID }) && s.Where == "" {
				return fmt.Errorf("%+v", s)
			}
		}
		return nil
	})
}

// remakeSnapshot makes a snapshot that is what one was.
func (l *lab) remakeSnapshot(t *testing.T, s keptSnapshot) {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := ec2.NewFromConfig(cfg)
	disk, err := client.CreateVolume(t.Context(), &ec2.CreateVolumeInput{AvailabilityZone: aws.String(l.ebs.Zones[0]), Size: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := l.ebs.VolumeDir(t.Context(), *disk.VolumeId)
	if err == nil {
		err = writeFile(filepath.Join(dir, "data.txt"), s.Text)
	}
	if err != nil {
		t.Fatal(err)
	}
	var tags []types.Tag
	for key, value := range s.Tags {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	made := l.completeSnapshot(t, client, *disk.VolumeId, tags)
	if err := l.ebs.RenameSnapshot(t.Context(), made, s.ID, s.VolumeID); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteVolume(t.Context(), &ec2.DeleteVolumeInput{VolumeId: disk.VolumeId}); err != nil {
		t.Fatal(err)
	}
}

// completeSnapshot takes one of a volume that may be in the making, and waits for it.
func (l *lab) completeSnapshot(t *testing.T, client *ec2.Client, disk string, tags []types.Tag) string {
	t.Helper()
	in := &ec2.CreateSnapshotInput{VolumeId: aws.String(disk), TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSnapshot, Tags: tags}}}
	var made *ec2.CreateSnapshotOutput
	eventually(t, "a snapshot is taken", func() (err error) {
		made, err = client.CreateSnapshot(t.Context(), in)
		return err
	})
	eventually(t, "the snapshot is complete", func() error {
		found, err := l.ec2.Snapshots(t.Context(), []string{*made.SnapshotId})
		if state := found[*made.SnapshotId].State; err == nil && state != ebs.SnapshotCompleted {
			err = fmt.Errorf("state %q", state)
		}
		return err
	})
	return *made.SnapshotId
}
