package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// clusterName is what this cluster's Lifeboat calls it.
const clusterName = "demo"

// lifeboat is the product at work: its programs, its cluster, and the stack that
// holds its bucket and its Temporal.
type lifeboat struct {
	*harness.Harness
	services  *stack.Stack
	bin       string // folder of the programs
	publicKey string // path; of the evidence of drills
}

// compile builds the programs into bin/ of the checkout, as `make build` does: with other flags
// than the rest of the stack, such as -trimpath, all that they import would be compiled twice.
func compile(ctx context.Context) (harness.Binaries, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return harness.Binaries{}, fmt.Errorf("find the checkout: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	if text, err := exec.CommandContext(ctx, "make", "-C", root, "build").CombinedOutput(); err != nil {
		return harness.Binaries{}, fmt.Errorf("make build: %w: %s", err, text)
	}
	bin := filepath.Join(root, "bin")
	return harness.Binaries{CLI: filepath.Join(bin, "lifeboat"), Worker: filepath.Join(bin, "lifeboat-worker")}, nil
}

// startStack starts what the story needs: everything, or beside a cluster that
// exists only the object store and Temporal.
func startStack(ctx context.Context, o options, progress io.Writer) (*stack.Stack, error) {
	own := o.Kubeconfig == ""
	fake := own && !o.Drill
	return stack.Start(ctx, stack.Options{
		Stdout: progress, Kwok: fake, KwokVolumes: fake, NoCluster: !own, Node: o.Drill, EBS: o.Drill, EBSFast: o.Drill, DieWithParent: !o.Keep,
	})
}

// startLifeboat starts a worker for the cluster, with the stack's bucket and Temporal.
func startLifeboat(ctx context.Context, o options, s *stack.Stack, bin harness.Binaries) (*lifeboat, error) {
	cluster := *s
	if o.Kubeconfig != "" {
		path, err := filepath.Abs(o.Kubeconfig)
		if err != nil {
			return nil, err
		}
		cluster.Kubeconfig = path
	}
	dir := filepath.Join(s.Dir, "data", clusterName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := noProfile(dir); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	key, err := harness.MakeDrillKey(dir)
	if err != nil {
		return nil, err
	}
	var planes config.Rehearsal
	if o.Kubeconfig == "" {
		if planes, err = harness.Rehearsals(); err != nil {
			return nil, err
		}
	}
	var environment []string
	if o.Drill {
		if err := bin.ImportInto(ctx, s, workerImage, dir); err != nil {
			return nil, err
		}
		environment = s.EBS.Environment()
	}
	h, err := harness.New(ctx, &cluster, bin, dir, harness.Options{Cluster: clusterName, Edit: func(c *config.Config) {
		if o.Drill {
			withDisks(c, s)
		}
		c.Health.Listen = address
		c.Rehearsal, c.Drills.SigningKey = planes, &config.SigningKey{File: key}
		c.BackupStorageLocations[0].Spec.Config["profile"] = "default" // whatever AWS_PROFILE is for the cluster
	}})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l := &lifeboat{Harness: h, services: s, bin: filepath.Dir(bin.CLI), publicKey: key + ".pub"}
	err = s.StartGuest(ctx, stack.Guest{
		Name: "lifeboat-worker", Binary: bin.Worker, Args: []string{"--config", filepath.Join(dir, "lifeboat.yaml")}, Env: environment,
		Health: "http://" + address + "/readyz",
	})
	return l, err
}

// noProfile keeps the Temporal profiles in the user's home out of the story.
func noProfile(dir string) error {
	path := filepath.Join(dir, "temporal.toml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	return os.Setenv("TEMPORAL_CONFIG_FILE", path)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// run shows a lifeboat command, runs it and shows what it says; its progress is
// live on a terminal.
func (l *lifeboat) run(ctx context.Context, s *screen, args ...string) error {
	s.command(append([]string{"lifeboat"}, args...)...)
	cmd := l.Command(ctx, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the story, which then ends this too
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	show := func(do func() error) error { return s.during("lifeboat "+args[0]+" "+args[1], do) }
	if s.term {
		cmd.Stderr = os.Stderr
		show = func(do func() error) error { return do() }
	}
	err := show(cmd.Run)
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "Next: ") {
			s.say("%s", line)
		}
	}
	if err != nil {
		return fmt.Errorf("lifeboat %s %s: %w\n%s", args[0], args[1], err, errs.String())
	}
	return nil
}

// kubectl shows a kubectl command and runs it.
func (l *lifeboat) kubectl(ctx context.Context, s *screen, args ...string) error {
	s.command(append([]string{"kubectl"}, args...)...)
	return s.during("kubectl "+args[0], func() error {
		_, err := l.Kubectl(ctx, "", args...)
		return err
	})
}
