package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// Output is the -o flag of commands that know several formats.
type Output struct{ Format string }

// BindFlag adds the flag to a command and has it checked before the command runs.
func (o *Output) BindFlag(c *cobra.Command, fallback string, allowed ...string) {
	c.Flags().StringVarP(&o.Format, "output", "o", fallback, "output format: "+strings.Join(allowed, ", "))
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	c.PreRunE = func(*cobra.Command, []string) error {
		if o.Format == "" || slices.Contains(allowed, o.Format) {
			return nil
		}
		return fmt.Errorf("--output: %q is not one of %s", o.Format, strings.Join(allowed, ", "))
	}
}

// IsDocument is true where the format is one for programs.
func (o *Output) IsDocument() bool { return o.Format == show.FormatJSON || o.Format == show.FormatYAML }

// BindTrust adds the flags of commands that read files by signed URL.
func BindTrust(fs *pflag.FlagSet, o *fetch.Options) {
	fs.BoolVar(&o.InsecureSkipTLSVerify, "insecure-skip-tls-verify", false, "do not check the object store's TLS certificate")
	fs.StringVar(&o.CACert, "cacert", "", "PEM `file` with an authority to trust for the object store")
}

// OneName wants exactly the name of a backup or restore.
func OneName(noun string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes the name of one %s, got %d arguments; see 'lifeboat %s get'", c.CommandPath(), noun, len(args), noun)
		}
		return nil
	}
}

// BindLocation adds the flag of commands that are about one stored backup or restore.
func BindLocation(c *cobra.Command, location *string) {
	c.Flags().StringVar(location, "storage-location", "", "storage location to look in (default: the one that has it)")
}
