//go:build stack

package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/api/workflowservice/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// installation is the chart in a namespace of the cluster, installed by Helm.
type installation struct {
	cluster
	namespace string
	values    string // file
	volume    string // EBS volume that the backup has a snapshot of
}

// TestChart installs, upgrades and uninstalls the chart as a user does. The worker runs in the
// cluster, with nothing but the tokens of its ServiceAccount: one for the API server, and one that the
// account's STS makes a role of (IRSA). Only the object store, which knows no STS, has keys in a Secret.
func TestChart(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	i.helm(t, "install", "--create-namespace", "--wait", "--timeout", "4m")
	if got := i.probes(t); got != 1 {
		t.Errorf("%d backups by the probe after the installation", got)
	}
	i.takeBackup(t)
	t.Run("rights", func(t *testing.T) { i.checkRights(t) })
	t.Run("without Helm", func(t *testing.T) { i.applyWithoutHelm(t) })
	i.helm(t, "upgrade", "--wait", "--timeout", "4m", "--set", "rbac.restore=false", "--set", "podAnnotations.upgraded=yes")
	if got := i.probes(t); got != 2 {
		t.Errorf("%d backups by the probe after the upgrade", got)
	}
	if i.may(t, "create", "deployments.apps") || !i.may(t, "list", "secrets") {
		t.Error("with rbac.restore=false the worker may write, or not read")
	}
	t.Run("two replicas", func(t *testing.T) { i.twoReplicas(t) })
	t.Run("an upgrade that breaks backups fails", func(t *testing.T) { i.breakUpgrade(t) })
	i.remove(t)
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	if err := stack.Build(t.Context(), os.Stderr, "helm"); err != nil {
		t.Fatal(err)
	}
	b := binaries(t)
	c := on(t, shared, b, harness.Options{Cluster: "chart"})
	i := &installation{cluster: c, namespace: "lifeboat-" + id, values: filepath.Join(c.Dir, "values.yaml")}
	workerImage(t)
	i.writeValues(t, i.addRole(t))
	i.forget(t, i.namespace)
	i.makeNamespace(t)
	t.Cleanup(func() {
		_, _ = i.Kubectl(t.Context(), "", "delete", "clusterrole,clusterrolebinding", "--selector", "app.kubernetes.io/instance=lifeboat")
	})
	return i
}

