package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// directoryPrefix begins the names of the directories of control planes.
const directoryPrefix = "lifeboat-rehearsal-"

// directory holds the files of one control plane, of which nobody else may read any. Its
// lock is held by the process that made it and released by the kernel when that dies: so
// another one can tell that it is left over.
type directory struct {
	path string
	lock *os.File
}

// newDirectory makes one below root.
func newDirectory(root string) (*directory, error) {
	path, err := os.MkdirTemp(root, directoryPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a directory for the control plane: %w", err)
	}
	d := &directory{path: path}
	d.lock, err = os.OpenFile(d.file("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = lockFile(d.lock)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), d.remove())
	}
	return d, nil
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// write writes the files that the two programs are started with.
func (d *directory) write(c credentials) (files, error) {
	f := files{
		data: d.file("etcd"), scratch: d.file("apiserver"), authority: d.file("authority.pem"), accountKey: d.file("account.key"),
		serverCert: d.file("server.pem"), serverKey: d.file("server.key"), clientCert: d.file("client.pem"), clientKey: d.file("client.key"),
	}
	for path, data := range map[string][]byte{
		f.authority: c.authority, f.accountKey: c.accountKey, f.serverCert: c.server.cert, f.serverKey: c.server.key,
		f.clientCert: c.client.cert, f.clientKey: c.client.key,
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return f, fmt.Errorf("write %s: %w", path, err)
		}
	}
	return f, errors.Join(os.Mkdir(f.data, 0o700), os.Mkdir(f.scratch, 0o700))
}

// noteProcess keeps the id of a process, by which it is ended if its parent could not.
func (d *directory) noteProcess(name string, pid int) error {
	return os.WriteFile(d.file(name+".pid"), []byte(strconv.Itoa(pid)), 0o600)
}

func (d *directory) remove() error {
	if d.lock != nil {
		defer d.lock.Close() //nolint:errcheck // nothing was written to it
	}
	return os.RemoveAll(d.path)
}

// removeLeftovers removes the directories below root whose process is dead, and ends what
// still runs in them.
func removeLeftovers(root string) error {
	all, err := filepath.Glob(filepath.Join(root, directoryPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range all {
		err = errors.Join(err, removeLeftover(path))
	}
	return err
}

func removeLeftover(path string) error {
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR, 0)
	if err != nil || lockFile(lock) != nil {
		if err == nil {
			_ = lock.Close() // its process lives
		}
		return nil // it is another user's, or is being made or removed this moment
	}
	defer lock.Close() //nolint:errcheck // nothing was written to it
	pids, _ := filepath.Glob(filepath.Join(path, "*.pid"))
	for _, file := range pids {
		endLeftover(path, file)
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("remove what a control plane left in %s: %w", path, err)
	}
	return nil
}

// endLeftover ends a process, if the id is still that of one that was started in the
// directory.
func endLeftover(dir, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 || !strings.Contains(commandLine(pid), dir+string(filepath.Separator)) {
		return
	}
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it has ended meanwhile
	}
}
