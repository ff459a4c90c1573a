package driver

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
)

// CreateSnapshot starts a snapshot, or finds the one of that name. A pending one
// is not ready to use; the sidecar asks again.
func (c *Controller) CreateSnapshot(ctx context.Context, r *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if err := required(map[string]string{"name": r.GetName(), "sourceVolumeId": r.GetSourceVolumeId()}); err != nil {
		return nil, err
	}
	tags, err := snapshotTags(r.GetName(), r.GetParameters())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	snapshot, err := c.cloud.CreateSnapshot(ctx, r.GetName(), r.GetSourceVolumeId(), tags)
	if err != nil {
		return nil, coded(err)
	}
	if err := failed(snapshot); err != nil {
		return nil, err
	}
	return &csi.CreateSnapshotResponse{Snapshot: asCSI(snapshot)}, nil
}

func failed(s types.Snapshot) error {
	if s.State != types.SnapshotStateError {
		return nil
	}
	return status.Errorf(codes.Internal, "snapshot %s ended in state error: %s",
		aws.ToString(s.SnapshotId), aws.ToString(s.StateMessage))
}

func asCSI(s types.Snapshot) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     aws.ToString(s.SnapshotId),
		SourceVolumeId: aws.ToString(s.VolumeId),
		SizeBytes:      int64(aws.ToInt32(s.VolumeSize)) * gib,
		CreationTime:   timestamppb.New(aws.ToTime(s.StartTime)),
		ReadyToUse:     s.State == types.SnapshotStateCompleted,
	}
}

// DeleteSnapshot deletes; gone already is done.
func (c *Controller) DeleteSnapshot(ctx context.Context, r *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if err := required(map[string]string{"snapshotId": r.GetSnapshotId()}); err != nil {
		return nil, err
	}
	return &csi.DeleteSnapshotResponse{}, coded(c.cloud.DeleteSnapshot(ctx, r.GetSnapshotId()))
}

// ListSnapshots lists one by id, those of a volume, or all, in pages. An unknown
// id is an empty list, as the specification wants it.
func (c *Controller) ListSnapshots(ctx context.Context, r *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	if r.GetSnapshotId() != "" {
		return c.listOne(ctx, r.GetSnapshotId())
	}
	if n := r.GetMaxEntries(); n > 0 && n < 5 {
		return nil, status.Error(codes.InvalidArgument, "maxEntries: EC2 takes 5 at least")
	}
	page, next, err := c.cloud.Snapshots(ctx, r.GetSourceVolumeId(), r.GetStartingToken(), r.GetMaxEntries())
	if err != nil {
		return nil, coded(err)
	}
	out := &csi.ListSnapshotsResponse{NextToken: next}
	for _, snapshot := range page {
		out.Entries = append(out.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: asCSI(snapshot)})
	}
	return out, nil
}

func (c *Controller) listOne(ctx context.Context, id string) (*csi.ListSnapshotsResponse, error) {
	snapshot, err := c.cloud.Snapshot(ctx, id)
	if errors.Is(err, cloud.ErrNotFound) {
		return &csi.ListSnapshotsResponse{}, nil
	}
	if err != nil {
		return nil, coded(err)
	}
	if err := failed(snapshot); err != nil {
		return nil, err
	}
	return &csi.ListSnapshotsResponse{Entries: []*csi.ListSnapshotsResponse_Entry{{Snapshot: asCSI(snapshot)}}}, nil
}
