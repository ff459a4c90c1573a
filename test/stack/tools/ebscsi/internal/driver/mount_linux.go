package driver

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func bindMount(source, target string, readOnly bool) error {
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	if !readOnly {
		return nil
	}
	err := syscall.Mount("", target, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	if err != nil { // the kernel takes read-only in a second step alone
		return errors.Join(err, unmount(target))
	}
	return nil
}

func unmount(target string) error {
	return syscall.Unmount(target, 0)
}

// isMountPoint looks the path up in the process's own mount table: a bind mount
// of the same file system has the device number of its parent.
func isMountPoint(path string) (bool, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	defer file.Close()
	escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`)
	for lines := bufio.NewScanner(file); ; {
		if !lines.Scan() {
			return false, lines.Err()
		}
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && fields[4] == escape.Replace(real) {
			return true, nil
		}
	}
}
