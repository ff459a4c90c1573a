//go:build stack

package volumes

import (
	"errors"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// TestRefusedBackup: what a backup cannot do about volumes is said before anything is
// written, by the field to change and what to do.
func TestRefusedBackup(t *testing.T) {
	l := shared
	ns := l.namespace(t, "refused")
	l.claim(t, ns, "data", "x")
	for name, tc := range map[string]struct {
		spec    velerov1.BackupSpec
		prepare func(t *testing.T, backup string)
		phrases []string
	}{
		"location unknown": {
			spec:    velerov1.BackupSpec{VolumeSnapshotLocations: []string{"aws-west"}},
			phrases: []string{"spec.volumeSnapshotLocations[0]", `"aws-west"`, "known are " + location},
		},
		"two locations": {
			spec:    velerov1.BackupSpec{VolumeSnapshotLocations: []string{location, "aws-west"}},
			phrases: []string{"spec.volumeSnapshotLocations[1]", `"aws-west"`, "keep one name"},
		},
		"class ambiguous": {
			prepare: func(t *testing.T, backup string) { l.secondClass(t, backup) },
			phrases: []string{"metadata.annotations[", "ebs.csi.aws.com", "several VolumeSnapshotClasses", "label the one to use with"},
		},
		"policies missing": {
			spec:    velerov1.BackupSpec{ResourcePolicy: policiesIn("nothing")},
			phrases: []string{"spec.resourcePolicy.name", "there is no ConfigMap nothing", "create it there or correct the name"},
		},
		"policies of another kind": {
			spec:    velerov1.BackupSpec{ResourcePolicy: &corev1.TypedLocalObjectReference{Kind: "ConfigMaps", Name: "nothing"}},
			phrases: []string{"spec.resourcePolicy.kind", "ConfigMaps", "configmap"},
		},
		"unknown action": {
			prepare: l.policies(`{"version": "v1", "volumePolicies": [{"conditions": {"storageClass": ["x"]}, "action": {"type": "skipp"}}]}`),
			phrases: []string{"volumePolicies[0].action.type", "skipp", "snapshot"},
		},
		"unknown condition": {
			prepare: l.policies(`{"version": "v1", "volumePolicies": [{"conditions": {"storageClasses": ["x"]}, "action": {"type": "skip"}}]}`),
			phrases: []string{"volumePolicies[0].conditions", "storageClasses", "storageClass"},
		},
		"policies against old filters": {
			spec:    velerov1.BackupSpec{IncludedResources: []string{"pods", "persistentvolumeclaims"}},
			prepare: l.policies(`{"version": "v1", "includeExcludePolicy": {"includedNamespaceScopedResources": ["pods"]}}`),
			phrases: []string{"includedResources", "includeExcludePolicy"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			backup := "refused-" + strings.ReplaceAll(name, " ", "-") + "-" + l.ID
			spec := tc.spec
			spec.IncludedNamespaces = []string{ns}
			if tc.prepare != nil {
				tc.prepare(t, backup)
				if spec.ResourcePolicy == nil && name != "class ambiguous" {
					spec.ResourcePolicy = policiesIn(backup)
				}
			}
			run := l.startBackup(t, backup, spec)
			l.refusedRun(t, run, tc.phrases...)
			l.nothingWritten(t, ns, backup, run.GetRunID())
		})
	}
}

func policiesIn(name string) *corev1.TypedLocalObjectReference {
	return &corev1.TypedLocalObjectReference{Kind: "configmap", Name: name}
}

// policies makes the ConfigMap of a backup's resource policies.
func (l *lab) policies(text string) func(*testing.T, string) {
	return func(t *testing.T, backup string) {
		const ns = "velero" // the worker's, by default
		l.kubectl(t, toJSON(t, map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{
			map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": ns}},
			map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": backup, "namespace": ns},
				"data": map[string]any{"policies.yaml": text},
			},
		}}), "apply", "-f", "-")
		l.later(t, "delete", "configmap", backup, "-n", ns)
	}
}

// secondClass makes a second VolumeSnapshotClass of the driver.
func (l *lab) secondClass(t *testing.T, name string) {
	l.kubectl(t, `{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshotClass","metadata":{"name":"`+name+`"},"driver":"ebs.csi.aws.com","deletionPolicy":"Delete"}`, "apply", "-f", "-")
	l.later(t, "delete", "volumesnapshotclass", name)
}

// refusedRun fails the test unless a run ends as invalid input that is told so.
func (l *lab) refusedRun(t *testing.T, run client.WorkflowRun, phrases ...string) {
	t.Helper()
	err := run.Get(t.Context(), nil)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != contract.ErrTypeInvalid {
		t.Fatalf("ended with %v", err)
	}
	for _, phrase := range phrases {
		if !strings.Contains(app.Message(), phrase) {
			t.Errorf("does not say %q: %s", phrase, app.Message())
		}
	}
}

// nothingWritten looks at the bucket, the account and the cluster.
func (l *lab) nothingWritten(t *testing.T, ns, backup, uid string) {
	t.Helper()
	l.leftInBucket(t, backup, uid)
	err := l.Store.List(t.Context(), layout.BackupDir(backup), func(i store.Info) error {
		t.Errorf("wrote %s", i.Key)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if left := l.snapshotsOf(t, l.disk(t, ns, "data")); len(left) > 0 {
		t.Errorf("took %+v", left)
	}
	l.leftInCluster(t, ns)
}
