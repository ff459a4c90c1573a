package ebssim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/tree"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// clientToken remembers what a token created, and for which request.
type clientToken struct {
	Request string `json:"request"`
	Volume  string `json:"volume"`
}

func (s *Sim) createVolume(c *call) (any, error) {
	if err := s.checkStorage(c); err != nil {
		return nil, err
	}
	if made, err := s.madeBefore(c); made != nil || err != nil {
		return made, err
	}
	v, from, err := s.newVolume(c)
	if err != nil {
		return nil, err
	}
	grants := created(c, v.Tags, target{kind: "volume", id: "*", keys: s.volumeTarget(v).keys})
	if from != nil {
		grants[0].on = append(grants[0].on, s.snapshotTarget(from))
		grants[0].on[0].keys["ec2:ParentSnapshot"] = s.arn("snapshot", from.ID)
	}
	delete(grants[0].on[0].keys, "ec2:VolumeID")
	if err := s.permit(c, grants...); err != nil {
		return nil, err
	}
	if err := s.fillVolume(v, from); err != nil {
		return nil, err
	}
	s.hang(v, s.mayUseKey(c, v.KMSKeyID))
	s.volumes[v.ID] = v
	return v.xml(c), errors.Join(s.journal.Put(kindVolume, v.ID, v), s.rememberToken(c, v.ID))
}

// checkStorage refuses what the account's quota has no room for. It does not look whether the request
// was made before.
func (s *Sim) checkStorage(c *call) error {
	kind, used := cmp.Or(c.params.Get("VolumeType"), "gp2"), 0
	if asked, err := c.params.Int("Size"); err == nil && asked != nil {
		used = *asked
	} else if from := s.snapshots[c.params.Get("SnapshotId")]; from != nil {
		used = from.SizeGiB
	}
	for _, v := range s.volumes {
		if v.Type == kind && !v.Boot && !v.isGone(c.now) {
			used += v.SizeGiB
		}
	}
	if limit := s.limits.StorageGiB; limit > 0 && used > limit {
		return wire.Invalid("VolumeLimitExceeded", "You have exceeded your maximum %s storage limit in this Region.", kind)
	}
	return nil
}

// madeBefore is the volume of an earlier request with the same client token.
func (s *Sim) madeBefore(c *call) (any, error) {
	token, ok := s.clientKeys[c.params.Get("ClientToken")]
	if !ok {
		return nil, nil
	}
	if token.Request != fingerprint(c.params) {
		return nil, errTokenUsed()
	}
	v, ok := s.volumes[token.Volume]
	if !ok || v.isGone(c.now) { // as EC2 answers for some twelve hours
		return nil, errTokenUsed()
	}
	return v.xml(c), nil
}

func errTokenUsed() error {
	return wire.Invalid("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
}

func (s *Sim) rememberToken(c *call, volumeID string) error {
	token := c.params.Get("ClientToken")
	if token == "" {
		return nil
	}
	s.clientKeys[token] = clientToken{Request: fingerprint(c.params), Volume: volumeID}
	return s.journal.Put(kindToken, token, s.clientKeys[token])
}

// fingerprint is a digest of all parameters but DryRun.
func fingerprint(p wire.Params) string {
	digest := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(p)) {
		if key != "DryRun" {
			fmt.Fprintf(digest, "%q=%q\n", key, p[key])
		}
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// newVolume is what a request asks for, checked but not made.
func (s *Sim) newVolume(c *call) (*volume, *snapshot, error) {
	v := &volume{
		ID: newID("vol"), Zone: c.params.Get("AvailabilityZone"), Created: c.now,
		Visible: c.now.Add(s.limits.Visibility.D()), Ready: c.now.Add(s.limits.VolumeCreate.D()),
	}
	if v.Zone == "" {
		return nil, nil, errMissing("zone")
	}
	if !slices.Contains(s.options.Zones, v.Zone) {
		return nil, nil, wire.Invalid("InvalidZone.NotFound", "The zone '%s' does not exist.", v.Zone)
	}
	if err := s.placeOnOutpost(c, v); err != nil {
		return nil, nil, err
	}
	from, err := s.sourceSnapshot(c, v)
	if err != nil {
		return nil, nil, err
	}
	if err := v.size(c.params, from); err != nil {
		return nil, nil, err
	}
	if err := v.setInitRate(c.params, from); err != nil {
		return nil, nil, err
	}
	if err := s.encrypt(c.params, v, from); err != nil {
		return nil, nil, err
	}
	v.Tags, err = newTags(c.params, "volume")
	return v, from, err
}

// placeOnOutpost puts a volume on an Outpost that a request names: one of an instance in its zone.
func (s *Sim) placeOnOutpost(c *call, v *volume) error {
	v.Outpost = c.params.Get("OutpostArn")
	for _, i := range s.instances {
		if i.Outpost == v.Outpost && i.Zone == v.Zone {
			return nil
		}
	}
	if v.Outpost == "" {
		return nil
	}
	return errValue("There is no Outpost '%s' in the zone '%s'", v.Outpost, v.Zone)
}

func (s *Sim) sourceSnapshot(c *call, v *volume) (*snapshot, error) {
	v.SnapshotID = c.params.Get("SnapshotId")
	if v.SnapshotID == "" {
		return nil, nil
	}
	from, err := s.snapshot(c, v.SnapshotID)
	if err != nil {
		return nil, err
	}
	if state := from.state(c.now); state != stateCompleted {
		return nil, errState("Snapshot is in invalid state - %s", state)
	}
	if from.Archived {
		return nil, errState("Snapshot %s is in the archive tier", from.ID)
	}
	return from, nil
}

// setInitRate is the rate, in MiB/s, at which the snapshot's blocks are to be copied to the
// volume. The range is that of CreateVolume in the API's reference.
func (v *volume) setInitRate(p wire.Params, from *snapshot) error {
	rate, err := p.Int("VolumeInitializationRate")
	switch {
	case err != nil || rate == nil:
		return err
	case from == nil:
		return errCombination("The parameter VolumeInitializationRate is only supported for volumes created from snapshots.")
	case *rate < 100 || *rate > 300:
		return errValue("Volume initialization rate of %d MiB/s is not between 100 and 300 MiB/s.", *rate)
	}
	v.InitRate = *rate
	return nil
}

// encrypt decides on encryption: a volume of an encrypted snapshot is encrypted.
func (s *Sim) encrypt(p wire.Params, v *volume, from *snapshot) error {
	asked, err := p.Bool("Encrypted")
	if err != nil {
		return err
	}
	v.Encrypted = asked != nil && *asked
	key := p.Get("KmsKeyId")
	if key != "" && !v.Encrypted {
		return wire.Invalid("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	if from != nil && from.Encrypted {
		if asked != nil && !*asked {
			return errCombination("Encrypted snapshots cannot be used to create unencrypted volumes.")
		}
		v.Encrypted, v.KMSKeyID = true, from.KMSKeyID
	}
	if v.Encrypted && (key != "" || v.KMSKeyID == "") {
		v.KMSKeyID = s.keyARN(key)
	}
	return nil
}

func (s *Sim) fillVolume(v *volume, from *snapshot) error {
	if from == nil {
		return os.Mkdir(s.volumeDir(v.ID), 0o755)
	}
	_, err := tree.Copy(s.snapshotDir(from.ID), s.volumeDir(v.ID))
	return err
}
