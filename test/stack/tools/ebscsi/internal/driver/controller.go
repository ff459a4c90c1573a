package driver

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
)

const gib = 1 << 30

// Controller makes and deletes volumes and snapshots.
type Controller struct {
	csi.UnimplementedControllerServer
	cloud *cloud.Client
}

// NewController gives the controller service on an EC2.
func NewController(c *cloud.Client) *Controller { return &Controller{cloud: c} }

// Register adds the controller service to a server.
func (c *Controller) Register(s *grpc.Server) { csi.RegisterControllerServer(s, c) }

// ControllerGetCapabilities lists what this controller can do.
func (c *Controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	out := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
	} {
		rpc := &csi.ControllerServiceCapability_RPC{Type: kind}
		out.Capabilities = append(out.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: rpc},
		})
	}
	return out, nil
}

// CreateVolume makes a volume in the first zone that the requirement prefers, from
// a snapshot if one is its source.
func (c *Controller) CreateVolume(ctx context.Context, r *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if err := required(map[string]string{"name": r.GetName()}); err != nil {
		return nil, err
	}
	if err := usable(r.GetVolumeCapabilities()); err != nil {
		return nil, err
	}
	spec, err := volumeSpec(r.GetName(), r.GetParameters())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	spec.MultiAttach = slices.ContainsFunc(r.GetVolumeCapabilities(), ofManyNodes)
	if spec.SnapshotID, err = sourceOf(r.GetVolumeContentSource()); err != nil {
		return nil, err
	}
	spec.SizeGiB = sizeGiB(r.GetCapacityRange())
	if spec.Zone, err = c.zone(ctx, r.GetAccessibilityRequirements()); err != nil {
		return nil, err
	}
	volume, err := c.cloud.CreateVolume(ctx, spec)
	if err != nil {
		return nil, coded(err)
	}
	return createdVolume(volume, r), nil
}

func createdVolume(volume types.Volume, r *csi.CreateVolumeRequest) *csi.CreateVolumeResponse {
	zone := aws.ToString(volume.AvailabilityZone)
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:           aws.ToString(volume.VolumeId),
		CapacityBytes:      int64(aws.ToInt32(volume.Size)) * gib,
		ContentSource:      r.GetVolumeContentSource(),
		VolumeContext:      volumeContext(r.GetParameters()),
		AccessibleTopology: []*csi.Topology{{Segments: map[string]string{KnownZoneKey: zone}}},
	}}
}

func sourceOf(source *csi.VolumeContentSource) (snapshotID string, err error) {
	if source == nil {
		return "", nil
	}
	if source.GetSnapshot().GetSnapshotId() == "" {
		return "", status.Error(codes.InvalidArgument, "volumeContentSource: a snapshot is the only source there is")
	}
	return source.GetSnapshot().GetSnapshotId(), nil
}

// sizeGiB rounds up; without a request it is EC2's own choice of the real driver, 100 GiB.
func sizeGiB(capacity *csi.CapacityRange) int32 {
	if capacity.GetRequiredBytes() == 0 {
		return 100
	}
	return int32((capacity.GetRequiredBytes() + gib - 1) / gib)
}

func (c *Controller) zone(ctx context.Context, want *csi.TopologyRequirement) (string, error) {
	for _, topology := range append(want.GetPreferred(), want.GetRequisite()...) {
		for _, key := range []string{KnownZoneKey, ZoneKey} {
			if zone := topology.GetSegments()[key]; zone != "" {
				return zone, nil
			}
		}
	}
	zones, err := c.cloud.Zones(ctx)
	if err == nil && len(zones) == 0 {
		err = fmt.Errorf("choose a zone: the region has none")
	}
	if err != nil {
		return "", coded(err)
	}
	return zones[0], nil
}

// usable refuses what EBS has not: a file system for several nodes. What a block device holds is
// a file in the volume's directory, which no node of the stack shows as a device.
func usable(capabilities []*csi.VolumeCapability) error {
	if len(capabilities) == 0 || capabilities[0] == nil {
		return status.Error(codes.InvalidArgument, "volumeCapabilities: one is required")
	}
	for _, capability := range capabilities {
		if capability.GetBlock() == nil && ofManyNodes(capability) {
			return status.Error(codes.InvalidArgument, "accessModes: a volume of EBS with a file system is for one node")
		}
	}
	return nil
}

// ofManyNodes is what the real driver makes a volume with Multi-Attach for.
func ofManyNodes(capability *csi.VolumeCapability) bool {
	mode := capability.GetAccessMode().GetMode()
	return mode == csi.VolumeCapability_AccessMode_MULTI_NODE_MULTI_WRITER || mode == csi.VolumeCapability_AccessMode_MULTI_NODE_READER_ONLY
}

// mountable is usable on a node of the stack.
func mountable(capability *csi.VolumeCapability) error {
	if capability.GetBlock() != nil {
		return status.Error(codes.InvalidArgument, "volumeMode Block: the simulator's volumes are directories")
	}
	return usable([]*csi.VolumeCapability{capability})
}

// DeleteVolume deletes; gone already is done.
func (c *Controller) DeleteVolume(ctx context.Context, r *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if err := required(map[string]string{"volumeId": r.GetVolumeId()}); err != nil {
		return nil, err
	}
	return &csi.DeleteVolumeResponse{}, coded(c.cloud.DeleteVolume(ctx, r.GetVolumeId()))
}

// ControllerPublishVolume attaches the volume to the instance.
func (c *Controller) ControllerPublishVolume(ctx context.Context, r *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	if err := required(map[string]string{"volumeId": r.GetVolumeId(), "nodeId": r.GetNodeId()}); err != nil {
		return nil, err
	}
	if err := usable([]*csi.VolumeCapability{r.GetVolumeCapability()}); err != nil {
		return nil, err
	}
	return &csi.ControllerPublishVolumeResponse{}, coded(c.cloud.Attach(ctx, r.GetVolumeId(), r.GetNodeId()))
}

// ControllerUnpublishVolume detaches it.
func (c *Controller) ControllerUnpublishVolume(ctx context.Context, r *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if err := required(map[string]string{"volumeId": r.GetVolumeId(), "nodeId": r.GetNodeId()}); err != nil {
		return nil, err
	}
	return &csi.ControllerUnpublishVolumeResponse{}, coded(c.cloud.Detach(ctx, r.GetVolumeId(), r.GetNodeId()))
}

// ValidateVolumeCapabilities confirms what CreateVolume would have accepted.
func (c *Controller) ValidateVolumeCapabilities(ctx context.Context, r *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if err := required(map[string]string{"volumeId": r.GetVolumeId()}); err != nil {
		return nil, err
	}
	if len(r.GetVolumeCapabilities()) == 0 {
		return nil, usable(nil)
	}
	if _, err := c.cloud.Volume(ctx, r.GetVolumeId()); err != nil {
		return nil, coded(err)
	}
	if err := usable(r.GetVolumeCapabilities()); err != nil {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: err.Error()}, nil //nolint:nilerr // the answer tells it, as the specification wants
	}
	confirmed := &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: r.GetVolumeCapabilities()}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: confirmed}, nil
}
