package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// suite is the Debian release whose packages the images are made of.
const suite = "bookworm"

// MirrorVariable names the environment variable that holds another Debian mirror
// than debootstrap's default.
const MirrorVariable = "LIFEBOAT_DEBIAN_MIRROR"

// debian fills root with a Debian package and what it depends on, without the
// named packages. Packages are unpacked, not installed: none of their scripts runs
// on this machine.
func debian(ctx context.Context, progress io.Writer, root, pkg string, without []string) error {
	work := filepath.Join(filepath.Dir(root), "debootstrap")
	args := []string{"--download-only", "--variant=minbase", "--include=" + pkg, suite, work}
	if mirror := os.Getenv(MirrorVariable); mirror != "" {
		args = append(args, mirror)
	}
	fmt.Fprintf(progress, "image: download %s and its dependencies from Debian %s ...\n", pkg, suite)
	if err := run(ctx, "debootstrap", args...); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(work, "var/cache/apt/archives/*.deb"))
	if err != nil {
		return err
	}
	for _, file := range packages {
		if name, _, _ := strings.Cut(filepath.Base(file), "_"); slices.Contains(without, name) {
			continue
		}
		if err := run(ctx, "dpkg-deb", "--extract", file, root); err != nil {
			return err
		}
	}
	return strip(root)
}

// strip removes what nobody reads in a container.
func strip(root string) error {
	for _, pattern := range []string{
		"usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/i18n", "usr/share/perl*",
		"usr/share/bash-completion", "usr/lib/*/gconv", "usr/lib/postgresql/*/lib/bitcode", "usr/lib/postgresql/*/lib/llvmjit*",
	} {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, match := range matches {
			if err := os.RemoveAll(match); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs a program, ends it and what it started with the context, and tells what
// it said if it fails.
func run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		err = fmt.Errorf("%s: %w: %s", name, err, strings.Join(lines[max(0, len(lines)-5):], "; "))
	}
	return err
}
