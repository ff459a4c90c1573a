// Package harness runs the product on a stack: the real binaries, built once, with
// a configuration of their own, and the clients a test looks at the outcome with.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"go.temporal.io/sdk/client"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Options say how this cluster's Lifeboat differs from the plain one.
type Options struct {
	Cluster string // default "test"
	Bucket  string // default: the stack's
	Prefix  string // default: the cluster's name
	// S3, API and Temporal are addresses to use in place of the stack's: those of
	// proxies that a test cuts. host:port each.
	S3, API, Temporal string
	// Token is the worker's for the API server at API, in place of the administrator's.
	Token string
	// Edit changes the configuration before it is written.
	Edit func(*config.Config)
}

// Harness is one cluster's Lifeboat on a stack. Close it.
type Harness struct {
	Stack    *stack.Stack
	Cluster  string
	Dir      string
	Config   *config.Config
	Kube     *kube.Client
	Store    store.Store
	Temporal client.Client

	bin     Binaries
	path    string // of lifeboat.yaml
	address string // of Temporal

	served struct { // types by the names that tests give them
		sync.Mutex
		types map[string]kube.Resource
	}
}

// Binaries are the built programs.
type Binaries struct{ CLI, Worker string }

// Build compiles both programs into dir, with flags of `go build`.
func Build(ctx context.Context, dir string, flags ...string) (Binaries, error) {
	b := Binaries{CLI: filepath.Join(dir, "lifeboat"), Worker: filepath.Join(dir, "lifeboat-worker")}
	for out, pkg := range map[string]string{b.CLI: "starter", b.Worker: "worker"} {
		args := slices.Concat([]string{"build"}, flags, []string{"-o", out, "github.com/lifeboat-backup/lifeboat/" + pkg})
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "GOGC=400", "CGO_ENABLED=0") // as in the Makefile: images have no C library
		if text, err := cmd.CombinedOutput(); err != nil {
			return b, fmt.Errorf("build %s: %w: %s", pkg, err, text)
		}
	}
	return b, nil
}

// New writes a configuration into dir and connects to everything.
func New(ctx context.Context, s *stack.Stack, b Binaries, dir string, o Options) (*Harness, error) {
	if o.Cluster == "" {
		o.Cluster = "test"
	}
	if o.Temporal == "" {
		o.Temporal = s.Temporal.Address
	}
	h := &Harness{Stack: s, Cluster: o.Cluster, Dir: dir, bin: b, path: filepath.Join(dir, "lifeboat.yaml"), address: o.Temporal}
	h.served.types = map[string]kube.Resource{}
	if err := h.configure(o); err != nil {
		return nil, err
	}
	return h, h.connect(ctx)
}

func (h *Harness) connect(ctx context.Context) error {
	rc, err := kube.Config(h.Stack.Kubeconfig, "")
	if err != nil {
		return err
	}
	if h.Kube, err = kube.New(rc, kube.Options{}); err != nil {
		return err
	}
	direct := *h.Config.BackupStorageLocations[0].DeepCopy()
	direct.Spec.Config["s3Url"] = h.Stack.S3.Endpoint
	direct.Spec.AccessMode = ""
	if h.Store, err = store.Open(ctx, direct, store.Options{}); err != nil {
		return err
	}
	h.Temporal, err = client.DialContext(ctx, client.Options{
		HostPort: h.Stack.Temporal.Address, Namespace: h.Config.Temporal.Namespace, Logger: quiet{},
	})
	return err
}

// Close releases the clients; workers are the caller's to stop.
func (h *Harness) Close() {
	h.Temporal.Close()
	h.Kube.Close()
}

// quiet keeps the Temporal client's chatter out of test output.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// Result is how a run of the CLI ended.
type Result struct {
	Out, Err string
	Code     int
}

// CLI runs lifeboat as a user would and returns what it printed.
func (h *Harness) CLI(ctx context.Context, args ...string) (Result, error) {
	cmd := h.Command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return Result{Out: out.String(), Err: errs.String(), Code: cmd.ProcessState.ExitCode()}, err
}

// Command is a lifeboat command that the caller starts.
func (h *Harness) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.bin.CLI, args...)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+h.address, "TEMPORAL_NAMESPACE="+h.Config.Temporal.Namespace, "LIFEBOAT_CLUSTER="+h.Cluster)
	return cmd
}

// Run is CLI for a command that has to succeed.
func (h *Harness) Run(ctx context.Context, args ...string) (string, error) {
	res, err := h.CLI(ctx, args...)
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("lifeboat %s: exit %d: %s%s", strings.Join(args, " "), res.Code, res.Out, res.Err)
	}
	return res.Out, err
}

// Kubectl runs kubectl as the cluster's administrator; stdin may be a manifest.
func (h *Harness) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	bin, err := stack.Binary("kubectl")
	if err != nil {
		return "", err
	}
	all := append([]string{"--kubeconfig", h.Stack.Kubeconfig}, args...)
	if len(args) > 0 && args[0] == "apply" {
		// kubectl would first read the schema of every type, which an API server that shares two
		// cores with a suite makes anew, for over a minute, once definitions have changed.
		all = append(all, "--validate=ignore")
	}
	cmd := exec.CommandContext(ctx, bin, all...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

func marshal(v any) ([]byte, error) { return yaml.Marshal(v) }
