package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// The documents that are printed are the ones that verify accepts; what is taken away, or added,
// is named.
func TestIAM(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	printed := lifeboat(t, &memory{}, "", "iam", "policy", "--bucket", "example-backups", "--prefix", "production")
	printed.want(t, console.CodeDone, "arn:aws:s3:::example-backups/production/*")
	policy := write("policy.json", printed.out)
	verify := []string{"iam", "verify", "--bucket", "example-backups", "--prefix", "production"}
	lifeboat(t, &memory{}, "", append(verify, policy)...).want(t, console.CodeDone, "allow all that the worker needs")
	lifeboat(t, &memory{}, "", append(verify, write("all.json", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))...).want(t, console.CodePartiallyFailed, "too much", "s3:DeleteBucket", "Next:")
	lifeboat(t, &memory{}, "", append(verify, write("read.json", `{"Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}`))...).want(t, console.CodeFailed, "missing", "s3:PutObject")
	lifeboat(t, &memory{}, "", append(verify, write("bad.json", `{"Statement":[{"Effect":"Perhaps"}]}`))...).want(t, console.CodeError, "bad.json", "Effect")
	lifeboat(t, &memory{}, "", "iam", "policy").want(t, console.CodeError, "bucket: ")
	lifeboat(t, &memory{}, "", "iam", "trust", "--pod-identity").want(t, console.CodeError, "cluster: ")
	lifeboat(t, &memory{}, "", "iam", "trust", "--account", "111122223333", "--issuer", "https://oidc.example.com/id/A", "--namespace", "backups").want(t, console.CodeDone, "system:serviceaccount:backups:lifeboat-worker")
}

// TestIAMFlags: flags that change nothing in a form are refused, and so is what AWS would not take;
// what is said twice counts once.
func TestIAMFlags(t *testing.T) {
	const role, pod, irsa = "--worker-role arn:aws:iam::111122223333:role/lifeboat", "--pod-identity --eks-cluster east", "--account 111122223333 --issuer https://oidc.example.com/id/A"
	for args, want := range map[string]string{
		"trust " + irsa + " --external-id east-1":                  "--external-id: changes nothing without --pod-identity and --worker-role",
		"trust " + irsa + " --session-tag a=b":                     "--session-tag: changes nothing",
		"trust " + irsa + " --eks-cluster east":                    "--eks-cluster: changes nothing",
		"trust " + irsa + " --partition aws-mars":                  "partition: ",
		"trust " + pod + " --issuer https://oidc.example.com/id/A": "--issuer: changes nothing with --pod-identity, which takes --eks-cluster",
		"trust " + pod + " --external-id east-1":                   "--external-id: changes nothing with --pod-identity",
		"trust --pod-identity --eks-cluster ea*st":                 "cluster: ",
		"trust --pod-identity " + role:                             "pod-identity worker-role",
		"trust " + role + " --namespace backups --external-id e-1": "--namespace: changes nothing with --worker-role, which takes --external-id, --session-tag",
		"trust " + role:                                              "external id: say one",
		"trust " + role + " --external-id x":                         "external id: \"x\": want 2 to 1224",
		"trust " + role + " --external-id ${aws:username}":           "external id: ",
		"trust " + role + " --session-tag a":                         "--session-tag: \"a\": want key=value",
		"trust " + role + " --session-tag a=1 --session-tag a=2":     "each key once",
		"trust " + role + " --session-tag =v":                        "session tag: ",
		"trust " + role + " --session-tag a=*":                       "session tag: ",
		"policy --bucket b-1 --role backup --shared-by 111122223333": "--shared-by: changes nothing with --role backup",
		"policy --role volumes --bucket b-1":                         "--bucket: changes nothing with --role volumes",
		"policy --bucket b-1 --partition mars":                       "partition: ",
		"verify --role collect --bucket b-1 --volume-key x p.json":   "--volume-key: changes nothing with --role collect",
	} {
		lifeboat(t, &memory{}, "", append([]string{"iam"}, strings.Fields(args)...)...).want(t, console.CodeError, want)
	}
	got := lifeboat(t, &memory{}, "", strings.Fields("iam trust "+role+" --external-id a+b=c,d@e.f:g/h-i --session-tag note=a=b")...)
	got.want(t, console.CodeDone, `"aws:RequestTag/note": "a=b"`)
	twice := "iam policy --bucket b-1 --shared-by 111122223333 --shared-by 111122223333 --assume arn:aws:iam::444455556666:role/b --assume arn:aws:iam::444455556666:role/b"
	once := "iam policy --bucket b-1 --shared-by 111122223333 --assume arn:aws:iam::444455556666:role/b"
	if a, b := lifeboat(t, &memory{}, "", strings.Fields(twice)...), lifeboat(t, &memory{}, "", strings.Fields(once)...); a.out != b.out || a.out == "" {
		t.Errorf("what is said twice counts twice: %s", a.out)
	}
}
