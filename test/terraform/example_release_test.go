//go:build stack && release

package terraform

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// emulatorOverride has the example's providers talk to an emulator of AWS. Everything else of the
// example is as users have it.
const emulatorOverride = `
provider "aws" {
  access_key = "test"
  secret_key = "test"
  s3_use_path_style = true
}
provider "aws" {
  alias = "replica"
  access_key = "test"
  secret_key = "test"
  s3_use_path_style = true
}
`

// TestExample makes the example with the real AWS provider on an emulator of AWS (moto): it is
// valid, it can be made, nothing is left to change afterwards, and what comes out installs the
// chart. OpenTofu takes the provider from its registry, or from where configVariable says.
//
// Planned only: Glacier, since the emulator forgets the size in the rule's filter, and Pod Identity,
// which it does not know. It takes the rule of the replication, and forgets half of it: the second
// plan leaves that out.
func TestExample(t *testing.T) {
	endpoint := startEmulator(t)
	f := newTofu(t, "examples/eks")
	f.env = append(f.env, "AWS_ENDPOINT_URL="+endpoint, configVariable+"="+os.Getenv(configVariable))
	writeOverride(t, f)
	f.run(t, "init")
	f.run(t, "validate")
	f.set(t, map[string]any{"glacier_instant_retrieval_days": 30})
	plan := f.run(t, "plan")
	for _, want := range []string{`"GLACIER_IR"`, `aws_eks_pod_identity_association.worker["all"]`, `"lifeboat-worker"`} {
		if !strings.Contains(plan, want) {
			t.Errorf("not planned: %s\n%s", want, plan)
		}
	}
	f.set(t, map[string]any{"object_lock": map[string]any{"days": 7}, "issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC"})
	f.run(t, "apply", "-auto-approve")
	if out, code := f.try(t, "plan", "-detailed-exitcode", "-exclude=module.bucket.aws_s3_bucket_replication_configuration.backups"); code != 0 {
		t.Errorf("a second plan finds something to change: %d\n%s", code, out)
	}
	checkBuckets(t, endpoint)
	checkValues(t, f.outputs(t))
}

func writeOverride(t *testing.T, f tofu) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "emulator_override.tf"), []byte(emulatorOverride), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startEmulator starts moto on a port of loopback.
func startEmulator(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	var out bytes.Buffer
	cmd := exec.Command("moto_server", "-H", "127.0.0.1", "-p", port)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: `pip install 'moto[server]'` has it", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s", out.String()[max(0, out.Len()-4000):])
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatalf("the emulator does not listen: %s", out.String())
		}
	}
}

// checkBuckets asks the emulator how the two buckets are set up.
func checkBuckets(t *testing.T, endpoint string) {
	t.Helper()
	for bucket, region := range map[string]string{"example-backups": "eu-central-1", "example-backups-replica": "eu-west-1"} {
		client := s3.New(s3.Options{Region: region, BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		versioning, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
		if err != nil || versioning.Status != types.BucketVersioningStatusEnabled {
			t.Errorf("%s: versioning %v %v", bucket, versioning, err)
		}
		encryption, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
		if err != nil || !aws.ToBool(encryption.ServerSideEncryptionConfiguration.Rules[0].BucketKeyEnabled) ||
			encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm != types.ServerSideEncryptionAwsKms {
			t.Errorf("%s: encryption %v", bucket, err)
		}
		policy, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
		if err != nil || !strings.Contains(aws.ToString(policy.Policy), `"aws:SecureTransport":"false"`) || strings.Contains(aws.ToString(policy.Policy), `"Allow"`) {
			t.Errorf("%s: policy %v %v", bucket, policy, err)
		}
		rules, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
		if err != nil {
			t.Fatalf("%s: %v", bucket, err)
		}
		for _, rule := range rules.Rules {
			prefix := aws.ToString(rule.Filter.Prefix)
			if rule.Filter.And != nil {
				prefix = aws.ToString(rule.Filter.And.Prefix)
			}
			if !strings.HasPrefix(prefix, "production/") || rule.Expiration != nil && rule.Expiration.Days != nil {
				t.Errorf("%s: rule %s: prefix %q, expiration %v", bucket, aws.ToString(rule.ID), prefix, rule.Expiration)
			}
		}
	}
}

// checkValues renders the chart with the values that came out, and where Temporal is.
func checkValues(t *testing.T, outputs map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(outputs["helm_values"]), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "../../starter", "install", "--dry-run", "-o", "yaml", "--values", file, "--set", "temporal.address=temporal:7233").CombinedOutput()
	if err != nil {
		t.Fatalf("the chart refuses the values: %v\n%s\n%s", err, outputs["helm_values"], out)
	}
	role := outputs["role_arn"]
	for _, want := range []string{"expectedRoleArn: " + role, `eks.amazonaws.com/role-arn: "` + role + `"`} {
		if role == "" || !strings.Contains(string(out), want) {
			t.Errorf("%s is missing: %s", want, out)
		}
	}
}
