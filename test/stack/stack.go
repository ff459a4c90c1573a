package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// Options say what to start. The zero value is the smallest useful stack.
type Options struct {
	Dir                string    // state directory; default: a fresh one in the cache, removed by Stop
	Stdout             io.Writer // progress; default: none
	TemporalOnDisk     bool      // keep Temporal's data in a file, so that it survives a restart
	Kwok               bool      // two fake nodes, kube-scheduler and kwok, so that Pods become Ready
	KwokVolumes        bool      // with Kwok: a default StorageClass whose claims are bound at once, to no data
	SnapshotController bool      // run snapshot-controller (its CRDs are always installed)
	Node               bool      // a real node, so that Pods run: Linux and root; installs what it needs
	NodePolicies       bool      // with Node: network policies are enforced, by rules in the network of this process; give it one of its own
	EBS                bool      // simulated EBS volumes, as strict and slow as AWS's, with the CSI driver under both its names, snapshots included
	EBSFast            bool      // with EBS: limits and controllers that let nobody wait, and ebs.csi.aws.com alone, for tests of other things
	EBSAuto            bool      // with EBSFast: the driver also under its name in EKS Auto Mode, ebs.csi.eks.amazonaws.com
	EBSDefault         bool      // with EBS: its class is the cluster's default
	EBSFrom            *EBS      // with EBS: use the simulator of another stack
	NoCluster          bool      // object store and Temporal only: the cluster is elsewhere
	DieWithParent      bool      // every component dies with this process, also if it is killed (Linux)
	APIServerArgs      []string  // more flags for kube-apiserver
	TemporalArgs       []string  // more flags for temporal server start-dev

	// EBSOptions, with EBS, are limits, users, roles and more; what is empty is filled in, as a
	// real account and the driver's chart have it unless EBSFast.
	EBSOptions ebssim.Options
}

// Stack is a running stack: where its components are and how to talk to them.
type Stack struct {
	Dir        string   `json:"dir"`
	Kubeconfig string   `json:"kubeconfig"` // path; administrator
	APIServer  string   `json:"apiServer"`  // URL; also the issuer of service-account tokens
	AdminToken string   `json:"adminToken"`
	CAFile     string   `json:"caFile"`
	S3         S3       `json:"s3"`
	Temporal   Temporal `json:"temporal"`
	Node       *Node    `json:"node,omitempty"` // only with Options.Node
	EBS        *EBS     `json:"ebs,omitempty"`  // only with Options.EBS

	out     io.Writer
	spawner *spawner

	allowed *allowedLocations
}

// S3 is the object store and its only account.
type S3 struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	Bucket    string `json:"bucket"` // exists from the start
}

// Temporal is the dev server.
type Temporal struct {
	Address   string `json:"address"` // host:port of the frontend
	UI        string `json:"ui"`      // URL
	Namespace string `json:"namespace"`
}

// Start builds what is missing, starts everything and waits until it is healthy.
// If anything fails, what was started is stopped again; the logs stay.
func Start(ctx context.Context, o Options) (*Stack, error) {
	if o.Node {
		if err := BuildNode(ctx, o.Stdout); err != nil {
			return nil, err
		}
	}
	if err := Build(ctx, o.Stdout, o.Components()...); err != nil {
		return nil, err
	}
	start := time.Now()
	s, err := prepare(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("prepare stack: %w", err)
	}
	if err := s.startAll(ctx, o); err != nil {
		return nil, errors.Join(err, s.stop(context.WithoutCancel(ctx), keepLogs))
	}
	if err := s.update(ctx, func(st *state) { st.Stack = s }); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	s.progress("stack ready in %.1f s\n", time.Since(start).Seconds())
	return s, nil
}

// Components names what a stack with these options needs built.
func (o Options) Components() []string {
	if o.NoCluster {
		return append([]string{"versitygw", "temporal", "kubectl"}, o.ebsComponents()...)
	}
	names := []string{"etcd", "kube-apiserver", "kube-controller-manager", "versitygw", "temporal", "snapshot-crds", "kubectl"}
	if o.Kwok {
		names = append(names, "kube-scheduler", "kwok", "kwok-stages")
	}
	if o.Node {
		names = append(names, "kube-scheduler", "kubelet")
	}
	if o.NodePolicies {
		names = append(names, "kube-router")
	}
	if o.SnapshotController || o.EBS {
		names = append(names, "snapshot-controller")
	}
	return append(names, o.ebsComponents()...)
}

func (s *Stack) startAll(ctx context.Context, o Options) error {
	return parallel(
		sequence(
			func() error {
				return parallel(
					func() error { return s.startCluster(ctx, o) },
					func() error { return s.startRuntime(ctx, o) },
				)
			},
			func() error { return s.startKubelet(ctx, o) },
			func() error { return s.startKubeRouter(ctx, o) },
			func() error { return s.startNodeDriver(ctx, o) },
		),
		func() error { return s.startS3(ctx) },
		func() error { return s.startTemporal(ctx, o) },
	)
}

func (s *Stack) startCluster(ctx context.Context, o Options) error {
	if o.NoCluster {
		return s.startEBS(ctx, o)
	}
	return sequence(
		func() error { return s.startEtcd(ctx) },
		func() error { return s.startAPIServer(ctx, o) },
		func() error { return s.startEBS(ctx, o) },
		func() error { return s.startControllers(ctx, o) },
	)()
}

func (s *Stack) startControllers(ctx context.Context, o Options) error {
	steps := []func() error{
		func() error { return s.startControllerManager(ctx) },
		sequence(
			func() error { return s.installSnapshotCRDs(ctx) },
			func() error { return s.startSnapshotController(ctx, o) },
			func() error { return s.startDriver(ctx, o) },
		),
	}
	if o.Kwok || o.Node {
		steps = append(steps, func() error { return s.startScheduler(ctx) })
	}
	if o.Kwok {
		steps = append(steps, func() error { return s.startKwok(ctx, o) })
	}
	return errors.Join(parallel(steps...), s.waitDefaultAccount(ctx))
}

func (s *Stack) progress(format string, args ...any) {
	fmt.Fprintf(writerOr(s.out), format, args...)
}

func (s *Stack) logFile(name string) string {
	return filepath.Join(s.Dir, "logs", name+".log")
}

// data is a folder for a component's own files, removed by Stop.
func (s *Stack) data(name string) string {
	return filepath.Join(s.Dir, "data", name)
}

func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}
