package input

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// Changes are what flags change in a T. They are kept and applied later, because flags
// override a manifest that is read only after they are parsed.
type Changes[T any] struct {
	flags *pflag.FlagSet
	all   []func(*T) error
}

// applyTo makes the changes, in the order of the command line.
func (c *Changes[T]) applyTo(in *T) error {
	for _, change := range c.all {
		if err := change(in); err != nil {
			return err
		}
	}
	return nil
}

// flagValue is one flag. The function set changes in; first is true for the flag's first use
// on the command line, which replaces what a manifest gave.
type flagValue[T any] struct {
	owner *Changes[T]
	kind  string
	set   func(in *T, first bool, value string) error
	used  bool
}

// String is empty: unset flags have no default of their own to show in help.
func (f *flagValue[T]) String() string { return "" }

// Type is the placeholder in help.
func (f *flagValue[T]) Type() string { return f.kind }

// Set checks a value at once, on a scratch T, and keeps the change.
func (f *flagValue[T]) Set(value string) error {
	first := !f.used
	f.used = true
	if err := f.set(new(T), first, value); err != nil {
		return err
	}
	f.owner.all = append(f.owner.all, func(in *T) error { return f.set(in, first, value) })
	return nil
}

func (c *Changes[T]) addFlag(name, short, kind, usage string, set func(in *T, first bool, value string) error) *pflag.Flag {
	return c.flags.VarPF(&flagValue[T]{owner: c, kind: kind, set: set}, name, short, usage)
}

// addList adds a flag whose value is comma-separated and repeatable.
func (c *Changes[T]) addList(name, usage string, field func(*T) *[]string) {
	c.addFlag(name, "", "strings", usage, func(in *T, first bool, value string) error {
		target := field(in)
		if first {
			*target = nil
		}
		for entry := range strings.SplitSeq(value, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				*target = append(*target, entry)
			}
		}
		return nil
	})
}

// addPairs adds a flag whose value is key<sep>value,key<sep>value and repeatable.
func (c *Changes[T]) addPairs(name, sep, usage string, field func(*T) *map[string]string) {
	c.addFlag(name, "", "key"+sep+"value,...", usage, func(in *T, first bool, value string) error {
		target := field(in)
		if first || *target == nil {
			*target = map[string]string{}
		}
		for entry := range strings.SplitSeq(value, ",") {
			key, val, ok := strings.Cut(strings.TrimSpace(entry), sep)
			if !ok || key == "" {
				return fmt.Errorf("%q is not of the form key%svalue", entry, sep)
			}
			(*target)[key] = val
		}
		return nil
	})
}

// addTristate adds a flag that is absent, true or false; the bare flag means true.
func (c *Changes[T]) addTristate(name, usage string, field func(*T) **bool) {
	c.addTruth(name, usage, func(in *T, b bool) { *field(in) = &b })
}

// addOnOff adds a flag that is true or false; the bare flag means true.
func (c *Changes[T]) addOnOff(name, usage string, field func(*T) *bool) {
	c.addTruth(name, usage, func(in *T, b bool) { *field(in) = b })
}

func (c *Changes[T]) addTruth(name, usage string, set func(*T, bool)) {
	c.addFlag(name, "", "bool", usage, func(in *T, _ bool, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		set(in, b)
		return nil
	}).NoOptDefVal = "true"
}

func (c *Changes[T]) addText(name, usage string, field func(*T) *string) {
	c.addFlag(name, "", "string", usage, func(in *T, _ bool, value string) error {
		*field(in) = value
		return nil
	})
}

func (c *Changes[T]) addNumber(name, usage string, field func(*T) *int) {
	c.addFlag(name, "", "int", usage, func(in *T, _ bool, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of 0 or more", value)
		}
		*field(in) = n
		return nil
	})
}

func (c *Changes[T]) addDuration(name, usage string, field func(*T) *metav1.Duration) {
	c.addFlag(name, "", "duration", usage, func(in *T, _ bool, value string) error {
		d, err := parseDuration(value)
		field(in).Duration = d
		return err
	})
}

func parseDuration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 72h, 90m or 10m30s (a day is 24h)", value)
	}
	return d, nil
}

func (c *Changes[T]) addSelector(name, short, usage string, field func(*T) **metav1.LabelSelector) {
	c.addFlag(name, short, "selector", usage, func(in *T, _ bool, value string) error {
		parsed, err := manifest.ParseSelector(value)
		*field(in) = parsed
		return err
	})
}

// addSelectors adds a flag whose value is selectors separated by " or ".
func (c *Changes[T]) addSelectors(name, usage string, field func(*T) *[]*metav1.LabelSelector) {
	c.addFlag(name, "", "selector or selector...", usage, func(in *T, _ bool, value string) error {
		target := field(in)
		*target = nil
		for part := range strings.SplitSeq(value, " or ") {
			parsed, err := manifest.ParseSelector(part)
			if err != nil {
				return err
			}
			*target = append(*target, parsed)
		}
		return nil
	})
}
