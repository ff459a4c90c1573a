//go:build stack

package volumes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// identified is a Lifeboat whose worker has no keys for EC2: it assumes a role with the
// token of a service account, as a pod of EKS does (IRSA).
type identified struct {
	*lab
	name          string // how those of its backup and roles begin
	ns, tokenFile string
	roles         map[iam.Role]string // ARNs
	agent         *stack.Proxy        // before the agent of EKS Pod Identity; nil with IRSA
	volume        string              // that the backup has a snapshot of
	worker        *harness.Worker
}

// account is the service account that the role trusts.
const account = "lifeboat"

func (l *lab) identified(t *testing.T, name string, trust func(iam.Holder) (iam.Document, error)) *identified {
	t.Helper()
	i := &identified{name: name, ns: l.namespace(t, name), tokenFile: filepath.Join(t.TempDir(), "token"), roles: map[iam.Role]string{}}
	document, err := trust(iam.Holder{Account: l.ebs.Account, Issuer: l.Stack.APIServer, Cluster: awsCluster, Namespace: i.ns, ServiceAccount: account})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []iam.Role{iam.Volumes, iam.Backup, iam.Restore, iam.Collect} {
		i.roles[role] = l.addRole(t, name, document, role)
	}
	o := l.drillOptions(t, name)
	h := l.Idle(t, harness.Options{Cluster: name, Edit: func(c *config.Config) {
		o.Edit(c)
		vsl := snapshotLocation(l.ebs, "")
		vsl.Spec.Config = map[string]string{"region": l.ebs.Region}
		c.VolumeSnapshotLocations = []velerov1.VolumeSnapshotLocation{vsl}
	}})
	i.lab = &lab{Lab: &harness.Lab{Harness: h, ID: l.ID}, ebs: l.ebs, ec2: l.ec2}
	return i
}

