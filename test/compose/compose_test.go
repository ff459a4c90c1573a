//go:build stack

package compose

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Passwords of the test, which shall appear in no argument of a process.
const (
	databasePassword = "database-password-of-the-test"
	objectPassword   = "object-password-of-the-test"
)

// project is docker-compose.yml on an engine, with the CLI beside it.
type project struct {
	engine *stack.Engine
	stack  *stack.Stack
	cli    string
	dir    string // the checkout
}

// TestCompose is what README promises: up against a kubeconfig, a backup, what was lost comes
// back, and all of it is there after down and up.
func TestCompose(t *testing.T) {
	p := newProject(t)
	t.Run("mistyped paths", p.checkMistyped)
	p.compose(t, "up", "--detach", "--wait", "--no-build", "--wait-timeout", "240")
	t.Run("least privilege", p.checkPrivilege)
	if out := p.lifeboat(t, "version"); strings.Contains(out, "Missing search attributes") {
		t.Errorf("the worker did not register all search attributes: %s", out)
	}
	p.kubectl(t, "", "create", "namespace", "shop")
	p.kubectl(t, "", "--namespace", "shop", "create", "configmap", "prices", "--from-literal=tea=3")
	if out := p.lifeboat(t, "backup", "create", "first", "--include-namespaces", "shop", "--wait"); !strings.Contains(out, "Completed") {
		t.Fatalf("backup: %s", out)
	}
	p.kubectl(t, "", "delete", "namespace", "shop", "--wait")
	t.Run("ui", p.checkUI)
	p.compose(t, "down")
	p.compose(t, "up", "--detach", "--wait", "--no-build", "--wait-timeout", "240")
	if out := p.lifeboat(t, "backup", "get"); !strings.Contains(out, "first") {
		t.Fatalf("after down and up: %s", out)
	}
	if out := p.lifeboat(t, "restore", "create", "again", "--from-backup", "first", "--wait"); !strings.Contains(out, "Completed") {
		t.Fatalf("restore: %s", out)
	}
	if got := p.kubectl(t, "", "--namespace", "shop", "get", "configmap", "prices", "--output", "jsonpath={.data.tea}"); got != "3" {
		t.Errorf("restored: %q", got)
	}
	p.compose(t, "down", "--volumes")
	if left, err := p.engine.Docker(t.Context(), "", "volume", "ls", "--quiet"); err != nil || strings.TrimSpace(left) != "" {
		t.Errorf("volumes left: %q %v", left, err)
	}
}

func newProject(t *testing.T) *project {
	t.Helper()
	requirePorts(t, 7233, 8233, 7070, 8085, 8086)
	if err := stack.BuildNode(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	if err := stack.Build(t.Context(), os.Stderr, "docker-compose", "temporal-server", "temporal-sql-tool", "temporal-ui", "temporal-ui-config", "versitygw"); err != nil {
		t.Fatal(err)
	}
	leaveNothing(t)
	s := stack.Run(t, stack.Options{})
	b, err := harness.Build(t.Context(), t.TempDir(), "-ldflags", "-s -w")
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.StartEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := loadImages(t.Context(), e, b, imageDir(t, s)); err != nil {
		t.Fatal(err)
	}
	p := &project{engine: e, stack: s, cli: b.CLI, dir: checkout()}
	t.Cleanup(func() { p.end(t) })
	return p
}

// leaveNothing looks, once the engine is gone, that no network and no control group is left.
func leaveNothing(t *testing.T) {
	before := traces(t)
	t.Cleanup(func() {
		if after := traces(t); !slices.Equal(before, after) {
			t.Errorf("before the engine was started:\n%q\nafter it has ended:\n%q", before, after)
		}
	})
}

// traces are what a Docker engine makes outside of its directories.
func traces(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("/sys/fs/cgroup/*/lifeboat-engine-*")
	if err != nil {
		t.Fatal(err)
	}
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if strings.HasPrefix(i.Name, "br-") || strings.HasPrefix(i.Name, "docker") {
			found = append(found, i.Name)
		}
	}
	return found
}

