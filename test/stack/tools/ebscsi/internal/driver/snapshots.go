package driver

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
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
	return &csi.CreateSnapshotResponse{Snapshot: asCSI(snapshot)}, nil
}

// asCSI tells no more of a snapshot than the real driver does: one in state error is not
// ready, for ever.
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

// ListSnapshots lists one by id, those of a volume, or all, in pages.
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

// listOne does as the real driver, which asks EC2 for all ids of half a second at once: where
// one is missing, everybody gets the error that names it. The specification wants an empty
// list.
func (c *Controller) listOne(ctx context.Context, id string) (*csi.ListSnapshotsResponse, error) {
	snapshot, err := c.cloud.Snapshot(ctx, id)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "Could not get snapshot ID %q: %v", id, err)
	}
	return &csi.ListSnapshotsResponse{Entries: []*csi.ListSnapshotsResponse_Entry{{Snapshot: asCSI(snapshot)}}}, nil
}
