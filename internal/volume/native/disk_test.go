package native

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

func nativeVolume() *volume.Restore {
	return &volume.Restore{PV: "pv", Capacity: 10 << 30, Disposition: volume.ProvisionBy(volume.MethodNative), Selected: true, Disk: &volume.DiskPlan{Type: "gp3", Zone: "a", Name: "pv"}}
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
		v     *volume.Restore
		looks []look
		ready bool
		want  string // the failure after the last look
	}{
		"available":                 {nativeVolume(), []look{{0, ""}, {time.Second, ebs.VolumeCreating}, {time.Minute, ebs.VolumeAvailable}}, true, ""},
		"not shown yet":             {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin - 1, ""}}, false, ""},
		"never shown":               {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin, ""}}, false, "did not show it for 2m0s"},
		"never shown, encrypted":    {encrypted, []look{{0, ""}, {quota.VisibleWithin, ""}}, false, "may use its key"},
		"shown late":                {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin - 1, ebs.VolumeCreating}, {quota.VisibleWithin, ""}}, false, ""},
		"never shown, of no key":    {nativeVolume(), []look{{0, ""}, {quota.VisibleWithin, ""}}, false, "encrypts new volumes by default"},
		"gone":                      {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Minute, ""}, {time.Minute + goneAfter, ""}}, false, "is gone"},
		"gone for a moment":         {nativeVolume(), []look{{0, ebs.VolumeCreating}, {1, ""}, {2, ebs.VolumeCreating}, {goneAfter + 2, ""}}, false, ""},
		"missing at the deadline":   {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Hour, ""}}, false, ""},
		"creating":                  {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Hour - 1, ebs.VolumeCreating}}, false, ""},
		"creating for ever":         {nativeVolume(), []look{{0, ebs.VolumeCreating}, {time.Hour, ebs.VolumeCreating}}, false, `still "creating" after itemOperationTimeout (1h0m0s)`},
		"deleted":                   {nativeVolume(), []look{{0, ebs.VolumeDeleting}}, false, `in state "deleting"`},
		"failed":                    {nativeVolume(), []look{{0, ebs.VolumeFailed}}, false, `in state "error"`},
		"available at the deadline": {nativeVolume(), []look{{time.Hour, ebs.VolumeAvailable}}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := volume.Disk{ID: "vol-1", Asked: began}
			for _, l := range tc.looks {
				d = afterLook(d, ebs.Volume{ID: "vol-1", State: l.state}, l.state != "", tc.v, time.Hour, began.Add(l.at))
			}
			if d.Ready != tc.ready || !strings.Contains(d.Failed, tc.want) || (d.Failed == "") != (tc.want == "") {
				t.Errorf("%+v", d)
			}
		})
	}
	old := afterLook(volume.Disk{ID: "vol-1"}, ebs.Volume{ID: "vol-1", State: ebs.VolumeCreating}, true, nativeVolume(), time.Hour, began)
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
		"capacity":    {ebs.ErrCapacity, capacityAttempts, "no capacity for a gp3 volume of 10 GiB in zone a (asked 5 times)"},
		"failing":     {ebs.ErrUnavailable, CreateAttempts, "EC2 failed 8 times to make it in zone a"},
		"unknown":     {nil, CreateAttempts, "EC2 failed 8 times"},
	} {
		err := awserr.Fail("CreateVolume", "snap-1", tc.kind, "why")
		d := volume.Disk{}
		for !d.IsSettled() && d.Tries < 100 {
			d = afterRefusal(d, nativeVolume(), err)
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
			if concernsAll(err) != want {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestStuckVolumes(t *testing.T) {
	got := undeletable(map[string]volume.Disk{"a": {ID: "vol-1", Failed: "late"}, "b": {ID: "vol-2"}, "c": {Failed: "no quota"}})
	if len(got) != 1 || !got["vol-1"] {
		t.Errorf("%v", got)
	}
}