// addRole makes a role of the documents that Lifeboat prints, which one service account of the stack's
// cluster may take.
func (l *lab) addRole(t *testing.T, name string, trust iam.Document, role iam.Role) string {
	t.Helper()
	policy, err := iam.Policy(iam.Options{Role: role, Bucket: "backups"})
	if err != nil {
		t.Fatal(err)
	}
	text := func(d iam.Document) json.RawMessage {
		out, err := d.Text()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	arn, err := l.ebs.AddRole(t.Context(), ebssim.Role{Name: name + "-" + string(role) + "-" + l.ID, Trust: text(trust), Policies: []json.RawMessage{text(policy)}})
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

// serve starts a worker that takes a role, in the place of the one before.
func (i *identified) serve(t *testing.T, role iam.Role) {
	t.Helper()
	if i.worker != nil {
		i.worker.Kill()
	}
	env := append(i.ebs.Environment(), "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	if i.agent == nil {
		env = append(env, "AWS_ROLE_ARN="+i.roles[role], "AWS_WEB_IDENTITY_TOKEN_FILE="+i.tokenFile)
	} else {
		i.associate(t, role)
		env = append(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://"+i.agent.Addr()+"/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+i.tokenFile)
	}
	var err error
	if i.worker, err = i.StartWorker(t.Context(), env...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.worker.Kill)
}

// become puts a token that the API server issues to a service account where the
// worker's is, as the kubelet does with a projected one.
func (i *identified) become(t *testing.T, name string) {
	t.Helper()
	i.kubectl(t, "", "create", "serviceaccount", name, "-n", i.ns)
	token := i.kubectl(t, "", "create", "token", name, "-n", i.ns, "--audience", "sts.amazonaws.com", "--duration", "1h")
	i.hold(t, token)
}

// hold has the worker use a token from now on.
func (i *identified) hold(t *testing.T, token string) {
	t.Helper()
	if err := os.WriteFile(i.tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWebIdentity takes, restores, drills and deletes a backup with nothing but the token of a service account,
// each by a worker whose role is for that alone and has the policy and the trust that Lifeboat prints.
// The token of another account is refused, and the worker goes on once it has the right one.
func TestWebIdentity(t *testing.T) {
	t.Parallel()
	i := shared.identified(t, "identity", iam.TrustWebIdentity)
	i.claim(t, i.ns, "data", "then")
	i.become(t, "stranger")
	i.serve(t, iam.Backup)
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{i.ns}, IncludedResources: []string{"persistentvolumeclaims", "persistentvolumes"}, VolumeSnapshotLocations: []string{location}}
	i.refusesStranger(t, spec, "access denied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")

	since := time.Now()
	i.become(t, account)
	i.backsUp(t, spec)
	i.serve(t, iam.Restore)
	i.restores(t)
	i.runDrill(t, "identity", i.backupName())
	i.serve(t, iam.Collect)
	i.deletes(t)
	i.actedAs(t, since, map[string]int{"backup GetCallerIdentity": 1, "backup CreateSnapshot": 1, "restore CreateVolume": 2, "collect DeleteSnapshot": 1}) // one volume of the drill's
}

// podAudience is whom the tokens of pods with Pod Identity are for.
const podAudience = "pods.eks.amazonaws.com"

// associate has the pods of the service account take a role from now on, with credentials that end many times in
// a test.
func (i *identified) associate(t *testing.T, role iam.Role) {
	t.Helper()
	err := i.ebs.Associate(t.Context(), ebssim.Association{
		Cluster: awsCluster, Namespace: i.ns, ServiceAccount: account, Role: i.roles[role], Lasts: ebssim.Duration(10 * time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// runPod makes a pod of a service account: tokens are bound to one.
func (i *identified) runPod(t *testing.T, name string) {
	t.Helper()
	i.kubectl(t, "", "create", "serviceaccount", name, "-n", i.ns)
	i.create(t, "pods", i.ns, fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q},"spec":{"serviceAccountName":%[1]q,"containers":[{"name":"main","image":"x"}]}}`, name))
}

// podToken is what the kubelet projects into the pod of a service account.
func (i *identified) podToken(t *testing.T, name, audience string) string {
	t.Helper()
	return i.kubectl(t, "", "create", "token", name, "-n", i.ns, "--audience", audience, "--duration", "1h", "--bound-object-kind", "Pod", "--bound-object-name", name)
}

// TestPodIdentity takes, restores and deletes a backup with nothing but the token of a pod, which the agent of EKS
// Pod Identity makes a role of, each by a worker whose role is for that alone and has the policy and the trust that
// Lifeboat prints. The token of another account's pod, and one for another audience, are refused; while the agent
// is down a backup waits.
func TestPodIdentity(t *testing.T) {
	t.Parallel()
	i := shared.identified(t, "pods", iam.TrustPodIdentity)
	var err error
	if i.agent, err = stack.NewProxy(i.ebs.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.agent.Close)
	i.claim(t, i.ns, "data", "then")
	i.runPod(t, "stranger")
	i.runPod(t, account)
	i.hold(t, i.podToken(t, "stranger", podAudience))
	i.serve(t, iam.Backup)
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{i.ns}, IncludedResources: []string{"persistentvolumeclaims", "persistentvolumes"}, VolumeSnapshotLocations: []string{location}}
	i.refusesStranger(t, spec, "credentials missing or not accepted", "(ResourceNotFoundException): No pod identity association")
	i.hold(t, i.podToken(t, account, "sts.amazonaws.com"))
	if out, err := i.CLI(t.Context(), "snapshot-location", "check", location); err != nil || out.Code != 1 || !strings.Contains(out.Out+out.Err, "(InvalidTokenException): invalid audience") {
		t.Errorf("check with another audience: %v %+v", err, out)
	}

	since := time.Now()
	i.hold(t, i.podToken(t, account, podAudience))
	i.agent.Cut()
	i.startBackup(t, i.backupName(), spec)
	time.Sleep(5 * time.Second)
	if left := i.snapshotsOf(t, i.disk(t, i.ns, "data")); len(left) > 0 {
		t.Errorf("without the agent it took %+v", left)
	}
	if err := i.agent.Heal(); err != nil {
		t.Fatal(err)
	}
	i.backsUp(t, spec) // the run that waits
	i.serve(t, iam.Restore)
	i.restores(t)
	i.serve(t, iam.Collect)
	i.deletes(t)
	i.actedAs(t, since, map[string]int{
		"backup AssumeRoleForPodIdentity": 2, "backup CreateSnapshot": 1, "restore CreateVolume": 1, "collect DeleteSnapshot": 1,
	})
}

// TestAnotherIdentity: a worker that has come by somebody's keys, and not by the role that its
// service account names, does not start, and says whose they are.
func TestAnotherIdentity(t *testing.T) {
	t.Parallel()
	i := shared.identified(t, "another", iam.TrustWebIdentity)
	w, err := i.StartWorker(t.Context(), append(i.ebs.Environment(), "AWS_ROLE_ARN="+i.roles[iam.Volumes], "AWS_WEB_IDENTITY_TOKEN_FILE="+i.tokenFile,
		"AWS_ACCESS_KEY_ID="+i.ebs.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+i.ebs.SecretAccessKey)...)
	if err == nil {
		w.Kill()
		t.Fatal("it started")
	}
	for _, words := range []string{"another identity in AWS", i.roles[iam.Volumes], "AWS_ACCESS_KEY_ID"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("no %q in %v", words, err)
		}
	}
}

func (i *identified) backupName() string { return i.name + "-" + i.ID }

// backsUp takes a backup with a snapshot of the claim.
func (i *identified) backsUp(t *testing.T, spec velerov1.BackupSpec) {
	t.Helper()
	i.volume = i.disk(t, i.ns, "data")
	if res := i.backup(t, i.backupName(), "Completed", spec); res.Volumes != 1 || len(i.snapshotsOf(t, i.volume)) != 1 {
		t.Errorf("%+v", res)
	}
}

// restores brings the claim back after its volume is gone.
func (i *identified) restores(t *testing.T) {
	t.Helper()
	pv := textAt(i.bound(t, i.ns, "data"), "metadata", "name")
	i.kubectl(t, "", "delete", "pvc", "data", "-n", i.ns)
	i.kubectl(t, "", "wait", "--for=delete", "pv/"+pv, "--timeout="+patience.String())
	i.restore(t, input(i.backupName(), i.backupName(), i.ns, nil))
	if got := i.content(t, i.ns, "data"); got != "then" {
		t.Errorf("read %q", got)
	}
}

// deletes deletes the backup, with its snapshot.
func (i *identified) deletes(t *testing.T) {
	t.Helper()
	if res := i.delete(t, i.backupName()); res.Snapshots != 1 || len(i.snapshotsOf(t, i.volume)) != 0 {
		t.Errorf("%+v", res)
	}
}

// refusesStranger: check and backup say who was not let in, and nothing is taken.
func (i *identified) refusesStranger(t *testing.T, spec velerov1.BackupSpec, kind, words string) {
	t.Helper()
	out, err := i.CLI(t.Context(), "snapshot-location", "check", location)
	if err != nil || out.Code != 1 || !strings.Contains(out.Out+out.Err, words) {
		t.Errorf("check: %v %+v", err, out)
	}
	err = i.startBackup(t, "stranger-"+i.ID, spec).Get(t.Context(), nil)
	if text := fmt.Sprint(err); !strings.Contains(text, location) || !strings.Contains(text, kind) || !strings.Contains(text, words) {
		t.Errorf("backup: %s", text)
	}
	if left := i.snapshotsOf(t, i.disk(t, i.ns, "data")); len(left) > 0 {
		t.Errorf("took %+v", left)
	}
}

// actedAs: what was made and deleted in the account, the roles did, each call so often at least, and nothing was
// denied to them.
func (i *identified) actedAs(t *testing.T, since time.Time, want map[string]int) {
	t.Helper()
	calls, err := i.ebs.Audit(t.Context(), "", since)
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for _, c := range calls {
		if _, role, ok := strings.Cut(c.Who, ":assumed-role/"+i.name+"-"); ok && strings.Contains(c.Who, i.ID) {
			done[role[:strings.Index(role, "-")]+" "+c.Action]++
			if c.Result == "UnauthorizedOperation" {
				t.Errorf("%s was denied to %s", c.Action, c.Who)
			}
		}
	}
	for action, least := range want {
		if done[action] < least {
			t.Errorf("%s %d times, want %d: %v", action, done[action], least, done)
		}
	}
}
