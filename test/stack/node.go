package stack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Node is the stack's real node: a kubelet and a containerd of its own, in mount
// and process namespaces of their own. Killing its first process ends everything
// on it, Pods and mounts included.
type Node struct {
	Name       string `json:"name"`
	InstanceID string `json:"instanceID"` // as EC2 names the machine
	Zone       string `json:"zone"`
	Region     string `json:"region"`
}

// NodeName is the name of the real node. It stands in /etc/hosts while a stack
// with a node runs, for the API server asks kubelets by their host names.
const NodeName = "node1"

// nodeKubeletDir is the kubelet's root directory as the node sees it: short, for
// names of sockets are limited to 108 bytes. Outside it is KubeletDir.
const nodeKubeletDir = "/run/kubelet"

// KubeletDir is the kubelet's root directory as the machine sees it. CSI drivers
// put their sockets into plugins and plugins_registry below it.
func (s *Stack) KubeletDir() string { return s.data("kubelet") }

// BuildNode makes this machine ready for a node: it installs what is missing and
// builds the images. What is there already costs a look. The error of a machine that
// cannot run a node says why, and what to run instead.
func BuildNode(ctx context.Context, progress io.Writer) error {
	progress = writerOr(progress)
	if err := sequence(checkMachine, func() error { return installPackages(ctx, progress) })(); err != nil {
		return fmt.Errorf("a node cannot run here: %w; for the tests that need none: make test-noroot", err)
	}
	return buildImages(ctx, progress)
}

// startRuntime brings up what needs no API server yet: containerd and its images.
func (s *Stack) startRuntime(ctx context.Context, o Options) error {
	if !o.Node {
		return nil
	}
	if err := s.prepareNode(ctx); err != nil {
		return fmt.Errorf("prepare node: %w", err)
	}
	snapshotter := s.snapshotter()
	if err := s.startContainerd(ctx, snapshotter); err != nil {
		return err
	}
	return s.importImages(ctx, snapshotter)
}

func (s *Stack) prepareNode(ctx context.Context) error {
	for _, hidden := range []string{"/run/", "/var/run/", "/var/log/"} { // the node has its own
		if strings.HasPrefix(s.Dir, hidden) {
			return fmt.Errorf("the stack's directory %s is not seen on the node; choose one that is not below %s", s.Dir, hidden)
		}
	}
	s.Node = &Node{Name: NodeName, InstanceID: "i-" + s.mark() + "00000", Zone: "us-east-1a", Region: "us-east-1"}
	err := makeDirs(s.KubeletDir(), s.data("containerd"), s.data("node"), filepath.Join(s.Dir, "logs", "pods"))
	if err != nil {
		return err
	}
	if err := os.Chmod(s.KubeletDir(), 0o755); err != nil { // Pods run as other users
		return err
	}
	if err := makeCgroups(s.cgroup()); err != nil {
		return err
	}
	return addHost(ctx, NodeName, s.Dir)
}

// mark is part of the name of everything that the node puts outside the stack's
// directory, so that two nodes on one machine do not meet, and so that Stop finds
// it all also after the starter was killed: 12 hexadecimal digits of the directory.
func (s *Stack) mark() string { return NodeMark(s.Dir) }

// NodeMark is the mark of the stack in a directory, an absolute path.
func NodeMark(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("%x", sum[:6])
}

func (s *Stack) bridge() string { return "lb" + s.mark() }

func (s *Stack) cgroup() string { return "lifeboat-" + s.mark() }

// insideNode makes a service run on the node: among its processes and mounts. The
// node's first process is looked up at each start, for a restart changes it.
func (s *Stack) insideNode(svc *service) *service {
	args := []string{"-c", `exec nsenter --target "$(cat "$0")" --mount --pid -- "$@"`, s.nodePIDFile(), svc.Binary}
	svc.Binary, svc.Args = "/bin/sh", append(args, svc.Args...)
	return svc
}

func (s *Stack) nodePIDFile() string { return s.data("node/pid") }

// removeNode takes away what a node leaves outside the stack's directory once its
// processes are dead. It may be repeated; without a node there is nothing to find.
func (s *Stack) removeNode(ctx context.Context) error {
	if !exists(s.data("node")) {
		return nil
	}
	err := errors.Join(removeHost(ctx, s.Dir), removeBridge(s.bridge()), removeCgroups(ctx, s.cgroup()))
	if err != nil {
		return fmt.Errorf("remove node: %w", err)
	}
	return nil
}
