//go:build stack && release

package terraform

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

const (
	bucketKey = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
	volumeKey = "arn:aws:kms:eu-central-1:111122223333:key/66666666-7777-8888-9999-000000000000"
	issuer    = "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC"
)

// TestDocuments: what OpenTofu makes of the templates is what the CLI prints for the same values,
// and it passes what `lifeboat iam verify` asks: what is needed is allowed, nothing else is.
func TestDocuments(t *testing.T) {
	f := newTofu(t, "documents")
	f.run(t, "init")
	holder := iam.Holder{Account: "111122223333", Issuer: issuer, Cluster: "production", Namespace: "backup", ServiceAccount: "worker"}
	for _, role := range iam.Roles() {
		for name, o := range map[string]iam.Options{
			"full": {Role: role, Bucket: "example-backups", Prefix: "production/eu", BucketKey: bucketKey, VolumeKeys: []string{volumeKey, bucketKey}, SharedBy: []string{"444455556666"}, Assume: []string{"arn:aws:iam::444455556666:role/backups"}, Inspect: true},
			"bare": {Role: role, Bucket: "example-backups", Prefix: "production"},
		} {
			t.Run(string(role)+" "+name, func(t *testing.T) {
				values := map[string]any{
					"role": role, "bucket": o.Bucket, "prefix": o.Prefix, "volume_key_arns": append([]string{}, o.VolumeKeys...),
					"shared_by": append([]string{}, o.SharedBy...), "assume": append([]string{}, o.Assume...), "inspect": o.Inspect, "cluster": "production",
					"namespace": "backup", "service_account": "worker", "identity": "pod-identity",
				}
				trust := iam.TrustPodIdentity
				if name == "full" {
					values["bucket_key_arn"], values["identity"], values["issuer"], values["account"] = o.BucketKey, "irsa", issuer, holder.Account
					trust = iam.TrustWebIdentity
				}
				f.set(t, values)
				f.run(t, "apply", "-auto-approve")
				got := f.outputs(t)
				policy, err := iam.Policy(o)
				checkDocument(t, got["policy"], policy, err)
				who, err := trust(holder)
				checkDocument(t, got["trust"], who, err)
				checkRole(t, o, got["policy"])
			})
		}
	}
}

func checkDocument(t *testing.T, got string, d iam.Document, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(decode(t, got), decode(t, string(text))) {
		t.Errorf("got %s\nwant %s", got, text)
	}
}

// decode reads a document; a list of one value is that value, as it is to IAM.
func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return single(v)
}

func single(v any) any {
	switch node := v.(type) {
	case map[string]any:
		for key, below := range node {
			node[key] = single(below)
		}
	case []any:
		for i, below := range node {
			node[i] = single(below)
		}
		if len(node) == 1 {
			return node[0]
		}
	}
	return v
}

// checkRole asks of a policy what `lifeboat iam verify` does.
func checkRole(t *testing.T, o iam.Options, policy string) {
	t.Helper()
	p, err := evaluation.Parse([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	found, err := iam.Verify(o, []evaluation.Policy{p})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Errorf("missing %t: %s (%s on %s)", f.Missing, f.What, f.Action, f.Resource)
	}
}

// TestRefusals: a value that would let in more than is meant is refused, with the variable's name.
func TestRefusals(t *testing.T) {
	f := newTofu(t, "documents")
	f.run(t, "init")
	good := map[string]any{"bucket": "example-backups", "prefix": "production", "cluster": "production"}
	f.set(t, good)
	f.run(t, "plan")
	for name, bad := range map[string]map[string]any{
		"role":            {"role": "admin"},
		"bucket":          {"bucket": "*"},
		"prefix":          {"prefix": "a*"},
		"prefix ":         {"prefix": ""},
		"prefix  ":        {"prefix": "a/"},
		"bucket_key_arn":  {"bucket_key_arn": "alias/backups"},
		"volume_key_arns": {"volume_key_arns": []string{"*"}},
		"shared_by":       {"shared_by": []string{"*"}},
		"assume":          {"assume": []string{"arn:aws:iam::444455556666:role/*"}},
		"assume ":         {"assume": []string{"*"}},
		"identity":        {"identity": "keys"},
		"issuer":          {"issuer": "https://*", "identity": "irsa", "account": "111122223333"},
		"issuer ":         {"identity": "irsa"},
		"namespace":       {"namespace": "*"},
		"service_account": {"service_account": "*"},
		"cluster":         {"cluster": ""},
	} {
		values := maps.Clone(good)
		maps.Copy(values, bad)
		f.set(t, values)
		if out, code := f.try(t, "plan"); code == 0 || !strings.Contains(out, strings.TrimSpace(name)) {
			t.Errorf("%v: %d %s", bad, code, out)
		}
	}
}
