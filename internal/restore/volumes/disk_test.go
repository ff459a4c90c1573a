package volumes

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

func nativeVolume() *restore.Volume {
	return &restore.Volume{PV: "pv", Capacity: 10 << 30, Way: restore.WayNative, Selected: true, Disk: &restore.DiskPlan{Type: "gp3", Zone: "a", Name: "pv"}}
}

// TestNoVolumeIsAwaitedForEver: at each time after the volume was asked for, what a
// look at EC2 makes of it.
func TestNoVolumeIsAwaitedForEver(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type look struct {
		at    time.Duration
		state string // "" is not shown
	}
	encrypted := nativeVolume()
	encrypted.Disk.Snapshot.Encrypted = true
	for name, tc := range map[string]struct {
		v     *restore.Volume
		looks []look
		ready bool
		want  string // the failure after the last look
	}{
		"available":                 {nativeVolume(), []look{{0, ""}, {time.Second, ebs.VolumeCreating}, {time.Minute, ebs.VolumeAvailable}}, true, ""},
		"not shown yet":             {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin - 1, ""}}, false, ""},
		"never shown":               {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin, ""}}, false, "did not show it for 2m0s"},
		"never shown, encrypted":    {encrypted, []look{{0, ""}, {quota.VisibleWithin, ""}}, false, "may use its key"},
		"shown late":                {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin - 1, ebs.VolumeCreating}, {quota.VisibleWithin, ""}}, false, ""},
		"gone":                      {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Minute, ""}, {time.Minute + restore.GoneAfter, ""}}, false, "is gone"},
		"gone for a moment":         {nativeVolume(), []look{{0, ebs.VolumeCreating}, {1, ""}, {2, ebs.VolumeCreating}, {restore.GoneAfter + 2, ""}}, false, ""},
		"missing at the deadline":   {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Hour, ""}}, false, ""},
		"creating":                  {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Hour - 1, ebs.VolumeCreating}}, false, ""},
		"creating for ever":         {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Hour, ebs.VolumeCreating}}, false, `still "creating" after itemOperationTimeout (1h0m0s)`},
		"deleted":                   {nativeVolume(), []look{{0, ebs.VolumeDeleting}}, false, `in state "deleting"`},
		"failed":                    {nativeVolume(), []look{{0, ebs.VolumeFailed}}, false, `in state "error"`},
		"available at the deadline": {nativeVolume(), []look{{time.Hour, ebs.VolumeAvailable}}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := restore.Disk{ID: "vol-1"}.AskedAt(began)
			for _, l := range tc.looks {
				d = d.After(ebs.Volume{ID: "vol-1", State: l.state}, l.state != "", tc.v, time.Hour, began.Add(l.at))
			}
			if d.Ready != tc.ready || !strings.Contains(d.Failed, tc.want) || (d.Failed == "") != (tc.want == "") {
				t.Errorf("%+v", d)
			}
		})
	}
	old := restore.Disk{ID: "vol-1"}.After(ebs.Volume{ID: "vol-1", State: ebs.VolumeCreating}, true, nativeVolume(), time.Hour, began)
	if old.Failed != "" || !old.Asked.Equal(began) {
		t.Errorf("one that an earlier version asked for: %+v", old)
	}
}

// TestVolumeIsGivenUp: how many tries a volume has, by what EC2 says.
func TestVolumeIsGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  error
		tries int
		want  string
	}{
		"invalid":     {ebs.ErrInvalid, 1, "why"},
		"quota":       {ebs.ErrLimit, 1, "why"},
		"no snapshot": {ebs.ErrNotFound, 1, "why"},
		"state":       {ebs.ErrState, 1, "why"},
		"capacity":    {ebs.ErrCapacity, restore.CapacityAttempts, "no capacity for a gp3 volume of 10 GiB in zone a (asked 5 times)"},
		"failing":     {ebs.ErrUnavailable, native.CreateAttempts, "EC2 failed 8 times to make it in zone a"},
		"unknown":     {nil, native.CreateAttempts, "EC2 failed 8 times"},
	} {
		err := awserr.Fail("CreateVolume", "snap-1", tc.kind, "why")
		d := restore.Disk{}
		for !d.Settled() && d.Tries < 100 {
			d = d.Refused(nativeVolume(), err)
		}
		if d.Tries != tc.tries || !strings.Contains(d.Failed, tc.want) || !strings.Contains(d.Failed, "why") {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestWhatConcernsAllVolumes(t *testing.T) {
	for want, errs := range map[bool][]error{
		true: {
			awserr.Fail("CreateVolume", "", ebs.ErrDenied, "x"), awserr.Fail("CreateVolume", "", ebs.ErrCredentials, "x"),
			awserr.Fail("DescribeVolumes", "", ebs.ErrUnavailable, "x"), errors.New("no location"),
		},
		false: {awserr.Fail("CreateVolume", "", ebs.ErrUnavailable, "x"), awserr.Fail("CreateVolume", "", ebs.ErrCapacity, "x")},
	} {
		for _, err := range errs {
			if restore.OfAll(err) != want {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestStuckVolumes(t *testing.T) {
	got := stuck(map[string]restore.Disk{"a": {ID: "vol-1", Failed: "late"}, "b": {ID: "vol-2"}, "c": {Failed: "no quota"}})
	if len(got) != 1 || !got["vol-1"] {
		t.Errorf("%v", got)
	}
}
