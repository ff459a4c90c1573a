package stack

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// service is one running component, complete enough to start it again on the
// same ports from another process: this is what state.json records.
type service struct {
	Name   string   `json:"name"`
	Binary string   `json:"binary"`
	Args   []string `json:"args"`
	Env    []string `json:"env,omitempty"`
	Log    string   `json:"log"`
	Health string   `json:"health"` // URL that answers 200 once the component serves
	PID    int      `json:"pid"`
	Birth  string   `json:"birth"` // when the PID started: tells it from a later owner of the number
}

// child is a service that this process started: it alone can learn of its death at once.
type child struct {
	cmd  *exec.Cmd
	dead chan struct{}
}

// memberVariable marks every process of a stack with its directory, so that Stop
// finds also those whose PID a crash kept out of state.json, and plugins.
const memberVariable = "LIFEBOAT_STACK_MEMBER"

func (s *Stack) spawn(svc *service) (*child, error) {
	log, err := os.OpenFile(svc.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(svc.Binary, svc.Args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), svc.Env...)
	cmd.Env = append(cmd.Env, memberVariable+"="+s.Dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.spawner.start(cmd); err != nil {
		return nil, err
	}
	svc.PID, svc.Birth = cmd.Process.Pid, birth(cmd.Process.Pid)
	c := &child{cmd: cmd, dead: make(chan struct{})}
	go func() { defer close(c.dead); _ = cmd.Wait() }()
	return c, nil
}

// launch starts a service, records it and waits until it is healthy. make is
// called again with new ports when one of them was taken in between.
func (s *Stack) launch(ctx context.Context, name string, ports int, make func(ports []int) (*service, error)) error {
	for attempt := 1; ; attempt++ {
		free, err := freePorts(ports)
		if err != nil {
			return err
		}
		svc, err := make(free)
		if err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
		err = s.run(ctx, svc)
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
}

func (s *Stack) run(ctx context.Context, svc *service) error {
	start := time.Now()
	svc.Log = s.logFile(svc.Name)
	c, err := s.spawn(svc)
	if err != nil {
		return fmt.Errorf("start %s: %w", svc.Name, err)
	}
	if err := s.record(ctx, svc); err != nil {
		return fmt.Errorf("record %s: %w", svc.Name, err)
	}
	if err := waitHealthy(ctx, svc, c); err != nil {
		killGroup(svc.PID)
		return fmt.Errorf("start %s: %w", svc.Name, err)
	}
	s.progress("start %-24s %4.1f s  pid %d\n", svc.Name, time.Since(start).Seconds(), svc.PID)
	return nil
}

func waitHealthy(ctx context.Context, svc *service, c *child) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute) // a machine that compiles at the same time is slow
	defer cancel()
	err := poll(ctx, "wait until healthy", func() (bool, error) {
		select {
		case <-c.dead:
			return false, fmt.Errorf("it ended (%s)", c.cmd.ProcessState)
		default:
			return svc.Health == "" || answersOK(ctx, svc.Health), nil
		}
	})
	if err != nil {
		log, _ := os.ReadFile(svc.Log)
		return fmt.Errorf("%w; %s ends with:\n%s", err, svc.Log, tail(string(log), 15))
	}
	return nil
}

// answersOK asks a health endpoint. Certificates are not checked: the components
// sign their own, and the port is known to be ours.
func answersOK(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
