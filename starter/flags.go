package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
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

// manifestOf runs decode over a manifest; "-" is standard input.
func manifestOf[T any](a *app, file string, decode func(io.Reader) (T, error)) (T, error) {
	if file == "-" {
		out, err := decode(a.stdin)
		return out, inFile("standard input", err)
	}
	var none T
	f, err := os.Open(file)
	if err != nil {
		return none, fmt.Errorf("-f: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened to read
	out, err := decode(f)
	return out, inFile(file, err)
}

// inFile says in which file an error is.
func inFile(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, err)
}

// checkMeta refuses labels and annotations that Kubernetes would refuse.
func checkMeta(labels, annotations map[string]string) []filter.FieldError {
	var errs []filter.FieldError
	for key, value := range labels {
		if bad := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(bad) > 0 {
			errs = append(errs, filter.FieldError{Path: "metadata.labels[" + key + "]", Message: bad[0]})
		}
	}
	for key := range annotations {
		if bad := validation.IsQualifiedName(strings.ToLower(key)); len(bad) > 0 {
			errs = append(errs, filter.FieldError{Path: "metadata.annotations[" + key + "]", Message: bad[0]})
		}
	}
	slices.SortFunc(errs, func(a, b filter.FieldError) int { return strings.Compare(a.Path, b.Path) })
	return errs
}

// joinFieldErrors joins field errors into one, nil for none.
func joinFieldErrors(errs []filter.FieldError) error {
	if len(errs) == 0 {
		return nil
	}
	return filter.FieldErrors(errs)
}
