package driver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
)

// maxVolumes is how many volumes a node may have beside its root: what Nitro
// instances have for EBS when nothing else is attached.
const maxVolumes = 27

// Node mounts the directory of a volume where the kubelet wants it, or the file system
// in the volume's image. There is no
// attacher in the stack, so staging attaches and unstaging detaches: EC2 must
// know where a volume is, or snapshots of an instance would miss it.
type Node struct {
	csi.UnimplementedNodeServer
	Cloud      *cloud.Client
	VolumeDir  func(ctx context.Context, volumeID string) (string, error)
	InstanceID string
	Zone       string
}

// Register adds the node service to a server.
func (n *Node) Register(s *grpc.Server) { csi.RegisterNodeServer(s, n) }

// NodeGetCapabilities says that volumes are staged first.
func (n *Node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	rpc := &csi.NodeServiceCapability_RPC{Type: csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME}
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{
		{Type: &csi.NodeServiceCapability_Rpc{Rpc: rpc}},
	}}, nil
}

// NodeGetInfo says which instance this is and in which zone.
func (n *Node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId: n.InstanceID, MaxVolumesPerNode: maxVolumes,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{ZoneKey: n.Zone, KnownZoneKey: n.Zone}},
	}, nil
}

// NodeStageVolume attaches the volume to this instance and mounts what it holds.
func (n *Node) NodeStageVolume(ctx context.Context, r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	if err := required(map[string]string{"volumeId": r.GetVolumeId(), "stagingTargetPath": r.GetStagingTargetPath()}); err != nil {
		return nil, err
	}
	if err := mountable(r.GetVolumeCapability()); err != nil {
		return nil, err
	}
	if err := n.Cloud.Attach(ctx, r.GetVolumeId(), n.InstanceID); err != nil {
		return nil, coded(err)
	}
	if err := n.stage(ctx, r); err != nil { // nobody asks to unstage it then
		if left := n.Cloud.Detach(ctx, r.GetVolumeId(), n.InstanceID); left != nil {
			err = status.Errorf(codes.Internal, "%v; detach: %v", err, left)
		}
		return nil, err
	}
	return &csi.NodeStageVolumeResponse{}, nil
}

// stage mounts the file system in a volume's image, if it has one or its class wants one,
// and else its directory. A volume that is made of a snapshot has what that has.
func (n *Node) stage(ctx context.Context, r *csi.NodeStageVolumeRequest) error {
	dir, err := n.VolumeDir(ctx, r.GetVolumeId())
	if err != nil {
		return coded(err)
	}
	image, wanted := filepath.Join(dir, imageName), r.GetVolumeCapability().GetMount()
	if wantsImage(r.GetVolumeContext()) {
		if err := n.makeImage(ctx, r.GetVolumeId(), image, wanted.GetFsType()); err != nil {
			return err
		}
	}
	if _, err := os.Stat(image); errors.Is(err, fs.ErrNotExist) {
		return bindTo(dir, r.GetStagingTargetPath(), false)
	}
	return mountTo(image, r.GetStagingTargetPath(), func() error {
		return mountImage(ctx, image, r.GetStagingTargetPath(), wanted)
	})
}

// NodeUnstageVolume unmounts and detaches.
func (n *Node) NodeUnstageVolume(ctx context.Context, r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	if err := required(map[string]string{"volumeId": r.GetVolumeId(), "stagingTargetPath": r.GetStagingTargetPath()}); err != nil {
		return nil, err
	}
	if err := unbind(r.GetStagingTargetPath()); err != nil {
		return nil, err
	}
	return &csi.NodeUnstageVolumeResponse{}, coded(n.Cloud.Detach(ctx, r.GetVolumeId(), n.InstanceID))
}

// NodePublishVolume mounts the staged volume for one pod.
func (n *Node) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if err := required(map[string]string{"stagingTargetPath": r.GetStagingTargetPath(), "targetPath": r.GetTargetPath()}); err != nil {
		return nil, err
	}
	return &csi.NodePublishVolumeResponse{}, bindTo(r.GetStagingTargetPath(), r.GetTargetPath(), r.GetReadonly())
}

// NodeUnpublishVolume unmounts it and removes the mount point, as the
// specification wants it.
func (n *Node) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if err := required(map[string]string{"targetPath": r.GetTargetPath()}); err != nil {
		return nil, err
	}
	if err := unbind(r.GetTargetPath()); err != nil {
		return nil, err
	}
	if err := os.Remove(r.GetTargetPath()); err != nil && !os.IsNotExist(err) {
		return nil, status.Errorf(codes.Internal, "remove mount point: %v", err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func bindTo(source, target string, readOnly bool) error {
	return mountTo(source, target, func() error { return bindMount(source, target, readOnly) })
}

// mountTo mounts at a directory that it makes; one that is mounted already is done.
func mountTo(source, target string, mount func() error) error {
	if err := os.MkdirAll(target, 0o750); err != nil {
		return status.Errorf(codes.Internal, "make mount point: %v", err)
	}
	if mounted, err := isMountPoint(target); err != nil || mounted {
		return coded(err)
	}
	if err := mount(); err != nil {
		return status.Errorf(codes.Internal, "mount %s at %s: %v", source, target, err)
	}
	return nil
}

func unbind(target string) error {
	if mounted, err := isMountPoint(target); err != nil || !mounted {
		return coded(err)
	}
	if err := unmount(target); err != nil {
		return status.Errorf(codes.Internal, "unmount %s: %v", target, err)
	}
	return nil
}
