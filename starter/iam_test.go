package main

import (
	"os"
	"path/filepath"
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
