package stack

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/images"
)

//go:embed node-init.sh
var nodeInit string

const containerdSocket = "/run/containerd/containerd.sock" // in the node's own /run

// startContainerd starts the node's first process and, under it, containerd.
func (s *Stack) startContainerd(ctx context.Context, snapshotter string) error {
	if err := s.configureContainerd(snapshotter); err != nil {
		return fmt.Errorf("configure containerd: %w", err)
	}
	err := s.run(ctx, &service{Name: "containerd", Binary: "unshare", Args: []string{
		"--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation=private", "--",
		"/bin/sh", "-c", nodeInit, "node", s.nodePIDFile(), s.KubeletDir(),
		"containerd", "--config", s.data("node/containerd.toml"),
	}})
	if err != nil {
		return err
	}
	return s.waitContainerd(ctx)
}

func (s *Stack) waitContainerd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last error
	err := poll(ctx, "wait for containerd", func() (bool, error) {
		last = s.ctr(ctx, "version")
		return last == nil, nil
	})
	if err != nil {
		log, _ := os.ReadFile(s.logFile("containerd"))
		return fmt.Errorf("%w (%v); %s ends with:\n%s", err, last, s.logFile("containerd"), tail(string(log), 15))
	}
	return nil
}

// ctr runs containerd's own client on the node.
func (s *Stack) ctr(ctx context.Context, args ...string) error {
	_, err := s.ctrOutput(ctx, args...)
	return err
}

func (s *Stack) ctrOutput(ctx context.Context, args ...string) (string, error) {
	svc := s.insideNode(&service{Binary: "ctr", Args: append([]string{"--namespace", "k8s.io"}, args...)})
	out, err := exec.CommandContext(ctx, svc.Binary, svc.Args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", args[0], err, tail(string(out), 3))
	}
	return string(out), nil
}

func (s *Stack) configureContainerd(snapshotter string) error {
	network := s.data("node/cni")
	if err := makeDirs(network); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(network, "10-lifeboat.conflist"), []byte(s.networkConfig()), 0o600)
	if err != nil {
		return err
	}
	config := fmt.Sprintf(containerdConfig, s.data("containerd"), containerdSocket, images.Busybox, snapshotter, plugins(), network)
	return os.WriteFile(s.data("node/containerd.toml"), []byte(config), 0o600)
}

// restrict_oom_score_adj: without it a container does not start where the machine
// withholds CAP_SYS_RESOURCE, as many virtual ones do.
const containerdConfig = `version = 2
root = %q
state = "/run/containerd"
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = %q
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
`

// networkConfig gives each Pod an address on a bridge that the machine itself is
// not on: Pods reach each other, nobody else, and no two stacks meet.
func (s *Stack) networkConfig() string {
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0", "name": "lifeboat",
  "plugins": [{
    "type": "bridge", "bridge": %q, "isGateway": false, "ipMasq": false,
    "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.88.0.0/16"}]]}
  }]
}
`, s.bridge())
}

// plugins is where the network plugins are: Debian's folder, or that of others.
func plugins() string {
	for _, dir := range pluginDirs {
		if exists(filepath.Join(dir, "bridge")) {
			return dir
		}
	}
	return pluginDirs[0]
}

var pluginDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// snapshotter is overlayfs where the file system of the stack's directory carries
// it, else plain copies, which always work.
func (s *Stack) snapshotter() string {
	dir := s.data("node/overlay")
	var options []string
	for _, name := range []string{"lower", "upper", "work"} {
		if err := makeDirs(filepath.Join(dir, name)); err != nil {
			return "native"
		}
		options = append(options, name+"dir="+filepath.Join(dir, name))
	}
	if err := makeDirs(filepath.Join(dir, "merged")); err != nil {
		return "native"
	}
	out := exec.Command("unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", strings.Join(options, ","), filepath.Join(dir, "merged"))
	if out.Run() != nil {
		return "native"
	}
	return "overlayfs"
}
