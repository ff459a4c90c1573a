package controlplane

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Processes starts control planes as processes beside this one, which end with it.
type Processes struct {
	// APIServer and Etcd are paths of the binaries.
	APIServer, Etcd string
	// Others are paths of further API servers, by their minor version ("1.38").
	Others map[string]string
	// Root is where their files lie; "" is memory, where there is room.
	Root string
}

const (
	// startTries bounds how often another program may take the ports first.
	startTries = 3
	// stopPatience is how long a process may take to end before it is killed. Nothing is lost.
	stopPatience = 3 * time.Second
	// outputKept is how much is kept of what a process said last.
	outputKept = 4 << 10
)

// Versions implements Provider.
func (p *Processes) Versions() []string { return slices.Sorted(maps.Keys(p.Others)) }

// Start implements Provider.
func (p *Processes) Start(ctx context.Context, s Spec) (*Plane, error) {
	binary, err := p.binaryOf(s.Version)
	if err != nil {
		return nil, err
	}
	root := cmp.Or(p.Root, defaultRoot())
	if err := removeLeftovers(root); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		plane, err := p.startOnce(ctx, root, binary, s)
		if err == nil || try == startTries || ctx.Err() != nil || failure.TypeOf(err) != "" {
			return plane, err
		}
	}
}

// binaryOf is the API server of a version.
func (p *Processes) binaryOf(version string) (string, error) {
	binary := p.APIServer
	if version != "" {
		var known bool
		if binary, known = p.Others[version]; !known {
			return "", failure.Invalid("kubernetesVersion: there is no API server of %q; known are %s; name its binary in the worker's configuration, rehearsal.versions",
				version, cmp.Or(strings.Join(p.Versions(), ", "), "none"))
		}
	}
	for field, path := range map[string]string{"rehearsal.etcd": p.Etcd, "the API server in rehearsal": binary} {
		if _, err := os.Stat(path); err != nil {
			return "", failure.Unusable("%s: no binary in the worker's configuration, or not there: %q", field, path)
		}
	}
	return binary, nil
}

func (p *Processes) startOnce(ctx context.Context, root, apiServer string, s Spec) (_ *Plane, err error) {
	dir, err := newDirectory(root)
	if err != nil {
		return nil, err
	}
	r := &running{dir: dir, died: make(chan error, 2)}
	defer func() {
		if err != nil {
			_, stopErr := r.stop()
			err = errors.Join(err, stopErr)
		}
	}()
	made, err := newCredentials(time.Now())
	if err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	f, err := dir.write(made)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	if err := r.start("etcd", p.Etcd, etcdArguments(f, ports[0], ports[1])); err != nil {
		return nil, err
	}
	if err := r.start("kube-apiserver", apiServer, apiServerArguments(f, s, ports[2], ports[0])); err != nil {
		return nil, err
	}
	plane := &Plane{Config: configOf(made, ports[2]), Ended: r.died, Stop: sync.OnceValues(r.stop)}
	plane.Version, err = awaitServing(ctx, plane.Config, s.Version, r.endedProcess)
	var wrong *wrongVersionError
	if errors.As(err, &wrong) {
		err = failure.Unusable("rehearsal.versions[%s]: the binary is of version %s", s.Version, wrong.got)
	}
	freeReserved(dir.file(etcdLog))
	return plane, err
}

func configOf(c credentials, port int) *kube.RESTConfig {
	cfg := &kube.RESTConfig{Host: address(port)}
	cfg.CAData, cfg.CertData, cfg.KeyData = c.authority, c.client.cert, c.client.key
	return cfg
}

// freePorts finds ports that nobody uses at the moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() //nolint:errcheck // it has accepted nothing
		addr, _ := l.Addr().(*net.TCPAddr)
		ports = append(ports, addr.Port)
	}
	return ports, nil
}

// etcdLog is where etcd has its log, below a control plane's directory.
const etcdLog = "etcd/member/wal"

// running are the processes of a control plane.
type running struct {
	dir       *directory
	processes []*process
	died      chan error // has room for all of them
}

// process is one of them; ended is closed when it has.
type process struct {
	name   string
	cmd    *exec.Cmd
	output tail
	ended  chan struct{}
}

// start starts a process. It gets none of our environment, which may hold credentials.
func (r *running) start(name, binary string, args []string) error {
	p := &process{name: name, cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = r.dir.path, []string{"HOME=" + r.dir.path, "GOGC=40"}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = &p.output, &p.output, attributesOf()
	started := make(chan error)
	go func() {
		// The process ends with the thread that started it: this one stays for as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			close(p.ended)
			r.died <- fmt.Errorf("%s ended: %s", name, p.cmd.ProcessState)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	r.processes = append(r.processes, p)
	return r.dir.noteProcess(name, p.cmd.Process.Pid)
}

// endedProcess is the error of a process that has ended.
func (r *running) endedProcess() error {
	for _, p := range r.processes {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.name, p.output.String())
		default:
		}
	}
	return nil
}

// stop ends the processes, the API server first, and removes their files.
func (r *running) stop() (Usage, error) {
	used := Usage{MemoryBytes: allocatedBytes(r.dir.file(etcdLog))} // of the database etcd's own memory tells
	for _, p := range slices.Backward(r.processes) {
		used.MemoryBytes += peakMemory(p.cmd.Process.Pid)
		if p.stop() {
			used.CPUSeconds += (p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()).Seconds()
		}
	}
	return used, r.dir.remove()
}

// stop kills the process: there is nothing that it has to save. It reports whether it is gone.
func (p *process) stop() bool {
	_ = p.cmd.Process.Kill() // an error says that it has ended already
	select {
	case <-p.ended:
		return true
	case <-time.After(stopPatience):
		return false
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - outputKept; extra > 0 {
		t.kept = bytes.Clone(t.kept[extra:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
