package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// need is a program that the node rests on and the Debian package that has it.
type need struct{ program, pkg string }

var needs = []need{
	{"containerd", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{"debootstrap", "debootstrap"},
	{"dpkg-deb", "dpkg"},
	{"busybox", "busybox-static"},
	{"unshare", "util-linux"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
	{"ip", "iproute2"},
	{"dockerd", "docker.io"}, // for docker-compose.yml
}

// installPackages installs what is missing, and only that: a machine that has
// another packaging of containerd keeps it.
func installPackages(ctx context.Context, progress io.Writer) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("there is no apt-get to install %s with", strings.Join(missing, ", "))
	}
	unlock, err := lockFile(ctx, filepath.Join(os.TempDir(), "lifeboat-packages.lock"), func() {
		fmt.Fprintln(progress, "install: another process is at it")
	})
	if err != nil {
		return err
	}
	defer unlock()
	if missing = missingPackages(); len(missing) == 0 {
		return nil
	}
	return install(ctx, progress, missing)
}

func install(ctx context.Context, progress io.Writer, packages []string) error {
	start := time.Now()
	fmt.Fprintf(progress, "install %s with apt-get ...\n", strings.Join(packages, ", "))
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	if err := errors.Join(aptGet(ctx, "update"), aptGet(ctx, args...)); err != nil {
		return err
	}
	if left := missingPackages(); len(left) > 0 {
		return fmt.Errorf("installed, and still without the programs of %s", strings.Join(left, ", "))
	}
	fmt.Fprintf(progress, "installed in %.0f s\n", time.Since(start).Seconds())
	return nil
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w: %s", args[0], err, tail(string(out), 5))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, n := range needs {
		if _, err := exec.LookPath(n.program); err != nil && !slices.Contains(missing, n.pkg) {
			missing = append(missing, n.pkg)
		}
	}
	if !slices.ContainsFunc(pluginDirs, func(dir string) bool { return exists(filepath.Join(dir, "bridge")) }) {
		missing = append(missing, "containernetworking-plugins")
	}
	return missing
}
