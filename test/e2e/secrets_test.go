//go:build stack

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// guarded has Secrets of which each gets into an error somewhere: the policy repeats
// a Secret's value in its refusal, as people write policies.
const guarded = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: guarded-<id>}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: <guarded>}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [secrets]}]
  validations:
  - expression: "object.metadata.name != (request.operation == 'CREATE' ? 'refused' : 'kept')"
    messageExpression: "'will not have ' + string(object.data.password)"
  - expression: "request.operation == 'CREATE' || object.metadata.name != 'owned'"
    messageExpression: "'will not link ' + string(object.data.password)"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: guarded-<id>}
spec: {policyName: guarded-<id>, validationActions: [Deny]}
`

const guardedSecrets = `
{apiVersion: v1, kind: Namespace, metadata: {name: <guarded>}}
---
{apiVersion: v1, kind: Secret, metadata: {name: plain, namespace: <guarded>}, stringData: {password: <marker>}}
---
{apiVersion: v1, kind: Secret, metadata: {name: fixed, namespace: <guarded>}, immutable: true, stringData: {password: <marker>}}
---
{apiVersion: v1, kind: Secret, metadata: {name: refused, namespace: <guarded>}, stringData: {password: <marker>}}
---
{apiVersion: v1, kind: Secret, metadata: {name: kept, namespace: <guarded>}, stringData: {password: <marker>}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: owner, namespace: <guarded>}}
`

// guardedByOwner is linked to its owner by a patch, which the policy refuses.
const guardedByOwner = `
apiVersion: v1
kind: Secret
metadata: {name: owned, namespace: <guarded>, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: <uid>}]}
stringData: {password: <marker>}
`

// TestSecretBytes plants a text in Secrets, sends them through backups, dry runs,
// restores, updates and refusals, and looks for it in every history, the list of
// workflows, the worker's log, everything the command line printed and every file
// of the bucket but the archive itself.
func TestSecretBytes(t *testing.T) {
	t.Parallel()
	l := beside(t, "guarded")
	const marker = "PLANTED-do-not-tell-4711"
	names := l.namespaces(t, "guarded")
	ns := names.Replace("<guarded>")
	var printed bytes.Buffer
	cli := func(code int, args ...string) {
		t.Helper()
		res, err := l.CLI(t.Context(), args...)
		if err != nil || res.Code != code {
			t.Errorf("lifeboat %s: exit %d, want %d: %v: %s%s", strings.Join(args, " "), res.Code, code, err, res.Out, res.Err)
		}
		printed.WriteString(res.Out + res.Err)
	}
	l.apply(t, strings.ReplaceAll(names.Replace(guardedSecrets), "<marker>", marker))
	owner := fmt.Sprint(harness.At(l.Object(t, "configmaps", ns, "owner"), "metadata", "uid"))
	l.apply(t, strings.NewReplacer("<marker>", marker, "<uid>", owner).Replace(names.Replace(guardedByOwner)))
	cli(0, "backup", "create", "guarded", "--include-namespaces", ns, "--wait")
	cli(0, "backup", "describe", "guarded", "--details")
	cli(0, "backup", "logs", "guarded")

	other := strings.ReplaceAll(names.Replace(guardedSecrets), "<marker>", "not-"+marker)
	l.kubectl(t, "delete", "secret", "fixed", "refused", "owned", "-n", ns)
	l.apply(t, strings.Replace(other, "name: refused", "name: another", 1))
	l.applyClusterScoped(t, names.Replace(guarded))
	l.policyInForce(t, ns)
	cli(0, "restore", "create", "guarded-look", "--from-backup", "guarded", "--existing-resource-policy", "update", "--dry-run")
	cli(0, "restore", "create", "guarded-none", "--from-backup", "guarded", "--exclude-resources", "secrets", "--wait")
	cli(3, "restore", "create", "guarded-update", "--from-backup", "guarded", "--existing-resource-policy", "update", "--plan", "guarded-look", "--wait")
	cli(0, "restore", "describe", "guarded-update", "--details")
	cli(0, "restore", "logs", "guarded-update")
	lines := restoreOutcomes(t, l.Harness, "guarded-update")
	if !has(lines, "[UPDATE_FAILED]", "fixed") || !has(lines, "refused", "will not have", "<masked>") {
		t.Errorf("the sample did not get into the errors it is for: %q", lines)
	}
	if !has(lines, "kept", "will not have", "<masked>") || !has(lines, "errors: [OWNER_REFUSED]", "owned", "will not link", "<masked>") {
		t.Errorf("the sample did not get into the refused patches it is for: %q", lines)
	}
	if l.Object(t, "secrets", ns, "plain") == nil || l.Object(t, "secrets", ns, "owned") == nil {
		t.Error("nothing was restored")
	}

	texts := map[string][]byte{"command line": printed.Bytes(), "worker log": l.Worker.Log()}
	l.histories(t, texts)
	for _, key := range keysIn(t, l.Store, "") {
		if !strings.HasSuffix(key, ".tar.gz") {
			texts["bucket "+key] = read(t, l.Store, key)
		}
	}
	for where, text := range texts {
		if found := leak(text, marker); found != "" {
			t.Errorf("%s: %s", where, found)
		}
	}
	if leak(read(t, l.Store, "backups/guarded/guarded.tar.gz"), marker) == "" {
		t.Error("the search does not find the marker where it has to be")
	}
}

// policyInForce waits until the admission policy refuses a Secret.
func (l *lab) policyInForce(t *testing.T, ns string) {
	t.Helper()
	eventually(t, "policy in force", func() error {
		_, err := l.Kubectl(t.Context(), fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: refused, namespace: %s}, stringData: {password: x}}`, ns), "create", "--dry-run=server", "-f", "-")
		if err == nil {
			return fmt.Errorf("a Secret is admitted")
		}
		if !strings.Contains(err.Error(), "will not have") {
			return err
		}
		return nil
	})
}