// imageDir is a folder on the stack's file system, where programs can be linked.
func imageDir(t *testing.T, s *stack.Stack) string {
	t.Helper()
	dir, err := os.MkdirTemp(s.Dir, "images-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// end shows what the containers said if the test failed, and takes them away.
func (p *project) end(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if t.Failed() {
		states, _ := p.run(ctx, "ps", "--all")
		logs, _ := p.run(ctx, "logs", "--no-color", "--tail", "15")
		t.Logf("%s\n%s", states, logs)
	}
	if out, err := p.run(ctx, "down", "--volumes", "--timeout", "5"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// requirePorts fails at once, and with the port, where docker-compose.yml cannot listen.
func requirePorts(t *testing.T, ports ...int) {
	t.Helper()
	for _, port := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatalf("docker-compose.yml needs this port, and something else has it: %v", err)
		}
		l.Close()
	}
}

// checkMistyped: a file of the user that is not there is an error with its path, and no directory is made
// in its place.
func (p *project) checkMistyped(t *testing.T) {
	for variable, service := range map[string]string{"KUBECONFIG": "kubeconfig", "LIFEBOAT_CONFIG": "worker"} {
		missing := filepath.Join(t.TempDir(), "mistyped")
		out, err := p.runWith(t.Context(), []string{variable + "=" + missing}, "create", "--no-build", service)
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v %s", variable, err, out)
		}
		if _, err := os.Stat(missing); !os.IsNotExist(err) {
			t.Errorf("%s: the engine made %s: %v", variable, missing, err)
		}
	}
}

func (p *project) run(ctx context.Context, args ...string) (string, error) {
	return p.runWith(ctx, nil, args...)
}

// runWith is run with further variables, which go before its own.
func (p *project) runWith(ctx context.Context, further []string, args ...string) (string, error) {
	env := append([]string{
		"KUBECONFIG=" + p.stack.Kubeconfig, "DATABASE_PASSWORD=" + databasePassword,
		"S3_ACCESS_KEY=test", "S3_SECRET_KEY=" + objectPassword,
	}, further...)
	return p.engine.DockerWith(ctx, env, "", append([]string{"compose", "--project-directory", p.dir, "--progress", "plain"}, args...)...)
}

func (p *project) compose(t *testing.T, args ...string) {
	t.Helper()
	start := time.Now()
	if out, err := p.run(t.Context(), args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("compose %s: %.1f s", args[0], time.Since(start).Seconds())
}

// lifeboat runs the CLI with the three variables that README names.
func (p *project) lifeboat(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.cli, args...)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS=127.0.0.1:7233", "TEMPORAL_NAMESPACE=lifeboat", "LIFEBOAT_CLUSTER=local")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("lifeboat %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (p *project) kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	bin, err := stack.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, append([]string{"--kubeconfig", p.stack.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// container is what `docker inspect` says of one.
type container struct {
	Name   string
	Args   []string
	Config struct{ User string }
	State  struct{ Running bool }
	Mounts []struct {
		Destination string
		RW          bool
	}
	HostConfig struct {
		ReadonlyRootfs, Privileged bool
		CapDrop, SecurityOpt       []string
		Memory                     int64
	}
}

// checkPrivilege holds every container to the least that it needs.
func (p *project) checkPrivilege(t *testing.T) {
	names, err := p.run(t.Context(), "ps", "--all", "--quiet")
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.engine.Docker(t.Context(), "", append([]string{"inspect"}, strings.Fields(names)...)...)
	if err != nil {
		t.Fatal(err)
	}
	var all []container
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 8 {
		t.Errorf("%d containers", len(all))
	}
	for _, c := range all {
		h := c.HostConfig
		if !h.ReadonlyRootfs || h.Privileged || !slices.Contains(h.CapDrop, "ALL") || h.Memory == 0 || !slices.Contains(h.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: %+v", c.Name, h)
		}
		if c.State.Running && (c.Config.User == "" || strings.HasPrefix(c.Config.User, "0")) {
			t.Errorf("%s runs as %q", c.Name, c.Config.User)
		}
		if args := strings.Join(c.Args, " "); strings.Contains(args, databasePassword) || strings.Contains(args, objectPassword) {
			t.Errorf("%s has a password among its arguments: %s", c.Name, args)
		}
	}
}

// checkUI asks Temporal's UI for the run of the backup.
func (p *project) checkUI(t *testing.T) {
	url := "http://127.0.0.1:8233/api/v1/namespaces/lifeboat/workflows"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct {
		Executions []struct{ Execution struct{ WorkflowId string } }
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Executions {
		if e.Execution.WorkflowId == "backup:local:first" {
			return
		}
	}
	t.Errorf("the UI lists no run of the backup: status %d, %+v", res.StatusCode, list)
}
