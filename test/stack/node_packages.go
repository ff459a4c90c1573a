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

// need is a program and the Debian package that has it.
type need struct{ program, pkg string }

// needs are the programs that the node rests on.
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
	{"mkfs.ext4", "e2fsprogs"},
	{"mkfs.xfs", "xfsprogs"},
	{"ip", "iproute2"},
	{"iptables", "iptables"},
	{"ipset", "ipset"},
	{"dockerd", "docker.io"}, // for docker-compose.yml
}

// installPackages installs what is missing of what the node rests on, and only that: a machine
// that has another packaging of containerd keeps it.
func installPackages(ctx context.Context, progress io.Writer) error {
	return installMissing(ctx, progress, missingPackages)
}

// InstallProgram installs a program that is missing, by the Debian package that has it.
func InstallProgram(ctx context.Context, progress io.Writer, program, pkg string) error {
	return installMissing(ctx, progress, func() []string { return packagesWithout(need{program, pkg}) })
}

func installMissing(ctx context.Context, progress io.Writer, missing func() []string) error {
	packages := missing()
	if len(packages) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("there is no apt-get to install %s with", strings.Join(packages, ", "))
	}
	unlock, err := lockFile(ctx, filepath.Join(os.TempDir(), "lifeboat-packages.lock"), func() {
		fmt.Fprintln(progress, "install: another process is at it")
	})
	if err != nil {
		return err
	}
	defer unlock()
	if packages = missing(); len(packages) == 0 {
		return nil
	}
	if err := install(ctx, progress, packages); err != nil {
		return err
	}
	if left := missing(); len(left) > 0 {
		return fmt.Errorf("installed, and still without the programs of %s", strings.Join(left, ", "))
	}
	return nil
}

func install(ctx context.Context, progress io.Writer, packages []string) error {
	start := time.Now()
	fmt.Fprintf(progress, "install %s with apt-get ...\n", strings.Join(packages, ", "))
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	if err := errors.Join(aptGet(ctx, "update"), aptGet(ctx, args...)); err != nil {
		return err
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
	missing := packagesWithout(needs...)
	if !slices.ContainsFunc(pluginDirs, func(dir string) bool { return exists(filepath.Join(dir, "bridge")) }) {
		missing = append(missing, "containernetworking-plugins")
	}
	return missing
}

// packagesWithout are the packages of those programs that are not there.
func packagesWithout(needs ...need) (missing []string) {
	for _, n := range needs {
		if _, err := exec.LookPath(n.program); err != nil && !slices.Contains(missing, n.pkg) {
			missing = append(missing, n.pkg)
		}
	}
	return missing
}
