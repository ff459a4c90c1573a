package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// VeleroOptions say how to run the peer. The zero value is a Velero with its
// default limits on the stack's own bucket.
type VeleroOptions struct {
	QPS        int      // client QPS and burst towards the API server; default: Velero's own
	Bucket     string   // default: the stack's; made if missing
	Prefix     string   // within the bucket
	Namespace  string   // default: velero
	Kubeconfig string   // default: the stack's; one for a Proxy cuts Velero off
	S3Endpoint string   // default: the stack's
	NoCSI      bool     // without its CSI support: on a stack with EBS it then snapshots natively
	Binary     string   // of another version; default: the pinned one
	Args       []string // more flags for velero server
}

// Velero is a real Velero server that runs out of cluster on the stack.
type Velero struct {
	PID       int
	Namespace string
	Log       string

	stack  *Stack
	binary string
	config string
}

// StartVelero installs Velero's CRDs, starts its server and waits until its
// storage location is Available. A server that runs already in that namespace is
// replaced, so that one test can compare several settings.
func (s *Stack) StartVelero(ctx context.Context, o VeleroOptions) (*Velero, error) {
	o = s.defaultVelero(o)
	binary, err := s.buildVelero(ctx, o.Binary)
	if err != nil {
		return nil, err
	}
	v := &Velero{stack: s, binary: binary, Namespace: o.Namespace, config: o.Kubeconfig}
	if err := v.Stop(ctx); err != nil {
		return nil, err
	}
	if err := v.install(ctx, o); err != nil {
		return nil, fmt.Errorf("install velero: %w", err)
	}
	if err := v.start(ctx, o); err != nil {
		return nil, err
	}
	return v, v.waitAvailable(ctx)
}

// buildVelero builds the plug-in, which serves every version, and the server, unless there is one.
func (s *Stack) buildVelero(ctx context.Context, binary string) (string, error) {
	if binary != "" {
		return binary, Build(ctx, s.out, "velero-plugin-for-aws")
	}
	if err := Build(ctx, s.out, "velero", "velero-plugin-for-aws"); err != nil {
		return "", err
	}
	return Binary("velero")
}

func (s *Stack) defaultVelero(o VeleroOptions) VeleroOptions {
	for field, value := range map[*string]string{
		&o.Bucket: s.S3.Bucket, &o.Namespace: "velero", &o.Kubeconfig: s.Kubeconfig, &o.S3Endpoint: s.S3.Endpoint,
	} {
		if *field == "" {
			*field = value
		}
	}
	return o
}

func (v *Velero) service() string {
	if v.Namespace == "velero" {
		return "velero"
	}
	return "velero-" + v.Namespace
}

func (v *Velero) start(ctx context.Context, o VeleroOptions) error {
	plugins, env, err := v.prepareFiles()
	if err != nil {
		return fmt.Errorf("prepare velero: %w", err)
	}
	env = append(env, "KUBECONFIG="+o.Kubeconfig) // the flag does not reach every part of Velero
	if ebs := v.stack.EBS; ebs != nil {
		env = append(env, "AWS_ENDPOINT_URL_EC2="+ebs.Endpoint, "AWS_ENDPOINT_URL_STS="+ebs.Endpoint)
	}
	err = v.stack.launch(ctx, v.service(), 1, func(ports []int) (*service, error) {
		args := []string{
			"server", "--kubeconfig=" + o.Kubeconfig, "--namespace=" + v.Namespace, "--plugin-dir=" + plugins,
			"--metrics-address=" + loopback(ports[0]), "--profiler-address=",
		}
		if !o.NoCSI {
			args = append(args, "--features=EnableCSI")
		}
		if v.stack.EBS != nil {
			args = append(args, "--default-volume-snapshot-locations=aws:default")
		}
		if o.QPS > 0 {
			args = append(args, fmt.Sprintf("--client-qps=%d", o.QPS), fmt.Sprintf("--client-burst=%d", o.QPS))
		}
		health := "http://" + loopback(ports[0]) + "/metrics"
		return &service{Name: v.service(), Binary: v.binary, Args: append(args, o.Args...), Env: env, Health: health}, nil
	})
	if err != nil {
		return err
	}
	svc, err := v.stack.service(v.service())
	if err != nil {
		return err
	}
	v.PID, v.Log = svc.PID, svc.Log
	return nil
}

// waitAvailable waits for Velero's word that it can use the bucket.
func (v *Velero) waitAvailable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	last := ""
	err := poll(ctx, "wait for velero's storage location", func() (bool, error) {
		phase, message, err := v.status(ctx, "backupstoragelocations", "default")
		last = strings.TrimSpace(phase + " " + message)
		return err == nil && phase == "Available", nil
	})
	if err != nil {
		return fmt.Errorf("%w; it is %q; see %s", err, last, v.Log)
	}
	return nil
}

// Backup makes a backup and waits for it; more arguments are those of
// `velero backup create`. Anything but Completed is an error.
func (v *Velero) Backup(ctx context.Context, name string, args ...string) error {
	return v.create(ctx, "backup", name, args)
}

// Restore makes a restore and waits for it; give --from-backup among the arguments.
func (v *Velero) Restore(ctx context.Context, name string, args ...string) error {
	return v.create(ctx, "restore", name, args)
}

func (v *Velero) create(ctx context.Context, kind, name string, args []string) error {
	out, err := v.Run(ctx, append([]string{kind, "create", name, "--wait"}, args...)...)
	if err != nil {
		return err
	}
	phase, message, err := v.status(ctx, kind+"s", name)
	if err != nil {
		return fmt.Errorf("velero %s %s: %w", kind, name, err)
	}
	if phase != "Completed" {
		return fmt.Errorf("velero %s %s: phase %s %s; see %s\n%s", kind, name, phase, message, v.Log, tail(out, 10))
	}
	return nil
}

// Run runs the velero command line against this server and gives its output.
func (v *Velero) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, v.binary, append(args, "--kubeconfig="+v.config, "--namespace="+v.Namespace)...)
	cmd.Env = append(os.Environ(), "HOME="+v.stack.data(v.service())) // not the user's own ~/.config/velero
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("velero %s: %w: %s", strings.Join(args, " "), err, tail(out.String(), 10))
	}
	return out.String(), nil
}

// Get is one of Velero's objects as JSON; resource is its plural name.
func (v *Velero) Get(ctx context.Context, resource, name string) ([]byte, error) {
	return v.stack.kube().get(ctx, veleroPath(v.Namespace, resource, name))
}

func (v *Velero) status(ctx context.Context, resource, name string) (phase, message string, err error) {
	body, err := v.Get(ctx, resource, name)
	if err != nil {
		return "", "", err
	}
	var o struct {
		Status struct {
			Phase, Message, FailureReason string
			ValidationErrors              []string
		}
	}
	err = json.Unmarshal(body, &o)
	return o.Status.Phase, strings.Join(append(o.Status.ValidationErrors, o.Status.Message+o.Status.FailureReason), "; "), err
}

// Stop ends the server; its objects and backups stay.
func (v *Velero) Stop(ctx context.Context) error {
	svc, err := v.stack.service(v.service())
	if err != nil {
		return nil //nolint:nilerr // never started
	}
	return svc.kill(ctx)
}
