// Package iam has the commands that write and check the IAM documents of the worker's role. They
// ask nobody: what they print is given to AWS by whoever may.
package iam

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// commands are those of `lifeboat iam`.
type commands struct{ *console.Console }

// Command is `lifeboat iam`.
func Command(con *console.Console) *cobra.Command {
	cs := commands{con}
	return command.Group("iam", "Write and check the IAM documents of the worker's role", nil, cs.policyCommand(), cs.trustCommand(), cs.verifyCommand())
}

// bindOptions adds the flags that say for what the documents are.
func bindOptions(c *cobra.Command, o *iam.Options) {
	f := c.Flags()
	f.StringVar((*string)(&o.Role), "role", string(iam.All), fmt.Sprintf("what the worker is for: one of %v", iam.Roles()))
	f.StringVar(&o.Bucket, "bucket", "", "bucket of the storage location")
	f.StringVar(&o.Prefix, "prefix", "", "prefix of the storage location: nothing outside it is allowed")
	f.StringVar(&o.BucketKey, "bucket-key", "", "ARN of the KMS key that encrypts the bucket's objects")
	f.StringArrayVar(&o.VolumeKeys, "volume-key", nil, "ARN of a customer managed KMS key of volumes; may be repeated")
	f.StringArrayVar(&o.SharedBy, "shared-by", nil, "account whose shared snapshots are restored; may be repeated")
	f.StringArrayVar(&o.Assume, "assume", nil, "ARN of a role that a location names by assumeRoleArn; may be repeated")
	f.StringArrayVar(&o.TagKeys, "tag-key", nil, "key of a tag of your volumes, of a backup's label, a location or a schedule; may be repeated; then no other tags but Lifeboat's and the driver's may be written (default: any)")
	f.StringVar(&o.Partition, "partition", "aws", "aws, aws-cn or aws-us-gov")
	f.BoolVar(&o.Inspect, "inspect", false, "also read the settings of bucket and cluster, for 'lifeboat doctor'")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleWords(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func roleWords() []string {
	var out []string
	for _, role := range iam.Roles() {
		out = append(out, string(role))
	}
	return out
}

func (cs commands) policyCommand() *cobra.Command {
	var o iam.Options
	c := &cobra.Command{
		Use: "policy", Short: "Print what a worker of the role may do",
		Long: `Print the permissions policy of the worker's role: one bucket and prefix, snapshots and
volumes by the tags that Lifeboat gives them, and nothing else. A test runs the worker behind
these very documents.`,
		Example: `  lifeboat iam policy --bucket example-backups --prefix production > policy.json
  aws iam put-role-policy --role-name lifeboat --policy-name lifeboat --policy-document file://policy.json
  lifeboat iam policy --role restore --bucket example-backups --prefix production --shared-by 111122223333`,
		Args: cobra.NoArgs,
	}
	bindOptions(c, &o)
	c.RunE = func(*cobra.Command, []string) error {
		if err := checkFlags(c, "with --role "+string(o.Role), flagsOfRole(o.Role)...); err != nil {
			return err
		}
		return cs.print(iam.Policy(o))
	}
	return c
}

// flagsOfRole are the flags that change something for a role.
func flagsOfRole(role iam.Role) []string {
	flags := []string{"assume"}
	if role != iam.Volumes {
		flags = append(flags, "bucket", "prefix", "bucket-key", "inspect")
	}
	if role != iam.Collect {
		flags = append(flags, "volume-key", "tag-key")
	}
	if role != iam.Collect && role != iam.Backup {
		flags = append(flags, "shared-by")
	}
	return flags
}

// checkFlags refuses flags of the command itself that change nothing in its form.
func checkFlags(c *cobra.Command, form string, flags ...string) (err error) {
	general := []string{"role", "partition", "pod-identity", "worker-role", "output"}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if err == nil && f.Changed && !slices.Contains(general, f.Name) && !slices.Contains(flags, f.Name) {
			err = fmt.Errorf("--%s: changes nothing %s, which takes --%s", f.Name, form, strings.Join(flags, ", --"))
		}
	})
	return err
}

func (cs commands) trustCommand() *cobra.Command {
	var h iam.Holder
	var podIdentity bool
	var taker iam.Taker
	var tags []string
	c := &cobra.Command{
		Use: "trust", Short: "Print who may take the role",
		Long: `Print the trust policy of the worker's role: one service account of one cluster, by the
cluster's OIDC issuer (IRSA), or with --pod-identity by EKS Pod Identity. With --worker-role it is
that of a role in the account of a location, which the worker's role takes (assumeRoleArn).`,
		Example: `  lifeboat iam trust --account 111122223333 --issuer "$(aws eks describe-cluster --name production --region eu-central-1 --query cluster.identity.oidc.issuer --output text)"
  lifeboat iam trust --pod-identity --eks-cluster production
  lifeboat iam trust --worker-role arn:aws:iam::111122223333:role/lifeboat --external-id backups-of-production`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&h.Account, "account", "", "AWS account of the role (IRSA)")
	f.StringVar(&h.Issuer, "issuer", "", "https URL of the cluster's OIDC issuer (IRSA)")
	f.BoolVar(&podIdentity, "pod-identity", false, "for EKS Pod Identity")
	f.StringVar(&h.Cluster, "eks-cluster", "", "name of the EKS cluster (Pod Identity)")
	f.StringVar(&h.Namespace, "namespace", "lifeboat", "namespace of the worker")
	f.StringVar(&h.ServiceAccount, "service-account", "lifeboat-worker", "service account of the worker")
	f.StringVar(&h.Partition, "partition", "aws", "aws, aws-cn or aws-us-gov")
	f.StringVar(&taker.Role, "worker-role", "", "ARN of the worker's role, for a role that a location names")
	f.StringVar(&taker.ExternalID, "external-id", "", "the location's assumeRoleExternalId")
	f.StringArrayVar(&tags, "session-tag", nil, "key=value of the location's assumeRoleSessionTags; may be repeated")
	c.MarkFlagsMutuallyExclusive("pod-identity", "worker-role")
	c.RunE = func(*cobra.Command, []string) error {
		switch {
		case taker.Role != "":
			return cs.trustRole(c, taker, tags)
		case podIdentity:
			return cs.trustPod(c, h)
		}
		if err := checkFlags(c, "without --pod-identity and --worker-role: it is the trust policy for IRSA", "account", "issuer", "namespace", "service-account"); err != nil {
			return err
		}
		return cs.print(iam.TrustWebIdentity(h))
	}
	return c
}

