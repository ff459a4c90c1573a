// Command stack runs the local stack by hand: real control plane, object store
// and Temporal on loopback, left running until `stack down`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const usage = `Usage: stack <command> [flags]

  up      build what is missing, start a stack and leave it running
  down    stop it and remove its data
  status  say what runs where
  env     print the variables that point tools at it: eval "$(stack env)"
  build   build components into the cache: stack build [--all] [--node] [component...]

All take --dir; without it there is one stack a user.
up also takes --kwok, --kwok-volumes, --ebs, --node, --snapshot-controller, --temporal-on-disk.
`

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "stack:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(out, usage)
		return flag.ErrHelp
	}
	command := args[0]
	flags := flag.NewFlagSet("stack "+command, flag.ContinueOnError)
	dir := flags.String("dir", "", "the stack's state directory")
	switch command {
	case "up":
		return up(ctx, flags, dir, args[1:], out)
	case "down":
		return withStack(flags, dir, args[1:], func(s *stack.Stack) error { return s.Stop(ctx) })
	case "status":
		return withStack(flags, dir, args[1:], func(s *stack.Stack) error { return printStatus(out, s) })
	case "env":
		return withStack(flags, dir, args[1:], func(s *stack.Stack) error { return printEnv(out, s) })
	case "build":
		return build(ctx, flags, args[1:], out)
	}
	fmt.Fprint(out, usage)
	return fmt.Errorf("no command %q", command)
}

func up(ctx context.Context, flags *flag.FlagSet, dir *string, args []string, out io.Writer) error {
	o := stack.Options{Stdout: out}
	flags.BoolVar(&o.Kwok, "kwok", false, "fake nodes, so that Pods become Ready")
	flags.BoolVar(&o.KwokVolumes, "kwok-volumes", false, "with --kwok: claims are bound at once, to no data")
	flags.BoolVar(&o.EBS, "ebs", false, "simulated EBS volumes with their CSI driver, the class of which is the default")
	flags.BoolVar(&o.EBSFast, "ebs-fast", false, "with --ebs: limits and controllers that let nobody wait, in place of those of a real account")
	flags.BoolVar(&o.Node, "node", false, "a real node, so that Pods run (Linux and root; installs what it needs)")
	flags.BoolVar(&o.SnapshotController, "snapshot-controller", false, "run snapshot-controller")
	flags.BoolVar(&o.TemporalOnDisk, "temporal-on-disk", false, "keep Temporal's data over its restarts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.Dir, err = stateDir(*dir); err != nil {
		return err
	}
	o.EBSDefault = o.EBS && !o.KwokVolumes
	s, err := stack.Start(ctx, o)
	if err != nil {
		return err
	}
	return printStatus(out, s)
}

func build(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	all := flags.Bool("all", false, "every component, also those that no stack starts by default")
	node := flags.Bool("node", false, "make this machine ready for a node: packages and images (Linux and root)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *node {
		return stack.BuildNode(ctx, out)
	}
	names := flags.Args()
	if *all {
		names = nil
	} else if len(names) == 0 {
		names = stack.Options{}.Components()
	}
	return stack.Build(ctx, out, names...)
}

func withStack(flags *flag.FlagSet, dir *string, args []string, do func(*stack.Stack) error) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	path, err := stateDir(*dir)
	if err != nil {
		return err
	}
	s, err := stack.Attach(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no stack in %s; start one with: stack up", path)
	}
	if err != nil {
		return err
	}
	return do(s)
}

func stateDir(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := stack.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "stacks", "default"), nil
}
