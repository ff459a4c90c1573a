package backup

import (
	"context"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// policies reads the ConfigMap that spec.resourcePolicy names; nil if it names none.
func (b *Service) policies(ctx context.Context, spec *velerov1.BackupSpec) (*volume.Policies, error) {
	ref := spec.ResourcePolicy
	if ref == nil {
		return nil, nil
	}
	cm, err := kube.Read[corev1.ConfigMap](ctx, b.Kube, kube.ConfigMaps(), b.Config.Namespace, ref.Name)
	if kube.IsNotFound(err) {
		return nil, failure.Invalid("spec.resourcePolicy.name: there is no ConfigMap %s in namespace %s; create it there or correct the name", ref.Name, b.Config.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read resource policies: %w", err)
	}
	return volume.PoliciesOf(&cm)
}
