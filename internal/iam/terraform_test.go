package iam

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const templates = "../../deploy/terraform/documents/templates"

// What stands for the variables of the templates. Lists are written with their quotes, since a
// list of OpenTofu takes their place.
var (
	stand = struct{ partition, bucket, prefix, bucketKey, volumeKey, account, issuer, cluster, namespace, serviceAccount, assume string }{
		partition: "aws-us-gov", bucket: "the-bucket", prefix: "the-prefix",
		bucketKey: "arn:aws:kms:eu-central-1:111122223333:key/the-bucket-key", volumeKey: "arn:aws:kms:eu-central-1:111122223333:key/the-volume-key",
		account: "000011112222", issuer: "the-issuer", cluster: "the-cluster", namespace: "the-namespace", serviceAccount: "the-service-account",
		assume: "arn:aws:iam::444455556666:role/the-location",
	}
	variables = strings.NewReplacer(
		stand.partition, "${partition}", stand.bucket, "${bucket}", stand.prefix, "${prefix}",
		`"`+stand.bucketKey+`"`, "${bucket_key}", `"`+stand.volumeKey+`"`, "${volume_keys}", `"`+stand.account+`"`, "${shared_by}", `"`+stand.assume+`"`, "${assume}",
		stand.account, "${account}", stand.issuer, "${issuer}", stand.cluster, "${cluster}", stand.namespace, "${namespace}", stand.serviceAccount, "${service_account}",
	)
)

// terraformDocuments are the documents of deploy/terraform by file, with what stands for variables.
func terraformDocuments(t *testing.T) map[string]Document {
	t.Helper()
	documents := map[string]Document{}
	keep := func(name string, d Document, err error) {
		if err != nil {
			t.Fatal(err)
		}
		documents[name+".json"] = d
	}
	for _, role := range Roles() {
		d, err := Policy(Options{
			Role: role, Partition: stand.partition, Bucket: stand.bucket, Prefix: stand.prefix, BucketKey: stand.bucketKey,
			VolumeKeys: []string{stand.volumeKey}, SharedBy: []string{stand.account}, Assume: []string{stand.assume}, Inspect: true,
		})
		keep(string(role), d, err)
	}
	h := Holder{Partition: stand.partition, Account: stand.account, Issuer: "https://" + stand.issuer, Cluster: stand.cluster, Namespace: stand.namespace, ServiceAccount: stand.serviceAccount}
	d, err := TrustWebIdentity(h)
	keep("trust-irsa", d, err)
	d, err = TrustPodIdentity(h)
	keep("trust-pod-identity", d, err)
	return documents
}

// TestTerraformDocuments: the templates of deploy/terraform are what is generated, and nothing else
// is there. LIFEBOAT_UPDATE_GOLDEN=1 writes them.
func TestTerraformDocuments(t *testing.T) {
	documents := terraformDocuments(t)
	for name, d := range documents {
		text, err := d.Text()
		if err != nil {
			t.Fatal(err)
		}
		path, want := filepath.Join(templates, name), variables.Replace(string(text))
		if strings.Contains(want, "the-") {
			t.Errorf("%s: a variable was not replaced: %s", name, want)
		}
		if os.Getenv("LIFEBOAT_UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what is generated (%v)", path, err)
		}
	}
	entries, err := os.ReadDir(templates)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(documents) {
		t.Errorf("%d templates, %d documents", len(entries), len(documents))
	}
}

// TestTerraformValues: with a user's values in place of the variables a template is the document
// that the CLI prints for them. What OpenTofu makes of the templates is tried in test/terraform.
func TestTerraformValues(t *testing.T) {
	values := strings.NewReplacer(
		"${partition}", "aws-cn", "${bucket}", "example-backups", "${prefix}", "production", "${bucket_key}", `"`+bucketKey+`"`,
		"${volume_keys}", `["`+volumeKey+`","`+bucketKey+`"]`, "${shared_by}", `["444455556666","777788889999"]`,
		"${assume}", `["`+stand.assume+`","`+stand.assume+`-2"]`,
	)
	for _, role := range Roles() {
		text, err := os.ReadFile(filepath.Join(templates, string(role)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		o := full(role)
		o.Partition, o.VolumeKeys, o.SharedBy, o.Assume = "aws-cn", []string{volumeKey, bucketKey}, []string{"444455556666", "777788889999"}, []string{stand.assume, stand.assume + "-2"}
		d, err := Policy(o)
		if err != nil {
			t.Fatal(err)
		}
		want, err := d.Text()
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, values.Replace(string(text)), string(want)) {
			t.Errorf("%s: %s", role, values.Replace(string(text)))
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var values [2]any
	for i, text := range []string{a, b} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}
