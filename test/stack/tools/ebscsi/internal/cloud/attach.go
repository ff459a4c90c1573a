package cloud

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// Attach attaches a volume to an instance and waits until it is. Attached there
// already is done; attached elsewhere is ErrInUse.
func (c *Client) Attach(ctx context.Context, volumeID, instance string) error {
	volume, err := c.Volume(ctx, volumeID)
	if err != nil {
		return err
	}
	if !attachedTo(volume, instance) {
		if err := c.attach(ctx, volumeID, instance); err != nil {
			return err
		}
	}
	return await(ctx, fmt.Sprintf("wait for volume %s on %s", volumeID, instance), func() (bool, error) {
		volume, err := c.Volume(ctx, volumeID)
		if err != nil {
			return false, err
		}
		return attachmentState(volume, instance) == types.VolumeAttachmentStateAttached, nil
	})
}

func (c *Client) attach(ctx context.Context, volumeID, instance string) error {
	defer c.attaching.lock(instance)()
	device, err := c.freeDevice(ctx, instance)
	if err != nil {
		return err
	}
	_, err = c.ec2.AttachVolume(ctx, &ec2.AttachVolumeInput{
		VolumeId: aws.String(volumeID), InstanceId: aws.String(instance), Device: aws.String(device),
	})
	if err != nil {
		return fmt.Errorf("attach volume %s to %s: %w", volumeID, instance, typed(err))
	}
	return nil
}

// freeDevice chooses a device name that no volume of the instance has.
func (c *Client) freeDevice(ctx context.Context, instance string) (string, error) {
	volumes, err := c.AttachedTo(ctx, []string{instance})
	if err != nil {
		return "", err
	}
	taken := map[string]bool{}
	for _, volume := range volumes {
		for _, a := range volume.Attachments {
			taken[aws.ToString(a.Device)] = true
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyz"
	for _, first := range letters[1:] { // xvda* is the root's
		for _, second := range letters {
			device := fmt.Sprintf("/dev/xvd%c%c", first, second)
			if !taken[device] {
				return device, nil
			}
		}
	}
	return "", fmt.Errorf("attach to %s: %w: no device name is free", instance, ErrLimit)
}

// Detach detaches and waits until the volume is free; not attached is done.
func (c *Client) Detach(ctx context.Context, volumeID, instance string) error {
	in := &ec2.DetachVolumeInput{VolumeId: aws.String(volumeID), InstanceId: aws.String(instance)}
	_, err := c.ec2.DetachVolume(ctx, in)
	err = typed(err)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil && !errors.Is(err, ErrInUse) { // IncorrectState: it is available, or detaching
		return fmt.Errorf("detach volume %s from %s: %w", volumeID, instance, err)
	}
	return await(ctx, fmt.Sprintf("wait for volume %s to leave %s", volumeID, instance), func() (bool, error) {
		volume, err := c.Volume(ctx, volumeID)
		if errors.Is(err, ErrNotFound) { // deleted in between
			return true, nil
		}
		return err == nil && !attachedTo(volume, instance), err
	})
}

func attachedTo(volume types.Volume, instance string) bool {
	state := attachmentState(volume, instance)
	return state != "" && state != types.VolumeAttachmentStateDetached
}

func attachmentState(volume types.Volume, instance string) types.VolumeAttachmentState {
	for _, a := range volume.Attachments {
		if aws.ToString(a.InstanceId) == instance {
			return a.State
		}
	}
	return ""
}
