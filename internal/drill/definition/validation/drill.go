// Package validation says what is wrong with the document of a drill, each fault with its
// field and a remedy. It knows neither cluster nor backup.
package validation

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// longestName leaves room in names of namespaces (63 bytes) for what is put beside it.
const longestName = 40

// Drill says what is wrong with a document: filter.FieldErrors, or nil.
func Drill(d *definition.Drill) error {
	p := &problems{}
	p.checkOnly("apiVersion", d.APIVersion, definition.APIVersion)
	p.checkOnly("kind", d.Kind, definition.Kind)
	p.checkLabel("metadata.name", d.Metadata.Name, longestName)
	p.addAll(filter.ValidateMetadata("metadata.", d.Metadata.Labels, d.Metadata.Annotations))
	p.checkSpec(&d.Spec)
	return p.Err()
}

// Spec says what is wrong with a spec: filter.FieldErrors, or nil.
func Spec(s *definition.Spec) error {
	p := &problems{}
	p.checkSpec(s)
	return p.Err()
}

// problems collects what is wrong.
type problems struct{ filter.Problems }

func (p *problems) addAll(errs []filter.FieldError) {
	for _, e := range errs {
		p.Add(e.Path, "%s", e.Message)
	}
}

func (p *problems) checkOnly(path, value, want string) {
	if value != want {
		p.Add(path, "is %q: write %s", value, want)
	}
}

func (p *problems) checkLabel(path, value string, longest int) {
	switch bad := validation.IsDNS1123Label(value); {
	case value == "":
		p.Add(path, "is empty: give a name")
	case len(value) > longest:
		p.Add(path, "has %d characters: use at most %d", len(value), longest)
	case len(bad) > 0:
		p.Add(path, "is %q: %s", value, bad[0])
	}
}

// checkValue refuses what is not among the values of an enumeration; empty is the default.
func checkValue[T interface {
	~string
	Values() []string
}](p *problems, path string, value T) {
	if value != "" && !slices.Contains(value.Values(), string(value)) {
		p.Add(path, "is %q: use %s", string(value), strings.Join(value.Values(), " or "))
	}
}

func (p *problems) checkDuration(path string, d, longest time.Duration) {
	switch {
	case d < 0:
		p.Add(path, "is negative (%s): give a duration such as 30m", d)
	case longest > 0 && d > longest:
		p.Add(path, "is %s: use at most %s", d, longest)
	}
}

func (p *problems) checkSpec(s *definition.Spec) {
	p.checkSource(s.Source)
	p.checkSchedule(s.Schedule)
	selected := s.RestoreSpec("backup")
	p.addAll(filter.ValidateRestore(&selected, nil))
	for i, kind := range s.AllowedKinds {
		p.checkGroupResource(fmt.Sprintf("spec.allowedKinds[%d]", i), kind)
		if !strings.Contains(kind, ".") {
			p.Add(fmt.Sprintf("spec.allowedKinds[%d]", i), "is %q: name custom resources as plural.group, such as clusters.postgresql.cnpg.io; Kubernetes' own types need no permission", kind)
		}
	}
	p.checkDuration("spec.readyTimeout", s.ReadyTimeout.Duration, 24*time.Hour)
	p.checkDuration("spec.readTimeout", s.ReadTimeout.Duration, 24*time.Hour)
	p.checkAssertions(s)
	p.checkTargets(s)
	p.checkBudget(s.Budget)
	p.checkKeep(s.Keep)
	p.checkNetwork(s.Network)
	if r := s.VolumeInitializationRate; r != 0 && (r < 100 || r > 300) {
		p.Add("spec.volumeInitializationRate", "is %d: EBS takes 100 to 300 MiB/s; leave it out for the default", r)
	}
	p.checkNotifications(s.Notifications)
}

func (p *problems) checkSource(s definition.Source) {
	checkValue(p, "spec.source.pick", s.Pick)
	if s.Backup != "" && s.Schedule != "" {
		p.Add("spec.source.schedule", "cannot be used together with spec.source.backup: remove one of them")
	}
	if s.Backup != "" && s.Pick != "" {
		p.Add("spec.source.pick", "cannot be used together with spec.source.backup: remove one of them")
	}
	if s == (definition.Source{}) {
		p.Add("spec.source", "is empty: name a backup, or a schedule, or write pick: latest for the newest good backup of all")
	}
}

