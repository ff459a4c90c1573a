// Package command has how commands are put together: groups of them, those of Velero's that do
// not exist here, and what is said to somebody who mistypes one.
package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// ClusterVariable names the cluster when --cluster is not given.
const ClusterVariable = "LIFEBOAT_CLUSTER"

// refusedFlag is a flag of Velero's that has no meaning here. Its use is answered with what to
// write instead.
type refusedFlag struct{ instead string }

func (*refusedFlag) String() string     { return "" }
func (*refusedFlag) Type() string       { return "string" }
func (f *refusedFlag) Set(string) error { return errors.New(f.instead) }

// BindRefusedFlags adds Velero's flags of every command that have no meaning here.
func BindRefusedFlags(fs *pflag.FlagSet) {
	const cluster = "this program talks to Temporal only: name the cluster with --cluster or " + ClusterVariable + " (the worker's configuration has the kubeconfig)"
	for _, f := range []struct{ name, short, instead string }{
		{"namespace", "n", "there is no namespace of Velero's: choose namespaces with --include-namespaces, and the cluster with --cluster or " + ClusterVariable},
		{"kubeconfig", "", cluster},
		{"kubecontext", "", cluster},
	} {
		fs.VarPF(&refusedFlag{f.instead}, f.name, f.short, "").Hidden = true
	}
}

// Refused is a command of Velero's that does not exist here.
func Refused(name, instead string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("there is no %s: %s", c.CommandPath(), instead)
		},
	}
}

// RefusedAtRoot are those of Velero's root.
func RefusedAtRoot() []*cobra.Command {
	const worker = "the worker's configuration, lifeboat.yaml, has what Velero keeps in the cluster; lifeboat.example.yaml explains it"
	return []*cobra.Command{
		Refused("uninstall", worker), Refused("plugin", worker),
		Refused("client", "set "+ClusterVariable+" and Temporal's variables in place of 'client config'"),
	}
}

// Unknown is the error for a word that is no command below c; it suggests what was
// probably meant.
func Unknown(c *cobra.Command, word string) error {
	if strings.HasPrefix(word, "-") {
		return fmt.Errorf("unknown flag: %s", word)
	}
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if likely := c.SuggestionsFor(word); len(likely) > 0 {
		return fmt.Errorf("unknown command %q for %q: did you mean %s?", word, c.CommandPath(), strings.Join(likely, " or "))
	}
	return fmt.Errorf("unknown command %q for %q: use one of %s", word, c.CommandPath(), childNames(c))
}

// ExplainFlagError suggests the flag that was probably meant and says where all are listed.
func ExplainFlagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if likely := manifest.NearestName(unknown.GetSpecifiedName(), names); likely != "" {
			return fmt.Errorf("%w; did you mean --%s?", err, likely)
		}
	}
	return fmt.Errorf("%w; see '%s --help'", err, c.CommandPath())
}

// Group is a noun (or a verb, for Velero's verb-noun order) with commands below.
// An unknown word below it is an error, not a silent help page.
func Group(use, short string, aliases []string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Aliases: aliases,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return Unknown(c, args[0])
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(children...)
	return c
}

func childNames(c *cobra.Command) string {
	var out []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			out = append(out, child.Name())
		}
	}
	return strings.Join(out, ", ")
}

// WithNoun puts a verb's command under another word: `backup create` is `create backup`
// too.
func WithNoun(noun string, c *cobra.Command) *cobra.Command {
	_, rest, _ := strings.Cut(c.Use, " ")
	c.Use = strings.TrimSpace(noun + " " + rest)
	c.Aliases = []string{noun + "s"}
	if noun == "location" {
		c.Aliases = append(c.Aliases, "backup-location", "backup-locations", "bsl")
	}
	return c
}
