package kubetest

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Program is what a command does. It returns the exit code.
type Program func(*Exec) int

// WithPrograms runs the commands of pods/exec in any container that runs: by the first
// word of the command. One that is not among the programs fails the test and ends with 127.
func WithPrograms(programs map[string]Program) Option {
	return func(s *Server) {
		for name, p := range programs {
			s.SetProgram(name, p)
		}
	}
}

// WithoutShell leaves /bin/sh out of all containers.
func WithoutShell() Option { return func(s *Server) { s.noShell = true } }

// SetProgram adds or changes a program.
func (s *Server) SetProgram(name string, p Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.programs[name] = p
}

// Exit is a program that ends at once.
func Exit(code int) Program { return func(*Exec) int { return code } }

// Sleep is a program that ends with 0 after some time, or with 143 when it is stopped.
func Sleep(d time.Duration) Program {
	return func(e *Exec) int {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-e.Stopped:
			return 143
		case <-timer.C:
			return 0
		}
	}
}

// Hang is a program that ends only when it is stopped, with 143.
func Hang() Program {
	return func(e *Exec) int {
		<-e.Stopped
		return 143
	}
}

// Survive is a program that no signal ends. It lasts until the client has gone.
func Survive() Program {
	return func(e *Exec) int {
		<-e.Gone
		return 0
	}
}

// runProgram runs the program that a command names, and records it.
func (s *Server) runProgram(e *Exec) int {
	program := s.startCommand(e)
	defer s.endCommand()
	if program == nil {
		s.tb.Errorf("kubetest: %s/%s was to run %q: see WithPrograms", e.Namespace, e.Pod, e.Command)
		return 127
	}
	return program(e)
}

func (s *Server) startCommand(e *Exec) Program {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod := e.Namespace + "/" + e.Pod
	s.commands[pod] = append(s.commands[pod], strings.Join(e.Command, " "))
	s.commandsNow++
	s.commandsMost = max(s.commandsMost, s.commandsNow)
	return s.programs[e.Command[0]]
}

func (s *Server) endCommand() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commandsNow--
}

// Commands returns the commands that ran, by "namespace/name" of their pod and in the
// order of their start. Signals to commands are not among them.
func (s *Server) Commands() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]string{}
	for pod, commands := range s.commands {
		out[pod] = slices.Clone(commands)
	}
	return out
}

// MostCommands says how many commands ran at the same time at most.
func (s *Server) MostCommands() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commandsMost
}

// NewPod is a pod that runs, with these containers.
func NewPod(namespace, name string, containers ...string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	for _, c := range containers {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: c, Image: "registry.example/" + c + ":1"})
	}
	StartContainers(p)
	return p
}

// StartContainers starts all containers of a pod, as its kubelet does. Each start gives a
// container another id.
func StartContainers(p *corev1.Pod) {
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = nil
	for _, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, ContainerID: "containerd://" + randomSuffix(),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		})
	}
}

// StopContainers makes the containers of a pod wait to be started again, for a reason.
func StopContainers(p *corev1.Pod, reason string) {
	for i := range p.Status.ContainerStatuses {
		st := &p.Status.ContainerStatuses[i]
		st.Ready, st.State = false, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
}

// ReplacePods puts these pods in the place of all others of a namespace. One that is not
// new keeps its uid.
func (s *Server) ReplacePods(namespace string, pods ...*corev1.Pod) {
	s.tb.Helper()
	stay := map[string]bool{}
	for _, p := range pods {
		stay[p.Name] = true
		if before, ok := Get[corev1.Pod](s, kube.Pods(), namespace, p.Name); ok && p.UID == "" {
			p.UID = before.UID
		}
		s.Put(p)
	}
	for _, p := range All[corev1.Pod](s, kube.Pods()) {
		if p.Namespace == namespace && !stay[p.Name] {
			s.Remove(kube.Pods(), p.Namespace, p.Name)
		}
	}
}
