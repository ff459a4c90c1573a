package manifest_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// full is a Backup as Velero users have it, with deprecated fields and with what
// `kubectl get -o yaml` adds.
const full = `---
# nightly backup of the shop
apiVersion: velero.io/v1
kind: Backup
metadata:
  name: nightly
  namespace: velero
  uid: 7c1f3c52-0000-4000-8000-000000000000
  resourceVersion: "12"
  creationTimestamp: "2026-01-02T15:04:05Z"
  labels:
    app: shop
  annotations:
    velero.io/pod-volume-timeout: 10m
  managedFields:
  - manager: kubectl
spec:
  csiSnapshotTimeout: 10m
  defaultVolumesToRestic: false
  hooks:
    resources:
    - name: freeze
      pre:
      - exec:
          command: [/bin/sync]
          timeout: 30s
  includedNamespaces:
  - shop
  - pay-*
  labelSelector:
    matchExpressions:
    - {key: tier, operator: In, values: [web, db]}
  metadata: {}
  orderedResources:
    pods: shop/a,shop/b
  snapshotVolumes: false
  ttl: 720h0m0s
status:
  phase: Completed
  somethingNew: 1
`

func TestBackup(t *testing.T) {
	in, err := manifest.Backup(strings.NewReader(full))
	if err != nil {
		t.Fatal(err)
	}
	s := in.Spec
	if in.Name != "nightly" || in.Labels["app"] != "shop" || in.Annotations["velero.io/pod-volume-timeout"] != "10m" {
		t.Errorf("metadata: %q %v %v", in.Name, in.Labels, in.Annotations)
	}
	if len(s.IncludedNamespaces) != 2 || s.TTL.Duration != 720*time.Hour || s.SnapshotVolumes == nil || *s.SnapshotVolumes {
		t.Errorf("spec: %+v", s)
	}
	if s.DefaultVolumesToRestic == nil { //nolint:staticcheck // manifests still have it
		t.Error("a deprecated field was dropped")
	}
	if len(s.Hooks.Resources) != 1 || s.OrderedResources["pods"] != "shop/a,shop/b" {
		t.Errorf("spec: %+v", s)
	}
}

func TestBackupAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"no spec":        "apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: a}\n",
		"json":           `{"apiVersion":"velero.io/v1","kind":"Backup","metadata":{"name":"a"},"spec":{"ttl":"1h"}}`,
		"no metadata":    "apiVersion: velero.io/v1\nkind: Backup\nspec: {includedNamespaces: [a]}\n",
		"separators":     "---\n# only a comment\n---\napiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: a}\n---\n",
		"crlf":           "apiVersion: velero.io/v1\r\nkind: Backup\r\nmetadata:\r\n  name: a\r\n",
		"uploader":       "apiVersion: velero.io/v1\nkind: Backup\nspec: {uploaderConfig: {parallelFilesUpload: 4}}\n",
		"beside others":  "kind: ConfigMap\ndata: {a: b}\n---\napiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: a}\n---\nkind: Schedule\n",
		"volume policy":  "apiVersion: velero.io/v1\nkind: Backup\nspec: {resourcePolicy: {kind: configmap, name: p}}\n",
		"null selectors": "apiVersion: velero.io/v1\nkind: Backup\nspec: {labelSelector: null, includedNamespaces: null}\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := manifest.Backup(strings.NewReader(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBackupRefused(t *testing.T) {
	const head = "apiVersion: velero.io/v1\nkind: Backup\nmetadata: {name: a}\n"
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "holds no document"},
		{"comments", "# nothing\n---\n", "holds no document"},
		{"two", head + "---\n" + head, "several documents, 2 of kind Backup: give one Backup at a time"},
		{"others", "kind: ConfigMap\n---\nkind: Schedule\n", "several documents, 0 of kind Backup"},
		{"scalar", "hello", "not a Velero document"},
		{"not yaml", "a: [", "parse YAML"},
		{"no version", "kind: Backup\n", "apiVersion: (not given) is not velero.io/v1"},
		{"version", "apiVersion: velero.io/v2\nkind: Backup\n", `apiVersion: "velero.io/v2" is not velero.io/v1`},
		{"kind", "apiVersion: velero.io/v1\nkind: Restore\n", `kind: "Restore" is not Backup`},
		{"schedule", "apiVersion: velero.io/v1\nkind: Schedule\n", `kind: "Schedule" is not Backup`},
		{"list", "apiVersion: velero.io/v1\nkind: BackupList\nitems: []\n", `kind: "BackupList" is not Backup`},
		{"top", "apiVersion: velero.io/v1\nkind: Backup\nSpec: {}\n", "Spec: unknown field; did you mean spec?"},
		{"flag's name", head + "spec: {includeNamespaces: [a]}\n", "spec.includeNamespaces: unknown field; did you mean includedNamespaces?"},
		{"case", head + "spec: {includednamespaces: [a]}\n", "spec.includednamespaces: unknown field; did you mean includedNamespaces?"},
		{"unknown", head + "spec: {frobnicate: 1}\n", "spec.frobnicate: unknown field"},
		{"nested", head + "spec: {hooks: {resources: [{name: a, preHooks: []}]}}\n", "spec.hooks.resources[0].preHooks: unknown field"},
		{"twice", head + "spec: {ttl: 1h, ttl: 2h}\n", `key "ttl" already set`},
		{"day", head + "spec: {ttl: 30d}\n", "spec.ttl: time: unknown unit"},
		{"day's remedy", head + "spec: {ttl: 30d}\n", "write durations like 72h"},
		{"string for list", head + "spec: {includedNamespaces: a}\n", "spec.includedNamespaces: "},
		{"spec is a list", head + "spec: [a]\n", "spec: expected fields"},
		{"label value", "apiVersion: velero.io/v1\nkind: Backup\nmetadata: {labels: {a: 1}}\n", "metadata: "},
		{"too large", head + "#" + strings.Repeat("x", 3<<20), "larger than 2 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := manifest.Backup(strings.NewReader(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestGenerateName(t *testing.T) {
	const text = "apiVersion: velero.io/v1\nkind: Backup\nmetadata: {generateName: pre-upgrade-}\n"
	in, err := manifest.Backup(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(in.Name, "pre-upgrade-") || len(in.Name) != len("pre-upgrade-")+5 {
		t.Errorf("name %q", in.Name)
	}
}

func TestRestore(t *testing.T) {
	const text = `
apiVersion: velero.io/v1
kind: Restore
metadata: {name: back, namespace: velero}
spec:
  backupName: nightly
  namespaceMapping: {shop: shop-copy}
  restoreStatus: {includedResources: [workflows]}
  existingResourcePolicy: update
  hooks:
    resources:
    - name: h
      postHooks:
      - init: {initContainers: [{name: a, image: b, command: [c]}], timeout: 1m}
`
	in, err := manifest.Restore(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if in.Name != "back" || in.Spec.BackupName != "nightly" || in.Spec.NamespaceMapping["shop"] != "shop-copy" {
		t.Errorf("%+v", in)
	}
	if in.Spec.RestoreStatus == nil || len(in.Spec.Hooks.Resources[0].PostHooks[0].Init.InitContainers) != 1 {
		t.Errorf("%+v", in.Spec)
	}
	_, err = manifest.Restore(strings.NewReader(strings.Replace(text, "backupName", "backup", 1)))
	if err == nil || !strings.Contains(err.Error(), "spec.backup: unknown field") {
		t.Errorf("got %v", err)
	}
}

// FuzzManifest holds the reader to this: no input panics, and an accepted Backup
// reads the same when it is read again as JSON.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"apiVersion":"velero.io/v1","kind":"Backup","spec":{"ttl":"1h"}}`))
	f.Add([]byte("apiVersion: velero.io/v1\nkind: Restore\nspec: {backupName: a}\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("---\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := manifest.Restore(bytes.NewReader(data)); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		in, err := manifest.Backup(bytes.NewReader(data))
		if err != nil || in.Name == "" {
			return
		}
		doc := velerov1.Backup{Spec: in.Spec}
		doc.APIVersion, doc.Kind = "velero.io/v1", "Backup"
		doc.Name, doc.Labels, doc.Annotations = in.Name, in.Labels, in.Annotations
		again, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > 1<<20 {
			return
		}
		second, err := manifest.Backup(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("accepted once, refused then: %v\n%s", err, again)
		}
		third, _ := json.Marshal(second)
		first, _ := json.Marshal(in)
		if !bytes.Equal(first, third) {
			t.Errorf("read %s, then %s", first, third)
		}
	})
}
