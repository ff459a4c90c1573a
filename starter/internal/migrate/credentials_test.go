package migrate

import (
	"strings"
	"testing"
)

// serverOf is Velero's server with the variables and volumes of one container, as its installer and
// its chart write them.
func serverOf(env, mounts, volumes string) string {
	return "kind: Deployment\nmetadata: {name: velero, namespace: velero}\nspec: {template: {spec: {serviceAccountName: velero, volumes: [" + volumes +
		"], containers: [{args: [server], env: [" + env + "], volumeMounts: [" + mounts + "]}]}}}\n---\n"
}

// TestServerCredentials: what Velero's server has for locations that name no Secret, these name after
// the migration; the worker would have nothing else, or the node's role.
func TestServerCredentials(t *testing.T) {
	const (
		file    = "{name: AWS_SHARED_CREDENTIALS_FILE, value: /credentials/cloud}"
		mount   = "{name: cloud-credentials, mountPath: /credentials}"
		secret  = "{name: cloud-credentials, secret: {secretName: velero-aws}}"
		account = "kind: ServiceAccount\nmetadata: {name: velero, namespace: velero, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/velero'}}\n---\n"
		of      = "of the Secret velero-aws in namespace velero"
	)
	for name, tc := range map[string]struct {
		in         string
		bare, ebs  string // Secret and key of locations that name none
		note, lack string
	}{
		"a Secret":           {serverOf(file, mount, secret), "velero-aws/cloud", "velero-aws/cloud", of, "AWS_SHARED"},
		"one file of it":     {serverOf(file, "{name: cloud-credentials, mountPath: /credentials/cloud, subPath: aws}", secret), "velero-aws/aws", "velero-aws/aws", of, "AWS_SHARED"},
		"another name in it": {serverOf(file, mount, "{name: cloud-credentials, secret: {secretName: velero-aws, items: [{key: aws, path: cloud}]}}"), "velero-aws/aws", "velero-aws/aws", of, "AWS_SHARED"},
		"a role goes before": {account + serverOf(file, mount, secret), "", "", "the role arn:aws:iam::111122223333:role/velero", "velero-aws"},
		"no Secret":          {serverOf(file, mount, "{name: cloud-credentials, hostPath: {path: /etc}}"), "", "", "the variable AWS_SHARED_CREDENTIALS_FILE of Velero's server", "the Secret"},
		"keys as variables":  {serverOf("{name: AWS_ACCESS_KEY_ID, value: AK}", "", ""), "", "", "the variable AWS_ACCESS_KEY_ID of Velero's server", "AK}"},
		"a proxy":            {serverOf("{name: HTTPS_PROXY, value: 'http://proxy:3128'}", "", ""), "", "", "the variable HTTPS_PROXY of Velero's server", "Secret"},
		"what Velero writes": {serverOf("{name: VELERO_NAMESPACE, value: velero}, {name: LD_LIBRARY_PATH, value: /plugins}, {name: AZURE_CREDENTIALS_FILE, value: /credentials/cloud}", mount, secret), "", "", "", "variable"},
		"no server was read": {"", "", "", "", "variable"},
	} {
		t.Run(name, func(t *testing.T) {
			in := storage("bare", ", default: true") + storage("own", ", credential: {name: own, key: k}") + snapshots("ebs")
			for _, in := range []string{in + tc.in, tc.in + in} {
				out, notes, err := run(t, "c", options{files: []string{"-"}, printed: printConfiguration}, in)
				if err != nil {
					t.Fatal(err)
				}
				cfg := checkAsWorker(t, out)
				got := map[string]string{}
				for _, l := range cfg.BackupStorageLocations {
					if c := l.Spec.Credential; c != nil {
						got[l.Name] = c.Name + "/" + c.Key
					}
				}
				if c := cfg.VolumeSnapshotLocations[0].Spec.Credential; c != nil {
					got["ebs"] = c.Name + "/" + c.Key
				}
				if got["own"] != "own/k" || got["bare"] != tc.bare || got["ebs"] != tc.ebs {
					t.Errorf("credentials of locations: %v", got)
				}
				if !strings.Contains(notes, tc.note) || strings.Contains(strings.ReplaceAll(notes, "Secret own", ""), tc.lack) {
					t.Errorf("notes: %s", notes)
				}
			}
		})
	}
}
