// Package provision makes PersistentVolumes for claims, as the external-provisioner
// does beside a CSI driver: no such program is to be had as a module, the library
// that it is made of is.
package provision

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
)

// workers is how many claims are provisioned at a time: each waits for EC2.
const workers = 50

// Provisioner makes and deletes the volumes of one driver.
type Provisioner struct {
	Volumes  csi.ControllerServer
	Nodes    corelisters.NodeLister
	Dynamic  dynamic.Interface
	Driver   string // its name
	Identity string // told in each PV, new for each run
}

// NewIdentity is what the real provisioner calls itself: time, chance, driver.
func NewIdentity(driver string) string {
	return fmt.Sprintf("%d-%s-%s", time.Now().UnixMilli(), strings.ToLower(rand.Text()[:5]), driver)
}

// Run works until the context ends. Failures are tried again without end, soon:
// tests wait for them.
func (p *Provisioner) Run(ctx context.Context, client kubernetes.Interface) {
	retry := workqueue.NewTypedItemExponentialFailureRateLimiter[string](200*time.Millisecond, 5*time.Second)
	var more []string
	if p.Driver == driver.Name {
		more = []string{driver.InTree}
	}
	c := controller.NewProvisionController(ctx, client, p.Driver, p,
		controller.LeaderElection(false), controller.AddFinalizer(true), controller.Threadiness(workers),
		controller.AdditionalProvisionerNames(more), controller.RateLimiter(retry), controller.RetryIntervalMax(5*time.Second),
		controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0),
		controller.CreateProvisionedPVLimiter(workqueue.DefaultTypedControllerRateLimiter[string]()),
	)
	c.Run(ctx)
}

// Provision makes the volume of a claim and says what its PersistentVolume is.
func (p *Provisioner) Provision(ctx context.Context, o controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	request, state, err := p.request(ctx, o)
	if err != nil {
		return nil, state, err
	}
	answer, err := p.Volumes.CreateVolume(ctx, request)
	if err != nil {
		return nil, stateAfter(err), err
	}
	volume := answer.GetVolume()
	if want, got := request.GetCapacityRange().GetRequiredBytes(), volume.GetCapacityBytes(); got < want {
		return nil, controller.ProvisioningFinished, fmt.Errorf("volume %s has %d bytes, the claim asks for %d", volume.GetVolumeId(), got, want)
	}
	return p.persistentVolume(o, volume), controller.ProvisioningFinished, nil
}

func (p *Provisioner) request(ctx context.Context, o controller.ProvisionOptions) (*csi.CreateVolumeRequest, controller.ProvisioningState, error) {
	const final = controller.ProvisioningFinished
	source, err := p.source(ctx, o.PVC)
	if err != nil {
		return nil, final, fmt.Errorf("data source of claim %s/%s: %w", o.PVC.Namespace, o.PVC.Name, err)
	}
	topology, err := p.topology(o)
	if err != nil {
		return nil, controller.ProvisioningReschedule, fmt.Errorf("zone for claim %s/%s: %w", o.PVC.Namespace, o.PVC.Name, err)
	}
	size := o.PVC.Spec.Resources.Requests[v1.ResourceStorage]
	return &csi.CreateVolumeRequest{
		Name: o.PVName, Parameters: parameters(o), VolumeContentSource: source,
		CapacityRange:             &csi.CapacityRange{RequiredBytes: size.Value()},
		VolumeCapabilities:        capabilities(o.PVC),
		AccessibilityRequirements: topology,
	}, final, nil
}

// parameters are those of the class and whose volume it is, as the real
// provisioner passes them on when told to add metadata.
func parameters(o controller.ProvisionOptions) map[string]string {
	all := map[string]string{
		"csi.storage.k8s.io/pvc/name":      o.PVC.Name,
		"csi.storage.k8s.io/pvc/namespace": o.PVC.Namespace,
		"csi.storage.k8s.io/pv/name":       o.PVName,
	}
	for key, value := range o.StorageClass.Parameters {
		all[key] = value
	}
	return all
}

// stateAfter tells whether a failed call may still be at work.
func stateAfter(err error) controller.ProvisioningState {
	switch status.Code(err) {
	case codes.ResourceExhausted:
		return controller.ProvisioningReschedule
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable, codes.Aborted:
		return controller.ProvisioningInBackground
	}
	return controller.ProvisioningFinished
}

// SupportsBlock says yes, as the real driver does.
func (p *Provisioner) SupportsBlock(context.Context) bool { return true }

// Delete deletes the volume of a released PersistentVolume.
func (p *Provisioner) Delete(ctx context.Context, pv *v1.PersistentVolume) error {
	id := driver.VolumeID(pv)
	if id == "" {
		return &controller.IgnoredError{Reason: "it is no volume of " + p.Driver}
	}
	_, err := p.Volumes.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: id})
	return err
}

func meta(name string, annotations map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Annotations: annotations}
}
