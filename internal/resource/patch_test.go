package resource

import (
	"reflect"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
)

// object decodes JSON as the Kubernetes client does.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var obj map[string]any
	if err := utiljson.Unmarshal([]byte(text), &obj); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return obj
}

func TestMergePatch(t *testing.T) {
	const head = `"apiVersion":"v1","kind":"X"`
	tests := []struct {
		name, resource, live, want string
		patch                      string // "" = nothing to change
	}{
		{
			name: "server-owned metadata, status and backup labels are no difference", resource: "configmaps",
			live: `{` + head + `,"metadata":{"name":"a","uid":"1","resourceVersion":"2","generation":9,"managedFields":[],"ownerReferences":[{}],"finalizers":["x"],"labels":{"velero.io/restore-name":"old"}},"data":{"k":"v"},"status":{"x":1}}`,
			want: `{` + head + `,"metadata":{"name":"a","labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"}},"data":{"k":"v"}}`,
		},
		{
			name: "change, add and remove; labels of the restore ride along", resource: "configmaps",
			live:  `{"metadata":{"labels":{"app":"x","mine":"1"}},"data":{"same":"1","change":"1","remove":"1"}}`,
			want:  `{"metadata":{"labels":{"app":"x","velero.io/backup-name":"b"}},"data":{"same":"1","change":"2","add":"3"}}`,
			patch: `{"data":{"change":"2","add":"3","remove":null},"metadata":{"labels":{"mine":null,"velero.io/backup-name":"b"}}}`,
		},
		{
			name: "labels of an earlier restore are not taken away", resource: "configmaps",
			live: `{"metadata":{"labels":{"velero.io/backup-name":"b"}},"data":{}}`, want: `{"metadata":{},"data":{}}`,
		},
		{
			name: "numbers are compared by value and nulls are absent", resource: "deployments.apps",
			live: `{"metadata":{},"spec":{"replicas":3,"x":1.0,"template":{"metadata":{"creationTimestamp":null}}}}`,
			want: `{"metadata":{},"spec":{"replicas":3.0,"x":1,"template":{"metadata":{}}}}`,
		},
		{
			name: "arrays are replaced whole", resource: "deployments.apps",
			live: `{"metadata":{},"spec":{"c":[1,2]}}`, want: `{"metadata":{},"spec":{"c":[1,3]}}`, patch: `{"spec":{"c":[1,3]}}`,
		},
		{
			name: "an object takes the place of a value", resource: "deployments.apps",
			live: `{"metadata":{},"spec":{"c":1,"d":{"e":1}}}`, want: `{"metadata":{},"spec":{"c":{"x":1},"d":2}}`, patch: `{"spec":{"c":{"x":1},"d":2}}`,
		},
		{
			name: "a service's assigned address and ports stay", resource: "services",
			live: `{"metadata":{"name":"s","namespace":"n"},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","ports":[{"port":80,"nodePort":31000}]}}`,
			want: `{"metadata":{"name":"s","namespace":"n"},"spec":{"ports":[{"port":80}]}}`,
		},
		{
			name: "a service's selector changes alone", resource: "services",
			live:  `{"metadata":{"name":"s","namespace":"n"},"spec":{"clusterIP":"10.0.0.1","selector":{"a":"1"},"ports":[{"port":80,"nodePort":31000}]}}`,
			want:  `{"metadata":{"name":"s","namespace":"n"},"spec":{"selector":{"a":"2"},"ports":[{"port":80}]}}`,
			patch: `{"spec":{"selector":{"a":"2"}}}`,
		},
		{
			name: "preserved node ports that are there already are no change", resource: "services",
			live: `{"metadata":{"name":"s","namespace":"n"},"spec":{"ports":[{"port":80,"nodePort":31000}]}}`,
			want: `{"metadata":{"name":"s","namespace":"n"},"spec":{"ports":[{"port":80,"nodePort":31000}]}}`,
		},
		{
			name: "a bound claim equals its unbound backup", resource: "persistentvolumeclaims",
			live: `{"metadata":{"name":"c","annotations":{"pv.kubernetes.io/bind-completed":"yes"}},"spec":{"volumeName":"pvc-2","storageClassName":"gp3","dataSource":{"name":"snap"}},"status":{"phase":"Bound"}}`,
			want: `{"metadata":{"name":"c"},"spec":{"storageClassName":"gp3"}}`,
		},
		{
			name: "a statically bound claim equals itself", resource: "persistentvolumeclaims",
			live: `{"metadata":{"name":"c"},"spec":{"volumeName":"pvc-2"},"status":{"phase":"Bound"}}`,
			want: `{"metadata":{"name":"c"},"spec":{"volumeName":"pvc-2"}}`,
		},
		{
			name: "a volume's claim keeps its uid", resource: "persistentvolumes",
			live: `{"metadata":{"name":"p"},"spec":{"persistentVolumeReclaimPolicy":"Delete","claimRef":{"name":"c","uid":"u","resourceVersion":"3"}}}`,
			want: `{"metadata":{"name":"p"},"spec":{"persistentVolumeReclaimPolicy":"Delete","claimRef":{"name":"c"}}}`,
		},
		{
			name: "a running pod equals its backup", resource: "pods",
			live: `{"metadata":{"name":"p"},"spec":{"nodeName":"n","priority":5,"containers":[]},"status":{"phase":"Succeeded"}}`,
			want: `{"metadata":{"name":"p"},"spec":{"containers":[]}}`,
		},
		{
			name: "an ended job's selector stays", resource: "jobs.batch",
			live: `{"metadata":{"name":"j"},"spec":{"selector":{"matchLabels":{"batch.kubernetes.io/controller-uid":"u"}},"template":{"metadata":{"labels":{"controller-uid":"u"}}}},"status":{"completionTime":"2026-01-01T00:00:00Z"}}`,
			want: `{"metadata":{"name":"j"},"spec":{"template":{"metadata":{}}}}`,
		},
		{
			name: "a token secret keeps its token", resource: "secrets",
			live: `{"metadata":{"name":"t"},"type":"kubernetes.io/service-account-token","data":{"token":"eA=="}}`,
			want: `{"metadata":{"name":"t"},"type":"kubernetes.io/service-account-token"}`,
		},
		{
			name: "a namespace's finalizer stays", resource: "namespaces",
			live: `{"metadata":{"name":"n"},"spec":{"finalizers":["kubernetes"]}}`, want: `{"metadata":{"name":"n"}}`,
		},
	}
	r := NewRegistry()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			live, want := object(t, test.live), object(t, test.want)
			got := r.MergePatch(test.resource, live, want)
			if test.patch == "" {
				if got != nil || !r.Equal(test.resource, live, want) {
					t.Fatalf("want no change, got %v", got)
				}
			} else if !compare.Same(got, object(t, test.patch)) || !sameNulls(got, object(t, test.patch)) {
				t.Fatalf("got %v, want %s", got, test.patch)
			}
			if !reflect.DeepEqual(live, object(t, test.live)) || !reflect.DeepEqual(want, object(t, test.want)) {
				t.Fatal("an object was changed")
			}
		})
	}
}

