// Package driver is the CSI driver ebs.csi.aws.com as the local stack needs it:
// identity, controller and node service over a simulator's EC2. It keeps the names,
// parameters, tags and answers of the real driver that other programs rely on.
package driver

import (
	"context"
	"errors"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
	v1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
)

// Name, or AutoName in a cluster of EKS Auto Mode, and Version are what the driver says of
// itself; the kubelet refuses a driver without a version.
const (
	Name     = "ebs.csi.aws.com"
	AutoName = "ebs.csi.eks.amazonaws.com"

	Version = "v1.0.0-stack"
)

// InTree is the name that volumes of EBS had before there were CSI drivers. Classes
// and PersistentVolumes under it are handed to this driver ("migration").
const InTree = "kubernetes.io/aws-ebs"

// VolumeID is the EC2 id in a PersistentVolume of either form; empty if it is no
// volume of EBS.
func VolumeID(pv *v1.PersistentVolume) string {
	switch {
	case pv.Spec.CSI != nil && (pv.Spec.CSI.Driver == Name || pv.Spec.CSI.Driver == AutoName):
		return pv.Spec.CSI.VolumeHandle
	case pv.Spec.AWSElasticBlockStore != nil: // aws://zone/vol-… or the id alone
		id := pv.Spec.AWSElasticBlockStore.VolumeID
		return id[strings.LastIndex(id, "/")+1:]
	}
	return ""
}

// The zone is told under both keys, as the real driver's nodes do.
const (
	ZoneKey      = "topology.ebs.csi.aws.com/zone"
	KnownZoneKey = "topology.kubernetes.io/zone"
)

// Identity answers what every CSI driver is asked first.
type Identity struct {
	csi.UnimplementedIdentityServer
	Driver string // its name
}

// Register adds the identity service to a server.
func (i *Identity) Register(s *grpc.Server) { csi.RegisterIdentityServer(s, i) }

// GetPluginInfo names the driver.
func (i *Identity) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: i.Driver, VendorVersion: Version}, nil
}

// GetPluginCapabilities says that there is a controller and that volumes have zones.
func (*Identity) GetPluginCapabilities(context.Context, *csi.GetPluginCapabilitiesRequest) (*csi.GetPluginCapabilitiesResponse, error) {
	service := func(kind csi.PluginCapability_Service_Type) *csi.PluginCapability {
		return &csi.PluginCapability{Type: &csi.PluginCapability_Service_{Service: &csi.PluginCapability_Service{Type: kind}}}
	}
	return &csi.GetPluginCapabilitiesResponse{Capabilities: []*csi.PluginCapability{
		service(csi.PluginCapability_Service_CONTROLLER_SERVICE),
		service(csi.PluginCapability_Service_VOLUME_ACCESSIBILITY_CONSTRAINTS),
	}}, nil
}

// Probe says that the driver is ready: it holds no state that it could wait for.
func (*Identity) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{Ready: wrapperspb.Bool(true)}, nil
}

// grpcCodes are the codes that the sidecars and the kubelet act upon.
var grpcCodes = []struct {
	err  error
	code codes.Code
}{
	{cloud.ErrNotFound, codes.NotFound},
	{cloud.ErrMismatch, codes.AlreadyExists},
	{cloud.ErrInUse, codes.FailedPrecondition},
	{cloud.ErrInvalid, codes.InvalidArgument},
	{cloud.ErrLimit, codes.ResourceExhausted},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
	{context.Canceled, codes.Canceled},
}

func coded(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range grpcCodes {
		if errors.Is(err, known.err) {
			return status.Error(known.code, err.Error())
		}
	}
	return status.Error(codes.Internal, err.Error())
}

func required(fields map[string]string) error {
	for name, value := range fields {
		if value == "" {
			return status.Errorf(codes.InvalidArgument, "%s is required", name)
		}
	}
	return nil
}