// addRole makes a role with the policy and the trust policy that Lifeboat prints for the release's ServiceAccount.
func (i *installation) addRole(t *testing.T) (arn string) {
	t.Helper()
	trust, err := iam.TrustWebIdentity(iam.Holder{Account: i.Stack.EBS.Account, Issuer: i.Stack.APIServer, Namespace: i.namespace, ServiceAccount: "lifeboat-worker"})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := iam.Policy(iam.Options{Role: iam.All, Bucket: i.Stack.S3.Bucket})
	if err != nil {
		t.Fatal(err)
	}
	trustText, trustErr := trust.Text()
	policyText, policyErr := policy.Text()
	if err := errors.Join(trustErr, policyErr); err != nil {
		t.Fatal(err)
	}
	arn, err = i.Stack.EBS.AddRole(t.Context(), ebssim.Role{Name: i.namespace, Trust: trustText, Policies: []json.RawMessage{policyText}})
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

// makeNamespace makes the release's namespace with what the values name: the object store's keys.
func (i *installation) makeNamespace(t *testing.T) {
	t.Helper()
	i.kubectl(t, "create", "namespace", i.namespace)
	i.kubectl(t, "create", "secret", "generic", "store", "--namespace", i.namespace, "--from-literal=keys="+
		fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", i.Stack.S3.AccessKey, i.Stack.S3.SecretKey))
}

// tokenDir is where EKS's webhook mounts a pod's token.
const tokenDir = "/var/run/secrets/eks.amazonaws.com/serviceaccount"

// writeValues writes values for a cluster whose API server, Temporal and S3 are on the machine's
// loopback: the worker is in the node's network, which is the machine's. EKS's webhook, which makes
// variables and a volume of the ServiceAccount's annotation, is not there: the values say what it would add.
func (i *installation) writeValues(t *testing.T, role string) {
	t.Helper()
	api, err := url.Parse(i.Stack.APIServer)
	if err != nil {
		t.Fatal(err)
	}
	location := i.Config.BackupStorageLocations[0].DeepCopy()
	delete(location.Spec.Config, "credentialsFile")
	location.Spec.Credential = &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "store"}, Key: "keys"}
	text, err := yaml.Marshal(map[string]any{
		"image": map[string]any{"tag": id},
		"configuration": map[string]any{
			"cluster": i.Cluster, "backupStorageLocations": []any{location},
			"volumeSnapshotLocations": []any{velerov1.VolumeSnapshotLocation{
				ObjectMeta: metav1.ObjectMeta{Name: "aws"}, Spec: velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{"region": i.Stack.EBS.Region}},
			}},
			"health": map[string]any{"listen": freePort(t)}, "metrics": map[string]any{"listen": freePort(t)},
		},
		"temporal": map[string]any{"address": i.Stack.Temporal.Address, "namespace": i.Stack.Temporal.Namespace},
		"replicas": 1, "hostNetwork": true,
		"extraEnv": []any{
			variable("KUBERNETES_SERVICE_HOST", api.Hostname()), variable("KUBERNETES_SERVICE_PORT", api.Port()),
			variable("AWS_ROLE_ARN", role), variable("AWS_WEB_IDENTITY_TOKEN_FILE", tokenDir+"/token"), variable("AWS_REGION", i.Stack.EBS.Region),
			variable("AWS_ENDPOINT_URL_EC2", i.Stack.EBS.Endpoint), variable("AWS_ENDPOINT_URL_EBS", i.Stack.EBS.Endpoint), variable("AWS_ENDPOINT_URL_STS", i.Stack.EBS.Endpoint),
		},
		"extraVolumes": []any{map[string]any{"name": "aws-iam-token", "projected": map[string]any{"sources": []any{
			map[string]any{"serviceAccountToken": map[string]any{"audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}},
		}}}},
		"extraVolumeMounts": []any{map[string]any{"name": "aws-iam-token", "mountPath": tokenDir, "readOnly": true}},
		"serviceAccount":    map[string]any{"roleArn": role},
		"probe":             map[string]any{"timeoutSeconds": 120},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(i.values, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func variable(name, value string) map[string]any {
	return map[string]any{"name": name, "value": value}
}

// freePort is an address with a port of the machine that nobody has at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf(":%d", l.Addr().(*net.TCPAddr).Port)
}

func (i *installation) tryHelm(t *testing.T, command string, args ...string) (string, error) {
	t.Helper()
	program, err := stack.Binary("helm")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{command, "lifeboat"}
	if command != "uninstall" {
		all = append(all, filepath.Join("..", "..", "deploy", "helm", "lifeboat"), "--values", i.values)
	}
	cmd := exec.CommandContext(t.Context(), program, append(append(all, "--namespace", i.namespace), args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+i.Stack.Kubeconfig, "HELM_CACHE_HOME="+i.Dir, "HELM_CONFIG_HOME="+i.Dir, "HELM_DATA_HOME="+i.Dir)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (i *installation) helm(t *testing.T, command string, args ...string) {
	t.Helper()
	if out, err := i.tryHelm(t, command, args...); err != nil {
		pods, _ := i.Kubectl(t.Context(), "", "describe", "pods", "--namespace", i.namespace)
		logs, _ := i.Kubectl(t.Context(), "", "logs", "--namespace", i.namespace, "--selector", "app.kubernetes.io/instance=lifeboat", "--all-containers", "--prefix", "--tail", "30")
		t.Fatalf("helm %s: %v\n%s\n%s\n%s", command, err, out, pods, logs)
	}
}

// probes is how many backups the chart's probe has had taken.
func (i *installation) probes(t *testing.T) int {
	t.Helper()
	query := fmt.Sprintf("WorkflowId STARTS_WITH 'backup:%s:lifeboat-probe'", i.Cluster)
	res, err := i.Temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	if err != nil {
		t.Fatal(err)
	}
	return int(res.GetCount())
}

// takeBackup takes one that shall outlive the installation, and makes a schedule. Of the probe's
// backups nothing is left.
func (i *installation) takeBackup(t *testing.T) {
	t.Helper()
	ns := i.cluster.namespace(t, "chart")
	i.applyIn(t, ns, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"},"data":{"a":"b"}}`)
	i.applyIn(t, ns, diskPod("first", ""))
	i.ready(t, ns, "first")
	i.volume = i.volumeID(t, ns, "first")
	for _, args := range [][]string{
		{"backup", "create", "first", "--include-namespaces", ns, "--wait"},
		{"schedule", "create", "nightly", "--schedule", "@daily"},
	} {
		if _, err := i.Run(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	if got := i.backups(t); !slices.Equal(got, []string{"first"}) {
		t.Errorf("backups %v", got)
	}
	if got := i.snapshots(t); len(got) != 1 {
		t.Errorf("snapshots %v", got)
	}
	i.takeAsRole(t, ns)
}

// takeAsRole takes a backup whose snapshot the worker makes itself, and not the CSI driver, and deletes it.
func (i *installation) takeAsRole(t *testing.T, ns string) {
	t.Helper()
	for _, args := range [][]string{
		{"backup", "create", "as-role", "--include-namespaces", ns, "--volume-snapshot-locations", "aws", "--wait"},
		{"backup", "delete", "as-role", "--confirm"},
	} {
		if _, err := i.Run(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	i.isTheRole(t)
}

// isTheRole: a snapshot was made and deleted by sessions of the role, to which nothing was denied.
func (i *installation) isTheRole(t *testing.T) {
	t.Helper()
	calls, err := i.Stack.EBS.Audit(t.Context(), "", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for _, c := range calls {
		if !strings.Contains(c.Who, ":assumed-role/"+i.namespace+"/") {
			continue
		}
		if c.Denied != "" {
			t.Errorf("denied to the worker: %s", c.Denied)
		}
		if c.Result == "OK" {
			done[c.Action]++
		}
	}
	for _, action := range []string{"GetCallerIdentity", "CreateSnapshot", "DeleteSnapshot"} {
		if done[action] == 0 {
			t.Errorf("the role did no %s: %v", action, done)
		}
	}
}

// snapshots are those of the volume that was backed up, as EC2 has them.
func (i *installation) snapshots(t *testing.T) (ids []string) {
	t.Helper()
	state, err := i.Stack.EBS.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range state.Snapshots {
		if s.VolumeID == i.volume {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// twoReplicas has two workers, both in the node's network and so without ports of their own. The budget
// lets one of them be evicted, and not both; what the one did goes on with the other.
func (i *installation) twoReplicas(t *testing.T) {
	i.helm(t, "upgrade", "--wait", "--timeout", "4m", "--set", "replicas=2", "--set", "configuration.health.listen=off", "--set", "configuration.metrics.listen=off")
	pods := i.workers(t)
	if len(pods) != 2 {
		t.Fatalf("workers: %q", pods)
	}
	within(t, patience, "the budget is known", func() error {
		out, err := i.Kubectl(t.Context(), "", "get", "poddisruptionbudgets", "--namespace", i.namespace, "-o", "jsonpath={.items[*].status.disruptionsAllowed}")
		if err == nil && out != "1" {
			err = errText("allowed are " + out)
		}
		return err
	})
	if _, err := i.Run(t.Context(), "backup", "create", "evicted", "--include-namespaces", i.namespace); err != nil {
		t.Fatal(err)
	}
	if err := i.evict(t, pods[0]); err != nil {
		t.Errorf("the first is not evicted: %v", err)
	}
	if err := i.evict(t, pods[1]); err == nil || !strings.Contains(err.Error(), "disruption budget") {
		t.Errorf("the second is evicted too: %v", err)
	}
	within(t, patience, "the backup goes on", func() error {
		out, err := i.Run(t.Context(), "backup", "get", "evicted", "-o", "json")
		if err == nil && !strings.Contains(out, `"phase": "Completed"`) {
			err = errText(out)
		}
		return err
	})
	if _, err := i.Run(t.Context(), "backup", "delete", "evicted", "--confirm"); err != nil {
		t.Error(err)
	}
}

// workers are the pods of the workers.
func (i *installation) workers(t *testing.T) []string {
	t.Helper()
	return strings.Fields(i.kubectl(t, "get", "pods", "--namespace", i.namespace, "--selector", "app.kubernetes.io/component=worker", "--field-selector", "status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}"))
}

func (i *installation) evict(t *testing.T, pod string) error {
	t.Helper()
	body := fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, pod, i.namespace)
	_, err := i.Kubectl(t.Context(), body, "create", "--raw", "/api/v1/namespaces/"+i.namespace+"/pods/"+pod+"/eviction", "-f", "-")
	return err
}

func (i *installation) backups(t *testing.T) []string {
	t.Helper()
	out, err := i.Run(t.Context(), "backup", "get", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(out)
}

// may asks the API server what the worker's ServiceAccount may do.
func (i *installation) may(t *testing.T, verb, resource string) bool {
	t.Helper()
	out, err := i.Kubectl(t.Context(), "", "auth", "can-i", verb, resource, "--all-namespaces", "--as", "system:serviceaccount:"+i.namespace+":lifeboat-worker")
	if err != nil && strings.TrimSpace(out) != "no" && !strings.Contains(out, "no\n") {
		t.Fatal(err, out)
	}
	return err == nil && strings.Contains(out, "yes")
}

// checkRights: enough for a backup and a restore, and not everything.
func (i *installation) checkRights(t *testing.T) {
	for _, p := range []struct {
		verb, resource string
		want           bool
	}{
		{"list", "secrets", true},
		{"create", "pods/exec", true},
		{"create", "deployments.apps", true},
		{"delete", "volumesnapshots.snapshot.storage.k8s.io", true},
		{"escalate", "clusterroles.rbac.authorization.k8s.io", true},
		{"*", "*", false},
		{"impersonate", "users", false},
		{"watch", "secrets", false},
		{"deletecollection", "pods", false},
		{"approve", "certificatesigningrequests.certificates.k8s.io", false},
	} {
		if got := i.may(t, p.verb, p.resource); got != p.want {
			t.Errorf("may %s %s: %v", p.verb, p.resource, got)
		}
	}
}

// applyWithoutHelm has the API server look at what the CLI prints of the same values.
func (i *installation) applyWithoutHelm(t *testing.T) {
	manifests, err := i.Run(t.Context(), "install", "--dry-run", "-o", "yaml", "--name", "plain", "--namespace", i.namespace, "--values", i.values)
	if err != nil {
		t.Fatal(err)
	}
	out, err := i.Kubectl(t.Context(), manifests, "apply", "--dry-run=server", "--filename", "-")
	if err != nil || !strings.Contains(out, "deployment.apps/plain-lifeboat created (server dry run)") {
		t.Errorf("%v %s", err, out)
	}
}

// breakUpgrade names a bucket that is not there: the workers start, no backup can be taken, and
// Helm says so. The release before is put back.
func (i *installation) breakUpgrade(t *testing.T) {
	text, err := os.ReadFile(i.values)
	if err != nil {
		t.Fatal(err)
	}
	good := i.values
	i.values = filepath.Join(i.Dir, "broken.yaml")
	if err := os.WriteFile(i.values, []byte(strings.Replace(string(text), "bucket: "+i.Stack.S3.Bucket, "bucket: no-such-bucket", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := i.tryHelm(t, "upgrade", "--wait", "--timeout", "3m", "--set", "probe.timeoutSeconds=60")
	if err == nil || !strings.Contains(out, "post-upgrade hooks failed") {
		t.Errorf("helm upgrade: %v %s", err, out)
	}
	i.values = good
	i.helm(t, "upgrade", "--wait", "--timeout", "4m")
}

// remove deletes the namespace under a release that runs, installs it anew and uninstalls it. Nothing of
// the bucket goes with either, and a worker elsewhere takes over with all that was there.
func (i *installation) remove(t *testing.T) {
	t.Helper()
	before := i.snapshots(t)
	isUnchanged := func(after string) {
		t.Helper()
		if got := i.snapshots(t); !slices.Equal(got, before) || len(got) == 0 {
			t.Errorf("snapshots after %s: %v, before %v", after, got, before)
		}
	}
	i.kubectl(t, "delete", "namespace", i.namespace, "--timeout=120s")
	isUnchanged("the namespace was deleted")
	i.makeNamespace(t)
	i.helm(t, "install", "--create-namespace", "--wait", "--timeout", "4m")
	i.helm(t, "uninstall", "--wait", "--timeout", "2m")
	i.kubectl(t, "delete", "namespace", i.namespace, "--timeout=120s")
	isUnchanged("the chart was uninstalled")
	w, err := i.StartWorker(t.Context(), i.Stack.EBS.Environment()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Kill)
	// The attempts of the upgrade that failed are still told, and are no backups.
	if got := i.backups(t); !slices.Contains(got, "first") {
		t.Errorf("backups after the chart was removed: %v", got)
	}
	if out, err := i.Run(t.Context(), "backup", "verify", "first", "--wait"); err != nil {
		t.Errorf("verify: %v %s", err, out)
	}
	if out, err := i.Run(t.Context(), "schedule", "get", "-o", "name"); err != nil || !strings.Contains(out, "nightly") {
		t.Errorf("schedules after the chart was removed: %v %s", err, out)
	}
}
