package validation

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

func (p *problems) checkAssertions(s *definition.Spec) {
	names := map[string]bool{}
	for i := range s.Assertions {
		a, path := &s.Assertions[i], fmt.Sprintf("spec.assertions[%d]", i)
		p.checkName(path+".name", a.Name, names)
		p.checkAssertion(path, a)
		if a.NeedsProbe() && s.Probe == nil {
			p.Add("spec.probe", "is missing, and %s.%s.from is probe: name an image that has sh, and curl or wget", path, a.Type())
		}
	}
	if s.Probe != nil && strings.TrimSpace(s.Probe.Image) == "" {
		p.Add("spec.probe.image", "is empty: name an image that has sh, and curl or wget")
	}
}

func (p *problems) checkAssertion(path string, a *definition.Assertion) {
	p.checkLabel(path+".namespace", a.Namespace, 63)
	p.checkDuration(path+".timeout", a.Timeout.Duration, 24*time.Hour)
	p.checkDuration(path+".retryInterval", a.RetryInterval.Duration, time.Hour)
	if a.Retries < 0 || a.Retries > definition.MostRetries {
		p.Add(path+".retries", "is %d: use 0 to %d", a.Retries, definition.MostRetries)
	}
	p.checkExpect(path, a)
	if n := countSet(a.Exec != nil, a.HTTP != nil, a.TCP != nil, a.Job != nil, a.Object != nil, a.Condition != nil); n != 1 {
		p.Add(path, "has %d of exec, http, tcp, job, object and condition: give one", n)
		return
	}
	switch {
	case a.Exec != nil:
		p.checkExec(path+".exec", a.Exec)
	case a.HTTP != nil:
		p.checkHTTP(path+".http", a.HTTP)
	case a.TCP != nil:
		p.checkTCP(path+".tcp", a.TCP)
	case a.Job != nil:
		p.checkJob(path+".job", a.Job)
	case a.Object != nil:
		p.checkLookedAt(path+".object", a.Object.Resource, a.Object.Name)
		p.checkField(path, a)
	case a.Condition != nil:
		p.checkLookedAt(path+".condition", a.Condition.Resource, a.Condition.Name)
		if a.Condition.Type == "" {
			p.Add(path+".condition.type", "is empty: name the condition, such as Ready")
		}
	}
}

func countSet(set ...bool) int {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

func (p *problems) checkExpect(path string, a *definition.Assertion) {
	e := a.Expect
	if e == nil {
		return
	}
	path += ".expect"
	if a.TCP != nil || a.Condition != nil {
		p.Add(path, "has no meaning for %s, which has no value to compare: remove it", a.Type())
	}
	if n := countSet(e.Equals != nil, e.Matches != "", e.Recorded != ""); n != 1 {
		p.Add(path, "has %d of equals, matches and recorded: give one", n)
	}
	if _, err := regexp.Compile(e.Matches); err != nil {
		p.Add(path+".matches", "is not a regular expression: %v", err)
	}
}

func (p *problems) checkExec(path string, e *definition.Exec) {
	p.checkPod(path+".pod", &e.Pod)
	if len(e.Command) == 0 || e.Command[0] == "" {
		p.Add(path+".command", "is empty: give the program and its arguments, such as [psql, -tAc, select count(*) from orders]")
	}
	if e.ExitCode < 0 || e.ExitCode > 255 {
		p.Add(path+".exitCode", "is %d: use 0 to 255", e.ExitCode)
	}
}

func (p *problems) checkPod(path string, c *definition.PodChoice) {
	if n := countSet(c.Name != "", len(c.Labels) > 0, c.Workload != ""); n != 1 {
		p.Add(path, "has %d of name, labels and workload: give one", n)
		return
	}
	for key, value := range c.Labels {
		if bad := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(bad) > 0 {
			p.Add(path+".labels", "has %s=%s: %s", key, value, bad[0])
		}
	}
	if kind, name, _ := strings.Cut(c.Workload, "/"); c.Workload != "" && (definition.WorkloadKind(kind) == "" || name == "") {
		p.Add(path+".workload", "is %q: write deployment/NAME, statefulset/NAME, daemonset/NAME, replicaset/NAME or job/NAME", c.Workload)
	}
}

// checkEndpoint wants a Service or a pod.
func (p *problems) checkEndpoint(path, service string, pod *definition.PodChoice) {
	switch {
	case (service == "") == (pod == nil):
		p.Add(path, "has to have one of service and pod")
	case pod != nil:
		p.checkPod(path+".pod", pod)
	default:
		p.checkLabel(path+".service", service, 63)
	}
}

func (p *problems) checkHTTP(path string, h *definition.HTTP) {
	p.checkEndpoint(path, h.Service, h.Pod)
	checkValue(p, path+".scheme", h.Scheme)
	checkValue(p, path+".from", h.From)
	if h.Status != 0 && (h.Status < 100 || h.Status > 599) {
		p.Add(path+".status", "is %d: use a status of HTTP, such as 200", h.Status)
	}
	if h.Path != "" && (!strings.HasPrefix(h.Path, "/") || strings.ContainsAny(h.Path, " \t\r\n")) {
		p.Add(path+".path", "is %q: begin it with / and write blanks as %%20", h.Path)
	}
	p.checkPort(path+".port", h)
}

func (p *problems) checkPort(path string, h *definition.HTTP) {
	port := h.Port.String()
	if definition.PortNumber(port) != 0 {
		return
	}
	named := h.Service != "" && h.From != definition.FromProbe && len(validation.IsValidPortName(port)) == 0
	if !named {
		p.Add(path, "is %q: give a number from 1 to 65535, or through the API server the name of a Service's port", port)
	}
}

func (p *problems) checkTCP(path string, t *definition.TCP) {
	p.checkEndpoint(path, t.Service, t.Pod)
	checkValue(p, path+".from", t.From)
	if t.Port < 1 || t.Port > 65535 {
		p.Add(path+".port", "is %d: use 1 to 65535", t.Port)
	}
	if t.Service != "" && t.From != definition.FromProbe {
		p.Add(path+".service", "cannot be reached by a port-forward: choose a pod, or write from: probe")
	}
}

func (p *problems) checkLookedAt(path, resource, name string) {
	p.checkGroupResource(path+".resource", resource)
	if name == "" || strings.ContainsAny(name, "/ %") {
		p.Add(path+".name", "is %q: give the object's name", name)
	}
}

func (p *problems) checkJob(path string, j *definition.Job) {
	if strings.TrimSpace(j.Image) == "" {
		p.Add(path+".image", "is empty: name the image to run")
	}
	if j.RunAsUser != nil && *j.RunAsUser < 1 {
		p.Add(path+".runAsUser", "is %d: use the number of a user that is not root, or remove it for the image's user", *j.RunAsUser)
	}
}

func (p *problems) checkField(path string, a *definition.Assertion) {
	switch {
	case a.Object.Field != "" && a.Object.Resource == "secrets":
		p.Add(path+".object.field", "cannot be read of a Secret, whose values would stand in the evidence: compare it in a pod by exec")
	case a.Object.Field == "" && a.Expect != nil:
		p.Add(path+".object.field", "is empty, and there is something to compare with: name the field, such as status.readyReplicas")
	case a.Object.Field != "" && a.Expect == nil:
		p.Add(path+".expect", "is missing: say what the field has to be")
	}
}
