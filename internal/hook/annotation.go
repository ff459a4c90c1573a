package hook

import (
	"fmt"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// annotationReader reads the hook annotations of one pod and collects what is wrong with
// them. None of their values is quoted but onError and durations.
type annotationReader struct {
	pod      *corev1.Pod
	prefix   string // up to the last part of the annotations' names
	problems []report.Reason
}

func (n *annotationReader) text(key string) string { return n.pod.Annotations[n.prefix+key] }

func (n *annotationReader) addProblem(key, problem string) {
	n.problems = append(n.problems, reasonAt(n.pod, report.HookInvalid,
		fmt.Sprintf("metadata.annotations[%s%s] %s", n.prefix, key, problem)))
}

// command is nil when the annotation is not there: then there is no hook.
func (n *annotationReader) command() []string {
	words, err := parseCommand(n.text("command"))
	if err != nil {
		n.addProblem("command", err.Error()+"; it is taken for the path of a program")
	}
	return words
}

func (n *annotationReader) onError() velerov1.HookErrorMode {
	mode := velerov1.HookErrorMode(n.text("on-error"))
	switch mode {
	case "", velerov1.HookErrorModeContinue, velerov1.HookErrorModeFail:
		return mode
	}
	n.addProblem("on-error", fmt.Sprintf("is %q: use Continue or Fail; the default is used", mode))
	return ""
}

// duration is 0, for the default, when the annotation is absent or unreadable.
func (n *annotationReader) duration(key string) time.Duration {
	text := n.text(key)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		n.addProblem(key, fmt.Sprintf("is %q: use a duration such as 90s; the default is used", text))
		return 0
	}
	return d
}

// boolean is false when the annotation is absent or unreadable.
func (n *annotationReader) boolean(key string) bool {
	switch text := n.text(key); text {
	case "true", "True", "TRUE", "t", "T", "1":
		return true
	case "", "false", "False", "FALSE", "f", "F", "0":
	default:
		n.addProblem(key, fmt.Sprintf("is %q: use true or false; false is used", text))
	}
	return false
}

// readExec is the hook that the annotations ask for; ok is false when they ask for
// none. timeout is the name of the annotation of the command's timeout.
func (n *annotationReader) readExec(timeout string) (h Hook, ok bool) {
	command := n.command()
	if command == nil {
		return Hook{}, false
	}
	return Hook{
		Name: fromAnnotations, Container: n.text("container"), Command: command,
		OnError: n.onError(), Timeout: n.duration(timeout),
	}, true
}
