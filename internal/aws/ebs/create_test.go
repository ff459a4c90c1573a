package ebs

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// completed makes a completed snapshot of a volume.
func (w *world) completedSnapshot(v Volume) Snapshot {
	w.t.Helper()
	s, err := w.admin.Snapshot(w.t.Context(), uid, request(v, "pv-1"))
	if err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(time.Minute)
	done, err := w.admin.Snapshots(w.t.Context(), []string{s.ID})
	if err != nil || done[s.ID].State != SnapshotCompleted {
		w.t.Fatalf("%+v, %v", done, err)
	}
	w.ClearAudit()
	return done[s.ID]
}

func TestCreateVolumeKeepsWhatTheVolumeWas(t *testing.T) {
	gp3 := func(in *ec2.CreateVolumeInput) {
		in.Size, in.Iops, in.Throughput, in.Encrypted = aws.Int32(20), aws.Int32(4000), aws.Int32(250), aws.Bool(true)
	}
	io2 := func(in *ec2.CreateVolumeInput) { in.VolumeType, in.Iops = types.VolumeTypeIo2, aws.Int32(900) }
	shared := func(in *ec2.CreateVolumeInput) {
		in.VolumeType, in.Iops, in.MultiAttachEnabled = types.VolumeTypeIo2, aws.Int32(900), aws.Bool(true)
	}
	gp2 := func(in *ec2.CreateVolumeInput) { in.VolumeType = types.VolumeTypeGp2 }
	for name, change := range map[string]func(*ec2.CreateVolumeInput){"gp3": gp3, "io2": io2, "io2 of several instances": shared, "gp2": gp2} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, slow(), nil, func(t *testing.T, w *world) {
				created := w.volume(change)
				time.Sleep(time.Minute)
				all, err := w.admin.Volumes(t.Context(), []string{created.ID, "vol-00000000000000000"})
				if err != nil || len(all) != 1 || all[created.ID].State != VolumeAvailable {
					t.Fatalf("%+v, %v", all, err)
				}
				v := all[created.ID]
				r := VolumeRequest{
					RestoreUID: "r-1", PV: "pv-1", Snapshot: w.completedSnapshot(v), Zone: region + "b",
					Type: v.Type, IOPS: v.IOPS, Throughput: v.Throughput, MultiAttach: v.MultiAttach,
				}
				got, err := w.location().CreateVolume(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if got.Type != v.Type || got.IOPS != v.IOPS || got.Throughput != v.Throughput || got.Encrypted != v.Encrypted || got.MultiAttach != v.MultiAttach ||
					got.KMSKeyID != v.KMSKeyID || got.SizeGiB != v.SizeGiB || got.Zone != region+"b" || got.Tags[TagRestoreUID] != "r-1" {
					t.Errorf("was  %+v\nmade %+v", v, got)
				}
			})
		})
	}
}

func TestCreateVolumeWithTheLocationsKeyAndCluster(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		key := "arn:aws:kms:eu-central-1:111122223333:key/0000"
		l := w.open("AKIALIFEBOAT", "lifeboat-secret", Options{ClusterName: "blue"}, "ebsKmsKeyId", key)
		s := w.completedSnapshot(w.volumes(1)[0])
		got, err := l.CreateVolume(t.Context(), VolumeRequest{
			RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3", SizeGiB: 9, KMSKeyID: "another",
		})
		if err != nil || !got.Encrypted || got.KMSKeyID != key || got.SizeGiB != 9 ||
			got.Tags["kubernetes.io/cluster/blue"] != "owned" || got.Tags["KubernetesCluster"] != "blue" || got.Tags[TagBackup] != "" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestInitializationRate: a volume of a snapshot is filled at the location's rate, whoever's
// role it is; without one, at EC2's default.
func TestInitializationRate(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		s := w.completedSnapshot(w.volumes(1)[0])
		for rate, want := range map[string]int32{"": 0, "300": 300} {
			config := []string{}
			if rate != "" {
				config = append(config, "ebsVolumeInitializationRate", rate)
			}
			l := w.open("AKIALIFEBOAT", "lifeboat-secret", Options{}, config...)
			made, err := l.CreateVolume(t.Context(), VolumeRequest{RestoreUID: "r-" + rate, PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			out, err := w.admin.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{VolumeIds: []string{made.ID}})
			if err != nil || aws.ToInt32(out.Volumes[0].VolumeInitializationRate) != want {
				t.Errorf("%q: %+v, %v", rate, out, err)
			}
		}
	})
}

func TestCreateVolumeOnce(t *testing.T) {
	for name, f := range map[string]ebssim.Fault{
		"undisturbed":    {Effect: ebssim.EffectThrottle, Action: "CreateVolume", Times: 2},
		"a lost answer":  {Effect: ebssim.EffectDropAfter, Action: "CreateVolume", Times: 2},
		"a lost request": {Effect: ebssim.EffectDropBefore, Action: "CreateVolume", Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, slow(), nil, func(t *testing.T, w *world) {
				s := w.completedSnapshot(w.volumes(1)[0])
				r := VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"}
				w.fault(f)
				var wg sync.WaitGroup
				for range 4 { // workers that know nothing of one another
					wg.Go(func() {
						if _, err := w.location().CreateVolume(t.Context(), r); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				time.Sleep(time.Minute)
				if _, err := w.location().CreateVolume(t.Context(), r); err != nil {
					t.Error(err)
				}
				made, err := w.admin.VolumesTagged(t.Context(), map[string]string{TagRestoreUID: "r-1"})
				if err != nil || len(made) != 1 {
					t.Errorf("%d volumes: %+v, %v", len(made), made, err)
				}
			})
		})
	}
}

// At the account's limit EC2 refuses a repeated call too: the volume of the first one,
// whose answer was lost, is found all the same.
func TestCreateVolumeAtTheAccountsLimit(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		s := w.completedSnapshot(w.volumes(1)[0])
		r := VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"}
		w.fault(ebssim.Fault{Effect: ebssim.EffectDropAfter, Action: "CreateVolume", Times: 1})
		w.SetLimits(func(l *ebssim.Limits) { l.StorageGiB = 2 * sizeGiB }) // the original's, and one more
		made, err := w.location().CreateVolume(t.Context(), r)
		if err != nil || made.Tags[TagPV] != "pv-1" {
			t.Errorf("%+v, %v", made, err)
		}
		r.PV = "pv-2"
		if _, err := w.location().CreateVolume(t.Context(), r); !errors.Is(err, ErrLimit) {
			t.Errorf("another volume: %v", err)
		}
	})
}

