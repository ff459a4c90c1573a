package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// output is the -o flag of commands that know several formats.
type output struct{ format string }

// bindFlag adds the flag to a command and has it checked before the command runs.
func (o *output) bindFlag(c *cobra.Command, fallback string, allowed ...string) {
	c.Flags().StringVarP(&o.format, "output", "o", fallback, "output format: "+strings.Join(allowed, ", "))
	c.PreRunE = func(*cobra.Command, []string) error {
		if o.format == "" || slices.Contains(allowed, o.format) {
			return nil
		}
		return fmt.Errorf("--output: %q is not one of %s", o.format, strings.Join(allowed, ", "))
	}
}

// isDocument is true where the format is one for programs.
func (o *output) isDocument() bool { return o.format == show.FormatJSON || o.format == show.FormatYAML }

// bindTrust adds the flags of commands that read files by signed URL.
func bindTrust(fs *pflag.FlagSet, o *fetch.Options) {
	fs.BoolVar(&o.InsecureSkipTLSVerify, "insecure-skip-tls-verify", false, "do not check the object store's TLS certificate")
	fs.StringVar(&o.CACert, "cacert", "", "PEM `file` with an authority to trust for the object store")
}
