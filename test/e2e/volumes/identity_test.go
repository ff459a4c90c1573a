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
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// identified is a Lifeboat whose worker has no keys for EC2: it assumes a role with the
// token of a service account, as a pod of EKS does (IRSA).
type identified struct {
	*lab
	ns, tokenFile string
	roles         map[iam.Role]string // ARNs
	worker        *harness.Worker
}

// account is the service account that the role trusts.
const account = "lifeboat"

func (l *lab) identified(t *testing.T, name string) *identified {
	t.Helper()
	i := &identified{ns: l.namespace(t, name), tokenFile: filepath.Join(t.TempDir(), "token"), roles: map[iam.Role]string{}}
	for _, role := range []iam.Role{iam.Volumes, iam.Backup, iam.Restore, iam.Collect} {
		i.roles[role] = l.addRole(t, name, i.ns, role)
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
func (l *lab) addRole(t *testing.T, name, ns string, role iam.Role) string {
	t.Helper()
	holder := iam.Holder{Account: l.ebs.Account, Issuer: l.Stack.APIServer, Namespace: ns, ServiceAccount: account}
	trust, err := iam.TrustWebIdentity(holder)
	if err != nil {
		t.Fatal(err)
	}
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
	env := append(i.ebs.Environment(), "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_ROLE_ARN="+i.roles[role], "AWS_WEB_IDENTITY_TOKEN_FILE="+i.tokenFile)
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
	if err := os.WriteFile(i.tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWebIdentity takes, restores, drills and deletes a backup with nothing but the token of a service account,
// each by a worker whose role is for that alone and has the policy and the trust that Lifeboat prints.
// The token of another account is refused, and the worker goes on once it has the right one.
func TestWebIdentity(t *testing.T) {
	t.Parallel()
	i := shared.identified(t, "identity")
	i.claim(t, i.ns, "data", "then")
	i.become(t, "stranger")
	i.serve(t, iam.Backup)
	spec := velerov1.BackupSpec{IncludedNamespaces: []string{i.ns}, IncludedResources: []string{"persistentvolumeclaims", "persistentvolumes"}, VolumeSnapshotLocations: []string{location}}
	i.refusesStranger(t, spec)

	since := time.Now()
	i.become(t, account)
	name := "identity-" + i.ID
	disk := i.disk(t, i.ns, "data")
	if res := i.backup(t, name, "Completed", spec); res.Volumes != 1 || len(i.snapshotsOf(t, disk)) != 1 {
		t.Errorf("%+v", res)
	}
	pv := textAt(i.bound(t, i.ns, "data"), "metadata", "name")
	i.kubectl(t, "", "delete", "pvc", "data", "-n", i.ns)
	i.kubectl(t, "", "wait", "--for=delete", "pv/"+pv, "--timeout="+patience.String())
	i.serve(t, iam.Restore)
	i.restore(t, input(name, name, i.ns, nil))
	if got := i.content(t, i.ns, "data"); got != "then" {
		t.Errorf("read %q", got)
	}
	i.runDrill(t, "identity", name)
	i.serve(t, iam.Collect)
	if res := i.delete(t, name); res.Snapshots != 1 || len(i.snapshotsOf(t, disk)) != 0 {
		t.Errorf("%+v", res)
	}
	i.actedAs(t, since)
}

// TestAnotherIdentity: a worker that has come by somebody's keys, and not by the role that its
// service account names, does not start, and says whose they are.
func TestAnotherIdentity(t *testing.T) {
	t.Parallel()
	i := shared.identified(t, "another")
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

// refusesStranger: check and backup say who was not let in, and nothing is taken.
func (i *identified) refusesStranger(t *testing.T, spec velerov1.BackupSpec) {
	t.Helper()
	out, err := i.CLI(t.Context(), "snapshot-location", "check", location)
	if err != nil || out.Code != 1 || !strings.Contains(out.Out+out.Err, "Not authorized to perform sts:AssumeRoleWithWebIdentity") {
		t.Errorf("check: %v %+v", err, out)
	}
	err = i.startBackup(t, "stranger-"+i.ID, spec).Get(t.Context(), nil)
	if text := fmt.Sprint(err); !strings.Contains(text, location) || !strings.Contains(text, "access denied") || !strings.Contains(text, "AssumeRoleWithWebIdentity") {
		t.Errorf("backup: %s", text)
	}
	if left := i.snapshotsOf(t, i.disk(t, i.ns, "data")); len(left) > 0 {
		t.Errorf("took %+v", left)
	}
}

// actedAs: what was made and deleted in the account, the role did, and nothing was denied
// to it.
func (i *identified) actedAs(t *testing.T, since time.Time) {
	t.Helper()
	calls, err := i.ebs.Audit(t.Context(), "", since)
	if err != nil {
		t.Fatal(err)
	}
	done := map[string]int{}
	for _, c := range calls {
		if strings.Contains(c.Who, "assumed-role/identity-") && strings.Contains(c.Who, i.ID) {
			role := strings.Split(c.Who, "identity-")[1]
			done[role[:strings.Index(role, "-")]+" "+c.Action]++
			if c.Result == "UnauthorizedOperation" {
				t.Errorf("%s was denied to %s", c.Action, c.Who)
			}
		}
	}
	for action, least := range map[string]int{"backup GetCallerIdentity": 1, "backup CreateSnapshot": 1, "restore CreateVolume": 2, "collect DeleteSnapshot": 1} { // one volume of the drill's
		if done[action] < least {
			t.Errorf("%s %d times, want %d: %v", action, done[action], least, done)
		}
	}
}