// sameNulls compares which keys a merge patch removes, which same() overlooks.
func sameNulls(a, b map[string]any) bool {
	for key, value := range b {
		if _, ok := a[key]; !ok {
			return false
		}
		if nested, ok := value.(map[string]any); ok && !sameNulls(child(a, key), nested) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestLabelsPatch(t *testing.T) {
	want := object(t, `{"metadata":{"labels":{"app":"x","velero.io/backup-name":"b","velero.io/restore-name":"r"}}}`)
	live := object(t, `{"metadata":{"labels":{"velero.io/backup-name":"b","velero.io/restore-name":"old"}}}`)
	patch := object(t, `{"metadata":{"labels":{"velero.io/restore-name":"r"}}}`)
	if got := LabelsPatch(live, want); !reflect.DeepEqual(got, patch) {
		t.Errorf("got %v, want %v", got, patch)
	}
	if got := LabelsPatch(want, want); got != nil {
		t.Errorf("got %v for an object that is labelled already", got)
	}
}

func TestMergeServiceAccount(t *testing.T) {
	live := object(t, `{"metadata":{"name":"default","labels":{"a":"live"}},"secrets":[{"name":"one"}]}`)
	tests := []struct {
		name, want, patch string
		overwrite         bool
		differs           bool
	}{
		{name: "nothing missing", want: `{"metadata":{"labels":{"a":"live","velero.io/backup-name":"b"}},"secrets":[{"name":"one"}]}`},
		{
			name:    "all that is missing, nothing that is there",
			want:    `{"metadata":{"labels":{"a":"old","b":"1"},"annotations":{"eks.amazonaws.com/role-arn":"arn"}},"secrets":[{"name":"two"},{"name":"one"},{"name":"two"},{"x":1}],"imagePullSecrets":[{"name":"reg"}],"automountServiceAccountToken":false}`,
			patch:   `{"metadata":{"labels":{"b":"1"},"annotations":{"eks.amazonaws.com/role-arn":"arn"}},"secrets":[{"name":"one"},{"name":"two"}],"imagePullSecrets":[{"name":"reg"}],"automountServiceAccountToken":false}`,
			differs: true,
		},
		{name: "secrets only", want: `{"metadata":{"name":"default"},"imagePullSecrets":[{"name":"reg"}]}`, patch: `{"imagePullSecrets":[{"name":"reg"}]}`},
		{name: "only different", want: `{"metadata":{"labels":{"a":"old"}}}`, differs: true},
		{name: "overwritten", want: `{"metadata":{"labels":{"a":"old"}}}`, patch: `{"metadata":{"labels":{"a":"old"}}}`, overwrite: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want map[string]any
			if test.patch != "" {
				want = object(t, test.patch)
			}
			if got, differs := MergeServiceAccount(live, object(t, test.want), test.overwrite); !reflect.DeepEqual(got, want) || differs != test.differs {
				t.Errorf("got %v, %t, want %v", got, differs, want)
			}
		})
	}
	open := object(t, `{"metadata":{"name":"default"},"automountServiceAccountToken":true}`)
	closed := object(t, `{"metadata":{"name":"default"},"automountServiceAccountToken":false}`)
	if patch, differs := MergeServiceAccount(open, closed, false); patch != nil || !differs {
		t.Errorf("what the live account states is changed: %v, %t", patch, differs)
	}
}