// checkSchedule leaves what the cron string says to the worker, which knows how it is read.
func (p *problems) checkSchedule(s *definition.Schedule) {
	if s == nil {
		return
	}
	if strings.TrimSpace(s.Cron) == "" {
		p.Add("spec.schedule.cron", "is empty: write a cron string such as \"0 9 1-7 1,4,7,10 TUE\", or @monthly")
	}
	p.checkDuration("spec.schedule.catchUpWindow", s.CatchUpWindow.Duration, definition.MostKept)
	p.checkDuration("spec.schedule.jitter", s.Jitter.Duration, 24*time.Hour)
}

func (p *problems) checkTargets(s *definition.Spec) {
	checkValue(p, "spec.targets.level", s.Targets.Level)
	p.checkDuration("spec.targets.rto", s.Targets.RTO.Duration, 0)
	p.checkDuration("spec.targets.rpo", s.Targets.RPO.Duration, 0)
	if s.Targets.Level == "L5" && len(s.Assertions) == 0 {
		p.Add("spec.targets.level", "is L5, which no drill without assertions reaches: add spec.assertions or ask for L4")
	}
}

func (p *problems) checkNetwork(n definition.Network) {
	host, port, err := net.SplitHostPort(n.Outside)
	if number, bad := strconv.ParseUint(port, 10, 16); n.Outside != "" && (err != nil || host == "" || bad != nil || number == 0) {
		p.Add("spec.network.outside", "is %q: write host:port, such as db.production:5432", n.Outside)
	}
}

func (p *problems) checkBudget(b definition.Budget) {
	for path, n := range map[string]int64{"spec.budget.volumes": int64(b.Volumes), "spec.budget.gib": b.GiB, "spec.budget.minutes": int64(b.Minutes)} {
		if n < 0 {
			p.Add(path, "is negative (%d): leave it out for no bound", n)
		}
	}
}

func (p *problems) checkKeep(k *definition.Keep) {
	if k == nil {
		return
	}
	p.checkDuration("spec.keep.for", k.For.Duration, definition.MostKept)
	if k.For.Duration == 0 {
		p.Add("spec.keep.for", "is 0: say how long the copy is kept, such as 4h, or remove spec.keep")
	}
	taken := map[string]bool{}
	for from, to := range k.Namespaces {
		path := "spec.keep.namespaces[" + filter.ShortenText(from) + "]"
		p.checkLabel(path, to, 63)
		switch {
		case taken[to]:
			p.Add(path, "is %q, as another namespace is: give each a name of its own", to)
		case to == from:
			p.Add(path, "is the namespace's own name: give the copy another one")
		case to == "default" || strings.HasPrefix(to, "kube-"):
			p.Add(path, "is %q, which belongs to the cluster: give the copy another name", to)
		}
		taken[to] = true
	}
}

func (p *problems) checkNotifications(all []definition.Notification) {
	names := map[string]bool{}
	for i, n := range all {
		path := fmt.Sprintf("spec.notifications[%d]", i)
		p.checkName(path+".name", n.Name, names)
		checkValue(p, path+".when", n.When)
		switch {
		case (n.Webhook == nil) == (n.Event == nil):
			p.Add(path, "has to have one of webhook and event")
		case n.Webhook != nil:
			p.checkSecretKey(path+".webhook.urlFrom", n.Webhook.URLFrom)
			checkValue(p, path+".webhook.form", n.Webhook.Form)
		default:
			p.checkLabel(path+".event.namespace", n.Event.Namespace, 63)
		}
	}
}

func (p *problems) checkSecretKey(path string, k definition.SecretKey) {
	p.checkObject(path+".name", k.Name)
	if bad := validation.IsConfigMapKey(k.Key); len(bad) > 0 {
		p.Add(path+".key", "is %q: name the key of the Secret that holds the value", k.Key)
	}
}

// checkName wants a name that no other of its list has.
func (p *problems) checkName(path, name string, names map[string]bool) {
	const longest = 63
	switch {
	case name == "":
		p.Add(path, "is empty: give a name")
	case len(name) > longest || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		p.Add(path, "has to be one line of at most %d bytes", longest)
	case names[name]:
		p.Add(path, "is %q, as another one is: names are unique", name)
	}
	names[name] = true
}

// checkObject wants the name of an object.
func (p *problems) checkObject(path, name string) {
	if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 {
		p.Add(path, "is %q: %s", name, bad[0])
	}
}

func (p *problems) checkGroupResource(path, resource string) {
	plural, group, qualified := strings.Cut(resource, ".")
	if len(validation.IsDNS1123Label(plural)) > 0 || qualified && len(validation.IsDNS1123Subdomain(group)) > 0 {
		p.Add(path, "is %q: write the type as plural.group, such as deployments.apps, or pods", resource)
	}
}