func (cs commands) trustPod(c *cobra.Command, h iam.Holder) error {
	if err := checkFlags(c, "with --pod-identity", "eks-cluster", "namespace", "service-account"); err != nil {
		return err
	}
	return cs.print(iam.TrustPodIdentity(h))
}

func (cs commands) trustRole(c *cobra.Command, taker iam.Taker, tags []string) error {
	if err := checkFlags(c, "with --worker-role", "external-id", "session-tag"); err != nil {
		return err
	}
	taker.Tags = map[string]string{}
	for _, tag := range tags {
		key, value, ok := strings.Cut(tag, "=")
		if _, twice := taker.Tags[key]; !ok || twice {
			return fmt.Errorf("--session-tag: %q: want key=value, each key once", tag)
		}
		taker.Tags[key] = value
	}
	return cs.print(iam.TrustRole(taker))
}

func (cs commands) print(d iam.Document, err error) error {
	if err != nil {
		return err
	}
	text, err := d.Text()
	if err != nil {
		return err
	}
	_, err = cs.Stdout.Write(text)
	return err
}

// verdict is a Finding as it is shown.
type verdict struct {
	Problem  string `json:"problem"` // missing or too much
	What     string `json:"what"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
}

func (cs commands) verifyCommand() *cobra.Command {
	var o iam.Options
	var out console.Output
	c := &cobra.Command{
		Use: "verify FILE...", Short: "Check policies that a role has against what the worker needs",
		Long: `Check policy documents against the calls that a worker of the role makes, and against calls
that it must not be able to make; an action that no call of the role needs is named, too. All files
together are the role's policies. What else AWS looks at (boundaries, service control policies, the
policies of bucket and keys) is not known here.

Exit codes:
  0  everything that is needed is allowed, and nothing that must not be
  1  bad usage, or a document cannot be read
  2  something that is needed is not allowed
  3  everything that is needed is allowed, and more than should be`,
		Example: `  aws iam get-role-policy --role-name lifeboat --policy-name lifeboat --query PolicyDocument > policy.json
  lifeboat iam verify --bucket example-backups --prefix production policy.json`,
		Args: cobra.MinimumNArgs(1),
	}
	bindOptions(c, &o)
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(_ *cobra.Command, files []string) error {
		if err := checkFlags(c, "with --role "+string(o.Role), flagsOfRole(o.Role)...); err != nil {
			return err
		}
		policies, err := readPolicies(files)
		if err != nil {
			return err
		}
		found, err := iam.Verify(o, policies)
		if err != nil {
			return err
		}
		return cs.report(found, out)
	}
	return c
}

func readPolicies(files []string) ([]evaluation.Policy, error) {
	var policies []evaluation.Policy
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		policy, err := evaluation.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		policies = append(policies, policy)
	}
	return policies, nil
}

func (cs commands) report(found []iam.Finding, out console.Output) error {
	verdicts, code := []verdict{}, console.CodeDone
	for _, f := range found {
		v := verdict{Problem: "too much", What: f.What, Action: f.Action, Resource: f.Resource}
		if f.Missing {
			v.Problem = "missing"
		}
		verdicts = append(verdicts, v)
	}
	for _, v := range verdicts {
		switch {
		case v.Problem == "missing":
			code = console.CodeFailed
		case code == console.CodeDone:
			code = console.CodePartiallyFailed
		}
	}
	if err := cs.show(verdicts, out); err != nil || code == console.CodeDone {
		return err
	}
	return console.Outcome{Code: code}
}

func (cs commands) show(verdicts []verdict, out console.Output) error {
	if out.IsDocument() {
		return show.Document(cs.Stdout, out.Format, verdicts)
	}
	if len(verdicts) == 0 {
		_, err := fmt.Fprintln(cs.Stdout, "The policies allow all that the worker needs, and nothing that it must not do.")
		return err
	}
	var rows [][]string
	for _, v := range verdicts {
		rows = append(rows, []string{v.Problem, v.Action, v.What, v.Resource})
	}
	err := show.Table(cs.Stdout, []string{"PROBLEM", "ACTION", "WHAT FOR", "RESOURCE"}, rows)
	_, next := fmt.Fprintln(cs.Stdout, "Next: compare with 'lifeboat iam policy', with the same flags.")
	return errors.Join(err, next)
}