// histories adds the whole history of every workflow of the cluster, with memo and
// search attributes.
func (l *lab) histories(t *testing.T, texts map[string][]byte) {
	t.Helper()
	req := &workflowservice.ListWorkflowExecutionsRequest{Query: fmt.Sprintf("TaskQueue = '%s'", contract.TaskQueue(l.Cluster)), PageSize: 500}
	eventually(t, "visibility", func() error { // it follows the histories with a delay
		res, err := l.Temporal.ListWorkflow(t.Context(), req)
		if err != nil {
			return err
		}
		for _, e := range res.GetExecutions() {
			id := e.GetExecution().GetWorkflowId()
			texts["visibility "+id] = binary(t, e)
			texts["history "+id+" "+e.GetExecution().GetRunId()] = l.history(t.Context(), t, id, e.GetExecution().GetRunId())
		}
		if texts["visibility "+contract.RestoreID(l.Cluster, "guarded-update")] == nil {
			return fmt.Errorf("the restore is not listed")
		}
		return nil
	})
}

func (l *lab) history(ctx context.Context, t *testing.T, id, run string) []byte {
	t.Helper()
	var all []byte
	for events := l.Temporal.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, binary(t, event)...)
	}
	return all
}

func binary(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// leak finds a text as it is, in base64, and in base64 within other text.
func leak(data []byte, marker string) string {
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + marker))
		inner := encoded[(shift*4+2)/3 : len(encoded)-4] // the letters that depend on nothing else
		if i := bytes.Index(data, []byte(inner)); i >= 0 {
			return around(data, i)
		}
	}
	if i := bytes.Index(data, []byte(marker)); i >= 0 {
		return around(data, i)
	}
	return ""
}

func around(data []byte, i int) string {
	return fmt.Sprintf("%q", data[max(0, i-80):min(len(data), i+80)])
}

// TestCredentialsStaySecret: Lifeboat's own credentials stay out of its words as well.
func TestCredentialsStaySecret(t *testing.T) {
	t.Parallel()
	l := beside(t, "credentials")
	texts := map[string][]byte{"worker log": l.Worker.Log()}
	backup(t, l.Harness, "credentials", velerov1.BackupSpec{IncludedNamespaces: []string{"kube-public"}})
	id := contract.BackupID(l.Cluster, "credentials")
	texts["history"] = l.history(t.Context(), t, id, "")
	res, err := l.CLI(t.Context(), "location", "get", "-o", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts["location get"] = []byte(res.Out + res.Err)
	for where, text := range texts {
		for _, secret := range []string{l.Stack.S3.SecretKey, l.Stack.AdminToken} {
			if found := leak(text, secret); found != "" {
				t.Errorf("%s: %s", where, found)
			}
		}
	}
}
