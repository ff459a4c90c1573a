package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// edits are the changes that flags make to a T. They are kept and applied later,
// because flags override a manifest that is read only after they are parsed.
type edits[T any] struct {
	fs  *pflag.FlagSet
	all []func(*T) error
}

// apply makes the changes, in the order of the command line.
func (e *edits[T]) apply(in *T) error {
	for _, edit := range e.all {
		if err := edit(in); err != nil {
			return err
		}
	}
	return nil
}

// edit is one flag. set changes in; first is true for the flag's first use on the
// command line, which replaces what a manifest gave.
type edit[T any] struct {
	owner *edits[T]
	kind  string
	set   func(in *T, first bool, value string) error
	used  bool
}

// String is empty: unset flags have no default of their own to show in help.
func (f *edit[T]) String() string { return "" }

// Type is the placeholder in help.
func (f *edit[T]) Type() string { return f.kind }

// Set checks a value at once, on a scratch T, and keeps the change.
func (f *edit[T]) Set(value string) error {
	first := !f.used
	f.used = true
	if err := f.set(new(T), first, value); err != nil {
		return err
	}
	f.owner.all = append(f.owner.all, func(in *T) error { return f.set(in, first, value) })
	return nil
}

func (e *edits[T]) add(name, short, kind, usage string, set func(in *T, first bool, value string) error) *pflag.Flag {
	return e.fs.VarPF(&edit[T]{owner: e, kind: kind, set: set}, name, short, usage)
}

// list is comma-separated and repeatable.
func (e *edits[T]) list(name, usage string, field func(*T) *[]string) {
	e.add(name, "", "strings", usage, func(in *T, first bool, value string) error {
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

// pairs is key<sep>value,key<sep>value and repeatable.
func (e *edits[T]) pairs(name, sep, usage string, field func(*T) *map[string]string) {
	e.add(name, "", "key"+sep+"value,...", usage, func(in *T, first bool, value string) error {
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

// tristate is absent, true or false; the bare flag means true.
func (e *edits[T]) tristate(name, usage string, field func(*T) **bool) {
	e.truth(name, usage, func(in *T, b bool) { *field(in) = &b })
}

// onOff is true or false; the bare flag means true.
func (e *edits[T]) onOff(name, usage string, field func(*T) *bool) {
	e.truth(name, usage, func(in *T, b bool) { *field(in) = b })
}

func (e *edits[T]) truth(name, usage string, set func(*T, bool)) {
	e.add(name, "", "bool", usage, func(in *T, _ bool, value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		set(in, b)
		return nil
	}).NoOptDefVal = "true"
}

func (e *edits[T]) text(name, usage string, field func(*T) *string) {
	e.add(name, "", "string", usage, func(in *T, _ bool, value string) error {
		*field(in) = value
		return nil
	})
}

func (e *edits[T]) number(name, usage string, field func(*T) *int) {
	e.add(name, "", "int", usage, func(in *T, _ bool, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number of 0 or more", value)
		}
		*field(in) = n
		return nil
	})
}

func (e *edits[T]) duration(name, usage string, field func(*T) *metav1.Duration) {
	e.add(name, "", "duration", usage, func(in *T, _ bool, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration: write 72h, 90m or 10m30s (a day is 24h)", value)
		}
		field(in).Duration = d
		return nil
	})
}

func (e *edits[T]) selector(name, short, usage string, field func(*T) **metav1.LabelSelector) {
	e.add(name, short, "selector", usage, func(in *T, _ bool, value string) error {
		parsed, err := manifest.ParseSelector(value)
		*field(in) = parsed
		return err
	})
}

// anyOf is selectors separated by " or ".
func (e *edits[T]) anyOf(name, usage string, field func(*T) *[]*metav1.LabelSelector) {
	e.add(name, "", "selector or selector...", usage, func(in *T, _ bool, value string) error {
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
