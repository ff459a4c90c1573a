package stack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Build builds the named components into the cache, or all that `make test` needs if none is
// named. What is there already costs a stat. Progress is a line when a component
// is begun, with how many are left, and one with its time when it is done.
func Build(ctx context.Context, progress io.Writer, names ...string) error {
	if len(names) == 0 {
		names = Components()
	}
	missing, err := missingComponents(names)
	if err != nil {
		return err
	}
	for i, c := range missing {
		if err := buildOne(ctx, writerOr(progress), c, len(missing)-i); err != nil {
			return fmt.Errorf("build %s: %w", c.name, err)
		}
	}
	return nil
}

// missingComponents are those of the named ones that are not in the cache.
func missingComponents(names []string) ([]component, error) {
	var missing []component
	for _, name := range names {
		c, err := findComponent(name)
		if err != nil {
			return nil, err
		}
		path, err := c.path()
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", name, err)
		}
		if !exists(path) {
			missing = append(missing, c)
		}
	}
	return missing, nil
}

// Binary is the path of a built component; for snapshot-crds and kwok-stages a folder of YAML.
func Binary(name string) (string, error) {
	c, err := findComponent(name)
	if err != nil {
		return "", err
	}
	path, err := c.path()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find %s: not built yet; run: go run ./test/stack/cmd/stack build %s", name, name)
	}
	return path, nil
}

// CacheDir is where built components and the stacks' state live, outside the checkout.
func CacheDir() (string, error) {
	if dir := os.Getenv("LIFEBOAT_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache (set LIFEBOAT_CACHE to choose one): %w", err)
	}
	return filepath.Join(dir, "lifeboat"), nil
}

func buildOne(ctx context.Context, progress io.Writer, c component, left int) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, path+".lock", func() {
		fmt.Fprintf(progress, "build %-24s another process is at it\n", c.name)
	})
	if err != nil {
		return err
	}
	defer unlock()
	if exists(path) { // another process built it while this one waited
		return nil
	}
	return c.produce(ctx, progress, path, left)
}

func (c component) produce(ctx context.Context, progress io.Writer, path string, left int) error {
	start, spent := time.Now(), processorTime()
	fmt.Fprintf(progress, "build %-24s ... (%d left)\n", c.name, left)
	part := fmt.Sprintf("%s.part-%d", path, os.Getpid())
	defer os.RemoveAll(part)
	if err := c.compile(ctx, part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	fmt.Fprintf(progress, "build %-24s %.0f s (%.0f s of CPU)\n", c.name, time.Since(start).Seconds(), (processorTime() - spent).Seconds())
	return nil
}

// processorTime is what all programs that this process ran and awaited have used: one
// component is built at a time.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (c component) compile(ctx context.Context, out string) error {
	if c.files != nil {
		return c.copyFiles(ctx, out)
	}
	_, err := c.goTool(ctx, "build", "-buildvcs=false", "-tags", c.tags, "-ldflags", c.ldflags(), "-o", out, c.pkg)
	return err
}

// goTool runs the go command in the component's tool module. The environment is
// pinned: a workspace or a vendor flag would build something else, or nothing. CGO is
// off as it is in the Makefile, and no flag changes how packages are compiled: the
// components, the demo and the tests find each other's packages in the build cache.
// GOGC is no such flag: the compiler collects its garbage less often, which takes 15 %
// off its CPU time for a quarter more memory.
func (c component) goTool(ctx context.Context, args ...string) (string, error) {
	tools, err := toolsDir()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(tools, c.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOGC=400", "GOWORK=off", "GOFLAGS=")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	dieWithThread(cmd.SysProcAttr) // a killed test must not leave a compiler running
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, tail(stderr.String(), 20))
	}
	return strings.TrimSpace(string(out)), nil
}

func (c component) ldflags() string {
	flags := "-s -w"
	if c.flags != nil {
		flags += c.flags(c.version)
	}
	return flags
}

// path names the result after all that decides it, so that two checkouts with
// different pins share one cache without rebuilding each other's binaries.
func (c component) path() (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	tools, err := toolsDir()
	if err != nil {
		return "", err
	}
	pins, err := os.ReadFile(filepath.Join(tools, c.module, "go.mod"))
	if err != nil {
		return "", fmt.Errorf("read pins: %w", err)
	}
	ours, err := sourceDigest(filepath.Join(tools, c.module), c.sources)
	if err != nil {
		return "", fmt.Errorf("read sources: %w", err)
	}
	sum := sha256.Sum256([]byte(string(pins) + c.pkg + c.tags + strings.Join(c.files, " ") + c.ldflags() + runtime.GOOS + runtime.GOARCH + ours))
	return filepath.Join(cache, "bin", fmt.Sprintf("%s-%x", c.name, sum[:6])), nil
}

// toolsDir finds the tool modules: from where this file was compiled, or, where
// the build trimmed paths, from the working directory upwards.
func toolsDir() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && exists(file) {
		return filepath.Join(filepath.Dir(file), "tools"), nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if tools := filepath.Join(dir, "test", "stack", "tools"); exists(tools) {
			return tools, nil
		}
	}
	return "", errors.New("find tool modules: run inside the lifeboat checkout")
}
