package stack

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed engine-init.sh
var engineInit string

// Engine is a Docker engine of a stack's own, with the Compose plugin. It lives in mount and
// process namespaces as the node does: when its first process dies, all containers and mounts
// are gone. It makes no firewall rules, so containers reach each other and this machine, and
// nothing outside.
type Engine struct {
	stack  *Stack
	client string
}

// StartEngine starts the engine. It ends with the stack (Linux, root, the package docker.io).
func (s *Stack) StartEngine(ctx context.Context) (*Engine, error) {
	if err := checkMachine(); err != nil {
		return nil, fmt.Errorf("a Docker engine cannot run here: %w", err)
	}
	client, err := dockerClient()
	if err != nil {
		return nil, err
	}
	e := &Engine{stack: s, client: client}
	if err := e.prepare(); err != nil {
		return nil, fmt.Errorf("prepare engine: %w", err)
	}
	dir := s.data("engine")
	err = s.run(ctx, &service{Name: "dockerd", Binary: "unshare", Args: []string{
		"--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation=private", "--",
		"/bin/sh", "-c", engineInit, "engine",
		"dockerd", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none", "--host=" + e.address(),
		"--data-root=" + filepath.Join(dir, "data"), "--exec-root=/run/engine", "--pidfile=/run/engine.pid",
		"--config-file=" + filepath.Join(dir, "daemon.json"), "--cgroup-parent=/" + s.engineCgroup(),
		"--default-address-pool=base=" + s.enginePool() + ",size=24",
	}})
	if err != nil {
		return nil, err
	}
	return e, e.await(ctx)
}

// dockerClient prefers the client that was installed with the engine.
func dockerClient() (string, error) {
	if exists("/usr/bin/docker") {
		return "/usr/bin/docker", nil
	}
	client, err := exec.LookPath("docker")
	if err != nil {
		return "", fmt.Errorf("find docker (apt-get install docker.io): %w", err)
	}
	return client, nil
}

func (e *Engine) prepare() error {
	plugins := filepath.Join(e.config(), "cli-plugins")
	if err := makeDirs(e.stack.data("engine"), plugins); err != nil {
		return err
	}
	if err := makeCgroups(e.stack.engineCgroup()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.stack.data("engine"), "daemon.json"), []byte("{}"), 0o600); err != nil {
		return err
	}
	compose, err := Binary("docker-compose")
	if err != nil {
		return err
	}
	return os.Symlink(compose, filepath.Join(plugins, "docker-compose"))
}

// await waits until the engine answers.
func (e *Engine) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last error
	err := poll(ctx, "wait for the engine", func() (bool, error) {
		_, last = e.Docker(ctx, "", "version")
		return last == nil, nil
	})
	if err != nil {
		log, _ := os.ReadFile(e.stack.logFile("dockerd"))
		return fmt.Errorf("%w (%v); the engine's log ends with:\n%s", err, last, tail(string(log), 15))
	}
	return nil
}

func (e *Engine) address() string { return "unix://" + e.stack.data("engine/docker.sock") }

func (e *Engine) config() string { return e.stack.data("engine/client") }

// Docker runs the client and returns what it printed on its standard output; env ("K=V") is
// added to the caller's. `docker compose` is there.
func (e *Engine) Docker(ctx context.Context, stdin string, args ...string) (string, error) {
	return e.DockerWith(ctx, nil, stdin, args...)
}

// DockerWith is Docker with further variables.
func (e *Engine) DockerWith(ctx context.Context, env []string, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.client, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.address(), "DOCKER_CONFIG="+e.config(), "DOCKER_BUILDKIT=0")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, tail(errs.String()+out.String(), 20))
	}
	return out.String(), nil
}

func (s *Stack) engineCgroup() string { return "lifeboat-engine-" + s.mark() }

// enginePool is where the engine's networks get their addresses: what carries one belongs to it.
func (s *Stack) enginePool() string {
	sum := sha256.Sum256([]byte(s.Dir))
	return fmt.Sprintf("10.%d.0.0/16", 100+int(sum[0])%100)
}

// removeEngine takes away what the engine leaves outside the stack's directory once its
// processes are dead. It may be repeated.
func (s *Stack) removeEngine(ctx context.Context) error {
	if !exists(s.data("engine")) {
		return nil
	}
	err := errors.Join(s.removeEngineBridges(), removeCgroups(ctx, s.engineCgroup()))
	if err != nil {
		return fmt.Errorf("remove engine: %w", err)
	}
	return nil
}

func (s *Stack) removeEngineBridges() error {
	_, pool, err := net.ParseCIDR(s.enginePool())
	if err != nil {
		return err
	}
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addresses {
			if ip, ok := a.(*net.IPNet); ok && strings.HasPrefix(i.Name, "br-") && pool.Contains(ip.IP) {
				if err := removeBridge(i.Name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