func TestCreateVolumeAgainAfterItWasDeleted(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		r := VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"}
		seen := map[string]bool{}
		for range 3 {
			v, err := l.CreateVolume(t.Context(), r)
			if err != nil || seen[v.ID] {
				t.Fatalf("%+v, %v", v, err)
			}
			seen[v.ID] = true
			time.Sleep(time.Minute)
			if d, err := l.DeleteVolume(t.Context(), v.ID, map[string]string{TagRestoreUID: "r-1"}); err != nil || d.Outcome != Deleted {
				t.Fatalf("%+v, %v", d, err)
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestCreateVolumeThatVanishes: EC2 agrees to make a volume and drops it without a word, as it
// does where the key may not be used. It is not found any more, and another can be asked for.
func TestCreateVolumeThatVanishes(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		r := VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: w.completedSnapshot(w.volumes(1)[0]), Zone: zone, Type: "gp3"}
		w.fault(ebssim.Fault{Effect: ebssim.EffectVolumeVanishes, Times: 1})
		gone, err := w.location().CreateVolume(t.Context(), r)
		if err != nil || gone.State != VolumeCreating {
			t.Fatalf("%+v, %v", gone, err)
		}
		time.Sleep(time.Minute)
		if found, err := w.location().Volumes(t.Context(), []string{gone.ID}); err != nil || len(found) != 0 {
			t.Errorf("%+v, %v", found, err)
		}
		again, err := w.location().CreateVolume(t.Context(), r)
		if err != nil || again.ID == gone.ID {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

// TestSharedSnapshot: one of another account is found by its id and makes volumes that the
// driver may attach, although it shows no tags. It is none of this account's.
func TestSharedSnapshot(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		if err := w.MoveSnapshot(s.ID, "shared"); err != nil {
			t.Fatal(err)
		}
		found, err := l.Snapshots(t.Context(), []string{s.ID})
		if err != nil || len(found[s.ID].Tags) != 0 {
			t.Fatalf("%+v, %v", found, err)
		}
		v, err := l.CreateVolume(t.Context(), VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: found[s.ID], Zone: zone, Type: "gp3"})
		if err != nil || v.Tags["ebs.csi.aws.com/cluster"] != "true" {
			t.Errorf("%+v, %v", v, err)
		}
		if own, err := l.OwnSnapshots(t.Context(), []string{s.ID}); err != nil || len(own) != 0 {
			t.Errorf("%+v, %v", own, err)
		}
		if d, err := l.DeleteSnapshot(t.Context(), s.ID, map[string]string{TagBackup: "nightly"}); err != nil || d.Outcome != Gone {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestCreateVolumeRefusals(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		l, s := w.location(), w.completedSnapshot(w.volumes(1)[0])
		good := VolumeRequest{RestoreUID: "r-1", PV: "pv-1", Snapshot: s, Zone: zone, Type: "gp3"}
		for name, tt := range map[string]struct {
			change func(*VolumeRequest)
			want   error
			text   string
		}{
			"pending snapshot": {func(r *VolumeRequest) { r.Snapshot.State = SnapshotPending }, ErrState, "the snapshot is pending"},
			"archived":         {func(r *VolumeRequest) { r.Snapshot.Archived = true }, ErrState, "archive tier"},
			"no zone":          {func(r *VolumeRequest) { r.Zone = "" }, ErrInvalid, "no availability zone for PV pv-1"},
			"unknown zone":     {func(r *VolumeRequest) { r.Zone = "mars-1a" }, ErrNotFound, "mars-1a"},
			"snapshot gone":    {func(r *VolumeRequest) { r.Snapshot.ID = "snap-00000000000000000" }, ErrNotFound, "snap-00000000000000000"},
			"no restore":       {func(r *VolumeRequest) { r.RestoreUID = "" }, ErrInvalid, "restore UID"},
			"unknown type":     {func(r *VolumeRequest) { r.Type = "gp9" }, ErrInvalid, "gp9"},
		} {
			r := good
			tt.change(&r)
			if _, err := l.CreateVolume(t.Context(), r); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Whoever asks for snapshots sees which of them are archived, before a volume is wanted.
func TestArchivedSnapshotIsTold(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		s := w.completedSnapshot(w.volumes(1)[0])
		if err := w.MoveSnapshot(s.ID, "archived"); err != nil {
			t.Fatal(err)
		}
		all, err := w.location().Snapshots(t.Context(), []string{s.ID})
		if err != nil || !all[s.ID].Archived || all[s.ID].State != SnapshotCompleted {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestZones(t *testing.T) {
	inWorld(t, slow(), nil, func(t *testing.T, w *world) {
		zones, err := w.location().Zones(t.Context())
		if err != nil || strings.Join(zones, " ") != "eu-central-1-ham-1a eu-central-1a eu-central-1b eu-central-1c" {
			t.Errorf("%v, %v", zones, err)
		}
	})
}
