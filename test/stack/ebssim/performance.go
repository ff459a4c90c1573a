package ebssim

import (
	"cmp"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// kind is what a volume type allows: sizes in GiB, IOPS, throughput in MiB/s.
type kind struct {
	minSize, maxSize     int
	minIOPS, maxIOPS     int
	iopsPerGiB           int
	iopsNeeded           bool
	defaultIOPS          int
	maxThroughput        int
	defaultThroughput    int
	iopsPerThroughputMiB int
}

// kinds are as the reference of CreateVolume gives them; the ratios are those of
// the EBS user guide's pages on volume types.
func kinds() map[string]kind {
	return map[string]kind{
		"gp2": {minSize: 1, maxSize: 16384},
		"gp3": {
			minSize: 1, maxSize: 65536, minIOPS: 3000, maxIOPS: 80000, iopsPerGiB: 500, defaultIOPS: 3000,
			maxThroughput: 2000, defaultThroughput: 125, iopsPerThroughputMiB: 4,
		},
		"io1":      {minSize: 4, maxSize: 16384, minIOPS: 100, maxIOPS: 64000, iopsPerGiB: 50, iopsNeeded: true},
		"io2":      {minSize: 4, maxSize: 65536, minIOPS: 100, maxIOPS: 256000, iopsPerGiB: 1000, iopsNeeded: true},
		"st1":      {minSize: 125, maxSize: 16384},
		"sc1":      {minSize: 125, maxSize: 16384},
		"standard": {minSize: 1, maxSize: 1024},
	}
}

// size sets size, type, IOPS and throughput from a request for a new volume.
func (v *volume) size(p wire.Params, from *snapshot) error {
	size, err := p.Int("Size")
	if err != nil {
		return err
	}
	switch {
	case size != nil:
		v.SizeGiB = *size
	case from != nil:
		v.SizeGiB = from.SizeGiB
	default:
		return errMissing("size/snapshot")
	}
	if from != nil && v.SizeGiB < from.SizeGiB {
		return errValue("The size of a volume (%d GiB) cannot be smaller than its snapshot '%s' (%d GiB)", v.SizeGiB, from.ID, from.SizeGiB)
	}
	v.Type = cmp.Or(p.Get("VolumeType"), "gp2")
	return v.perform(p)
}

// perform sets IOPS and throughput for the volume's type and checks them all.
func (v *volume) perform(p wire.Params) error {
	k, ok := kinds()[v.Type]
	if !ok {
		return wire.Invalid("UnknownVolumeType", "Unsupported volume type '%s' for volume creation.", v.Type)
	}
	if v.SizeGiB < k.minSize || v.SizeGiB > k.maxSize {
		return errValue("Volume of %dGiB is not between %dGiB and %dGiB, the sizes of volume type %s.", v.SizeGiB, k.minSize, k.maxSize, v.Type)
	}
	if err := v.setIOPS(p, k); err != nil {
		return err
	}
	if multi, err := p.Bool("MultiAttachEnabled"); err != nil || multi != nil {
		if err != nil || *multi && v.Type != "io1" && v.Type != "io2" {
			return errCombination("The parameter multiAttachEnabled is not supported for volume type %s.", v.Type)
		}
		v.MultiAttach = *multi
	}
	return v.setThroughput(p, k)
}

func (v *volume) setIOPS(p wire.Params, k kind) error {
	asked, err := p.Int("Iops")
	if err != nil {
		return err
	}
	switch {
	case asked == nil && k.iopsNeeded:
		return errMissing("iops")
	case asked == nil:
		v.IOPS = k.defaultIOPS
		if v.Type == "gp2" {
			v.IOPS = min(16000, max(100, 3*v.SizeGiB)) // gp2's baseline: 3 a GiB
		}
		return nil
	case k.maxIOPS == 0:
		return errCombination("The parameter iops is not supported for %s volumes.", v.Type)
	case *asked < k.minIOPS || *asked > k.maxIOPS:
		return errValue("Volume iops of %d is not between %d and %d, the range of volume type %s.", *asked, k.minIOPS, k.maxIOPS, v.Type)
	case *asked > max(k.defaultIOPS, k.iopsPerGiB*v.SizeGiB):
		return errValue("Iops to volume size ratio of %d is too high; maximum is %d", *asked/v.SizeGiB, k.iopsPerGiB)
	}
	v.IOPS = *asked
	return nil
}

func (v *volume) setThroughput(p wire.Params, k kind) error {
	asked, err := p.Int("Throughput")
	if err != nil {
		return err
	}
	switch {
	case asked == nil:
		v.Throughput = k.defaultThroughput
		return nil
	case k.maxThroughput == 0:
		return errCombination("The parameter throughput is not supported for %s volumes.", v.Type)
	case *asked < k.defaultThroughput || *asked > k.maxThroughput:
		return errValue("Throughput (MiBps) of %d is not between %d and %d.", *asked, k.defaultThroughput, k.maxThroughput)
	case *asked*k.iopsPerThroughputMiB > max(v.IOPS, k.defaultThroughput*k.iopsPerThroughputMiB):
		return errValue("Throughput (MiBps) to iops ratio of %f is too high; maximum is 0.250000.", float64(*asked)/float64(v.IOPS))
	}
	v.Throughput = *asked
	return nil
}
