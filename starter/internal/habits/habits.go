// Package habits answers what people type out of habit and what does not exist here: flags and
// commands of Velero's, and words that were mistyped.
package habits

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// refusedFlag is a flag of Velero's that has no meaning here. Its use is answered with what to
// write instead.
type refusedFlag struct{ instead string }

func (*refusedFlag) String() string     { return "" }
func (*refusedFlag) Type() string       { return "string" }
func (f *refusedFlag) Set(string) error { return errors.New(f.instead) }

// BindRefusedFlags adds Velero's flags of every command that have no meaning here. variable is
// that of the environment which names the cluster.
func BindRefusedFlags(fs *pflag.FlagSet, variable string) {
	cluster := "this program talks to Temporal only: name the cluster with --cluster or " + variable + " (the worker's configuration has the kubeconfig)"
	for _, f := range []struct{ name, short, instead string }{
		{"namespace", "n", "there is no namespace of Velero's: choose namespaces with --include-namespaces, and the cluster with --cluster or " + variable},
		{"kubeconfig", "", cluster},
		{"kubecontext", "", cluster},
	} {
		fs.VarPF(&refusedFlag{f.instead}, f.name, f.short, "").Hidden = true
	}
}

// RefusedCommand is a command of Velero's that does not exist here.
func RefusedCommand(name, instead string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("there is no %s: %s", c.CommandPath(), instead)
		},
	}
}

// RefusedCommands are those of Velero's root. variable is as in BindRefusedFlags.
func RefusedCommands(variable string) []*cobra.Command {
	const worker = "the worker's configuration, lifeboat.yaml, has what Velero keeps in the cluster; lifeboat.example.yaml explains it"
	return []*cobra.Command{
		RefusedCommand("install", worker), RefusedCommand("uninstall", worker), RefusedCommand("plugin", worker),
		RefusedCommand("schedule", "make a schedule of Temporal's that starts the workflow Backup: temporal schedule create --help"),
		RefusedCommand("client", "set "+variable+" and Temporal's variables in place of 'client config'"),
	}
}

// UnknownCommand is the error for a word that is no command below c; it suggests what was
// probably meant.
func UnknownCommand(c *cobra.Command, word string) error {
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

func childNames(c *cobra.Command) string {
	var out []string
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			out = append(out, child.Name())
		}
	}
	return strings.Join(out, ", ")
}
