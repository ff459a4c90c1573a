package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// accounts are the users that the images know.
const (
	passwd = "root:x:0:0:root:/:/bin/sh\npostgres:x:70:70:PostgreSQL:/var/lib/postgresql:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
	group  = "root:x:0:\npostgres:x:70:\nnogroup:x:65534:\n"
)

// postgresID is the user and group that PostgreSQL runs as in its container.
const postgresID = 70

// busybox is a shell and the usual small tools. It is also the image of the Pods'
// sandboxes, which only have to stay.
func busybox() Image {
	return Image{
		Name: Busybox, recipe: "1", fill: fillBusybox,
		Config: Config{Cmd: []string{"/bin/sleep", "1000000000"}, Env: []string{"PATH=/bin"}},
	}
}

func fillBusybox(ctx context.Context, _ io.Writer, root string) error {
	binary, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	if err := base(root); err != nil {
		return err
	}
	if err := copyFile(binary, filepath.Join(root, "bin", "busybox")); err != nil {
		return err
	}
	tools, err := exec.CommandContext(ctx, binary, "--list").Output()
	if err != nil {
		return fmt.Errorf("list tools of %s: %w", binary, err)
	}
	for tool := range strings.FieldsSeq(string(tools)) {
		if tool == "busybox" {
			continue
		}
		if err := os.Symlink("busybox", filepath.Join(root, "bin", tool)); err != nil {
			return err
		}
	}
	return nil
}

// base makes what every root file system needs.
func base(root string) error {
	for dir, mode := range map[string]os.FileMode{
		"bin": 0o755, "etc": 0o755, "proc": 0o555, "sys": 0o555, "dev": 0o755, "run": 0o755, "tmp": 0o777 | os.ModeSticky,
	} {
		path := filepath.Join(root, dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc", "passwd"), []byte(passwd), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "etc", "group"), []byte(group), 0o644)
}

func copyFile(from, to string) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if err := copyInto(out, from); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
