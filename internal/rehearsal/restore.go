package rehearsal

import (
	"context"
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
	"github.com/lifeboat-backup/lifeboat/internal/restore/selection"
	"github.com/lifeboat-backup/lifeboat/internal/restore/volumes"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

const (
	// restoreName names the restore in the control plane, where there is no other.
	restoreName = "rehearsal"
	// scratch is the location in memory that has the staging and results of the restore. No
	// configuration has such a name.
	scratch = "rehearsal.memory"
	// settingsNamespace has the ConfigMap with what is changed for a rehearsal only.
	settingsNamespace = "default"
	// applyWindow is how many tasks of a level run at a time, as in the workflow Restore.
	applyWindow = 4
)

// driver drives a restore into a control plane: it is to the steps of a restore what the
// workflow is in a cluster.
type driver struct {
	*rehearsal
	client  *kube.Client
	service *restore.Service
	opened  contract.OpenedArchive
}

func newDriver(r *rehearsal, client *kube.Client) *driver {
	source := *r.from.Location.DeepCopy()
	source.Spec.AccessMode, source.Spec.Default = velerov1.BackupStorageLocationAccessModeReadOnly, false
	cfg := &config.Config{
		// The cluster of the backup: volumes that point at its disks are no other cluster's here.
		Cluster: r.manifest.Cluster, Namespace: settingsNamespace, Limits: r.Config.Limits,
		BackupStorageLocations: []velerov1.BackupStorageLocation{source, memoryLocation()},
	}
	memory := memstore.New()
	open := func(_ context.Context, bsl velerov1.BackupStorageLocation) (store.Store, error) {
		if bsl.Name == scratch {
			return memory, nil
		}
		return r.from.Store, nil
	}
	return &driver{rehearsal: r, client: client, service: &restore.Service{
		Config: cfg, Kube: client, Locations: repository.NewLocations(cfg, open), Rules: r.Rules,
	}}
}

func memoryLocation() velerov1.BackupStorageLocation {
	bsl := velerov1.BackupStorageLocation{ObjectMeta: metav1.ObjectMeta{Name: scratch}}
	bsl.Spec.Provider, bsl.Spec.Default = "aws", true
	bsl.Spec.ObjectStorage = &velerov1.ObjectStorageLocation{Bucket: scratch}
	return bsl
}

// restore goes through the steps of a restore, but for those that wait for volumes, run hooks
// and write results.
func (d *driver) restore(ctx context.Context) error {
	if err := d.putSettings(ctx); err != nil {
		return err
	}
	in := d.input()
	var err error
	d.opened, err = d.service.Open(ctx, d.quiet(), contract.OpenArchiveInput{
		Restore: in, UID: restoreName, Run: contract.Run{WorkflowID: restoreName, RunID: restoreName, Cluster: d.Config.Cluster, Started: time.Now()},
	})
	if err != nil {
		return refusalError{err}
	}
	if err := d.removeSettings(ctx); err != nil {
		return err
	}
	plan, err := selection.Plan(ctx, d.service, d.quiet(), selection.Volumes{Plan: volumes.Plan, Probe: volumes.Probe}, contract.PlanRestoreInput{Restore: in, Archive: d.opened})
	if err != nil {
		return refusalError{err}
	}
	if err := d.applyLevels(ctx, plan); err != nil {
		return err
	}
	return d.relinkOwners(ctx, plan.Ref)
}

// quiet is a recorder whose watermarks nobody resumes from: an attempt starts from scratch.
func (d *driver) quiet() *heartbeat.Recorder { return &heartbeat.Recorder{} }

// input asks for everything, without the data of volumes. What the API server has by itself
// becomes as it is in the backup.
func (d *driver) input() contract.RestoreInput {
	no, yes := false, true
	return contract.RestoreInput{
		Name: restoreName, Location: d.result.Location,
		Spec: velerov1.RestoreSpec{
			BackupName: d.in.Backup, RestorePVs: &no, PreserveNodePorts: &yes, ExistingResourcePolicy: velerov1.PolicyTypeUpdate,
			ResourceModifier: &corev1.TypedLocalObjectReference{Kind: "ConfigMap", Name: restoreName},
		},
	}
}

// settings changes what a control plane without Services cannot do: convert objects by a
// webhook. Every object is stored in a version that its definition serves, so nothing is lost.
const settings = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + restoreName + `","namespace":"` + settingsNamespace + `"},"data":{"rules.yaml":` +
	`"version: v1\nresourceModifierRules:\n- conditions:\n    groupResource: customresourcedefinitions.apiextensions.k8s.io\n  mergePatches:\n  - patchData: '{\"spec\":{\"conversion\":{\"strategy\":\"None\",\"webhook\":null}}}'\n"}}`

func (d *driver) putSettings(ctx context.Context) error {
	_, err := d.client.Create(ctx, kube.ConfigMaps(), settingsNamespace, []byte(settings), kube.CreateOptions{})
	if err != nil && !kube.IsAlreadyExists(err) {
		return fmt.Errorf("prepare the control plane: %w", err)
	}
	return nil
}

func (d *driver) removeSettings(ctx context.Context) error {
	err := d.client.Delete(ctx, kube.ConfigMaps(), settingsNamespace, restoreName, kube.DeleteOptions{})
	if err != nil && !kube.IsNotFound(err) {
		return fmt.Errorf("prepare the control plane: %w", err)
	}
	return nil
}

func (d *driver) applyLevels(ctx context.Context, plan contract.RestorePlan) error {
	for i, level := range plan.Levels {
		if level.LinkOwners {
			if err := d.relinkOwners(ctx, plan.Ref); err != nil {
				return err
			}
		}
		if err := d.applyTasks(ctx, plan.Ref, i, level.Tasks); err != nil {
			return err
		}
		if !level.CRDs {
			continue
		}
		if _, err := apply.AwaitCRDs(ctx, d.service, d.recorder, contract.AwaitCRDsInput{Ref: plan.Ref}); err != nil {
			return err
		}
	}
	return nil
}

func (d *driver) applyTasks(ctx context.Context, ref contract.RestoreRef, level, tasks int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(applyWindow)
	for t := range tasks {
		group.Go(func() error {
			res, err := apply.Task(ctx, d.service, d.quiet(), contract.ApplyTaskInput{Ref: ref, Level: level, Task: t})
			d.recorder.Count(res.Counts.Total(), 0)
			return err
		})
	}
	return group.Wait()
}

func (d *driver) relinkOwners(ctx context.Context, ref contract.RestoreRef) error {
	_, err := apply.RelinkOwners(ctx, d.service, contract.RelinkOwnersInput{Ref: ref})
	return err
}
