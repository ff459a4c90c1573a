package change

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// shopFloor is another cluster than the one of the simulation, with other habits: few large
// applications of many parts that scale by load, releases by a pipeline on working days, previews
// of pull requests that may stay open for weeks, certificates of one issuer, jobs by night.
type shopFloor struct {
	*cluster
	day      int
	previews map[string]int // the day on which each is closed
	pull     int
	releases map[string][]string // Secrets in which helm keeps them, the oldest first
}

const floorApps = 12

func newShopFloor(seed uint64) *shopFloor {
	f := &shopFloor{
		cluster:  &cluster{rng: rand.New(rand.NewPCG(seed, 99)), now: time.Date(2026, 3, 1, 1, 30, 0, 0, time.UTC), objects: map[archive.Key]string{}},
		previews: map[string]int{}, releases: map[string][]string{},
	}
	for i := range floorApps {
		f.makeNamespace(fmt.Sprintf("%s-%s", []string{"shop", "pay", "data", "ops"}[i%4], []string{"front", "back", "batch"}[i/4]), 400)
	}
	for _, ns := range f.settled() {
		for part := range 9 {
			f.release(ns, part, 0)
			f.write(key("persistentvolumeclaims", ns, fmt.Sprintf("data-part-%d-0", part)))
		}
		f.write(key("secrets", ns, "wildcard-tls"))
		f.write(key("secrets", ns, "registry"))
		f.write(key("configmaps", ns, "kube-root-ca.crt"))
		f.objects[key(netpol, ns, "isolate")] = `{"spec":{}}`
	}
	for i := range 40 {
		f.objects[key(clusterRole, "", fmt.Sprint("operator-", i))] = fmt.Sprintf(`{"rules":[{"apiGroups":["g%d"],"resources":["*"],"verbs":["*"]}]}`, i)
		f.objects[key(crb, "", fmt.Sprint("operator-", i))] = fmt.Sprintf(`{"roleRef":{"kind":"ClusterRole","name":"operator-%d"},"subjects":[{"kind":"ServiceAccount","name":"operator","namespace":"ops-back"}]}`, i)
	}
	f.objects[key(crb, "", "cluster-admin")] = `{"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"Group","name":"system:masters"}]}`
	f.objects[key(validating, "", "gatekeeper")] = webhook("gatekeeper", "ca-0")
	f.objects[key(mutating, "", "injector")] = webhook("injector", "ca-0")
	return f
}

func (f *shopFloor) makeNamespace(ns string, daysAgo int) {
	f.objects[key(namespaces, "", ns)] = fmt.Sprintf(`{"metadata":{"creationTimestamp":%q}}`, f.now.AddDate(0, 0, -daysAgo).Format(time.RFC3339))
}

func (f *shopFloor) settled() (all []string) {
	for _, k := range f.keys(is2(namespaces)) {
		if !strings.HasPrefix(k.Name, "pr-") {
			all = append(all, k.Name)
		}
	}
	return all
}

// release deploys a part of an application, as a pipeline does: images and configuration of a
// commit, and a Secret of helm's, of which ten are kept.
func (f *shopFloor) release(ns string, part, commit int) {
	name := fmt.Sprint("part-", part)
	f.objects[key(deployments, ns, name)] = deployment(2, commit)
	f.objects[key("configmaps", ns, name+"-env")] = fmt.Sprintf(`{"metadata":{"labels":{"commit":"%d"}},"data":{"LOG":"info"}}`, commit)
	f.objects[key("services", ns, name)] = `{"spec":{"ports":[{"port":80}]}}`
	f.objects[key("serviceaccounts", ns, name)] = `{}`
	f.write(key("horizontalpodautoscalers.autoscaling", ns, name))
	id := ns + "/" + name
	kept := f.releases[id]
	if n := len(kept); n > 0 {
		f.write(key("secrets", ns, kept[n-1])) // it is superseded now
	}
	f.serial++
	helm := fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, f.serial)
	f.write(key("secrets", ns, helm))
	if kept = append(kept, helm); len(kept) > 10 {
		delete(f.objects, key("secrets", ns, kept[0]))
		kept = kept[1:]
	}
	f.releases[id] = kept
}

func deployment(replicas, commit int) string {
	return fmt.Sprintf(`{"metadata":{"annotations":{"deployment.kubernetes.io/revision":"1"}},"spec":{"replicas":%d,"template":{"spec":{"containers":[{"name":"app","image":"registry/app:%d"}]}}}}`, replicas, commit)
}

// scale sets the replicas of each workload by its load of the hour: no two nights are the same.
func (f *shopFloor) scale() {
	for _, k := range f.keys(is2(deployments)) {
		body := f.objects[k]
		image := body[strings.Index(body, `"template"`):]
		f.objects[k] = fmt.Sprintf(`{"metadata":{"annotations":{"deployment.kubernetes.io/revision":"1"}},"spec":{"replicas":%d,%s`, 2+f.rng.IntN(9), image)
	}
}

func (f *shopFloor) live() {
	f.day++
	f.now = f.now.AddDate(0, 0, 1)
	f.scale()
	if f.now.Weekday() != time.Saturday && f.now.Weekday() != time.Sunday {
		f.work()
	}
	f.closePreviews()
	for _, ns := range f.settled() { // by night: a job a namespace, and what elects leaders
		for _, k := range f.keys(func(k archive.Key) bool { return k.Namespace == ns && k.Resource == "jobs.batch" }) {
			delete(f.objects, k)
		}
		for i := range 3 {
			f.write(key("jobs.batch", ns, fmt.Sprintf("nightly-%d-%d", f.day, i)))
			f.write(key("pods", ns, fmt.Sprintf("nightly-%d-%d-x", f.day, i)))
			delete(f.objects, key("pods", ns, fmt.Sprintf("nightly-%d-%d-x", f.day-1, i)))
		}
		f.write(key("configmaps", ns, "leader"))
	}
	f.write(key("configmaps", "ops-front", "cluster-autoscaler-status"))
	f.rotate()
}

// work is a working day: five to thirty releases, one or two pull requests.
func (f *shopFloor) work() {
	all := f.settled()
	for range 5 + f.rng.IntN(26) {
		f.release(all[f.rng.IntN(len(all))], f.rng.IntN(9), 1000+f.serial)
	}
	for range 1 + f.rng.IntN(2) {
		f.pull++
		ns := fmt.Sprint("pr-", 4000+f.pull)
		f.makeNamespace(ns, 0)
		for part := range 3 {
			f.release(ns, part, f.serial)
		}
		f.objects[key(netpol, ns, "isolate")] = `{"spec":{}}`
		f.previews[ns] = f.day + min(50, int(f.rng.ExpFloat64()*6))
	}
}

func (f *shopFloor) closePreviews() {
	for _, ns := range slices.Sorted(maps.Keys(f.previews)) {
		if f.previews[ns] < f.day {
			f.removeNamespace(ns)
			delete(f.previews, ns)
		}
	}
}

// rotate renews certificates and tokens: the issuer's wildcard is copied to every namespace, the
// root certificate changes once, operators are upgraded once a month.
func (f *shopFloor) rotate() {
	if f.day%60 == 17 {
		f.rewrite(1, func(k archive.Key) bool { return k.Name == "wildcard-tls" })
	}
	if f.day%7 == 5 { // tokens of a registry
		f.rewrite(1, func(k archive.Key) bool { return k.Name == "registry" })
	}
	if f.day == 200 {
		f.rewrite(1, func(k archive.Key) bool { return k.Name == "kube-root-ca.crt" })
	}
	if f.day%30 == 9 {
		ca := fmt.Sprint("ca-", f.day)
		f.objects[key(validating, "", "gatekeeper")], f.objects[key(mutating, "", "injector")] = webhook("gatekeeper", ca), webhook("injector", ca)
		f.objects[key(clusterRole, "", fmt.Sprint("operator-", f.day/30))] = fmt.Sprintf(`{"rules":[{"apiGroups":["g"],"resources":["*"],"verbs":["get","list","watch"]}],"day":%d}`, f.day)
	}
}

// TestNoAlarmOnTheShopFloor lives through a year of it.
func TestNoAlarmOnTheShopFloor(t *testing.T) {
	for seed := range years() {
		f, b := newShopFloor(seed), newBackups(t)
		most := map[string]float64{}
		for range 365 {
			f.live()
			j := b.take(f.cluster)
			if len(j.Unusual) > 0 {
				t.Errorf("seed %d, day %d: %v", seed, f.day, j.Text)
			}
			for rule, value := range j.Measures {
				most[rule] = max(most[rule], value)
			}
		}
		t.Logf("seed %d: at most %v", seed, most)
	}
}

// TestAttacksOnTheShopFloor: its habits hide no attack, on the second day as after three months.
func TestAttacksOnTheShopFloor(t *testing.T) {
	attacks := map[string]struct {
		do   func(f *shopFloor)
		rule string
	}{
		"Secrets are encrypted":        {func(f *shopFloor) { f.rewrite(0.5, is2("secrets")) }, RuleSecrets},
		"configuration is overwritten": {func(f *shopFloor) { f.rewrite(0.9, is2("configmaps")) }, RuleConfig},
		"a sidecar everywhere, while all scale": {func(f *shopFloor) {
			for _, k := range f.keys(is2(deployments)) {
				f.objects[k] = strings.Replace(f.objects[k], `"containers":[`, `"containers":[{"name":"miner","image":"m"},`, 1)
			}
		}, RuleWorkloads},
		"claims are deleted": {func(f *shopFloor) {
			for i, k := range f.keys(is2("persistentvolumeclaims")) {
				if i%2 == 0 {
					delete(f.objects, k)
				}
			}
		}, RuleVolumes},
		"half of everything is deleted": {func(f *shopFloor) {
			for i, k := range f.keys(func(k archive.Key) bool { return k.Namespace != "" }) {
				if i%2 == 0 {
					delete(f.objects, k)
				}
			}
		}, RuleDeleted},
		"an application's namespace is deleted": {func(f *shopFloor) { f.removeNamespace("pay-back") }, RuleNamespaces},
		"an administrator": {func(f *shopFloor) {
			f.objects[key(crb, "", "operator-3")] = `{"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"ServiceAccount","name":"operator","namespace":"pr-4001"}]}`
		}, RuleBindings},
		"an operator's role allows everything": {func(f *shopFloor) {
			f.objects[key(clusterRole, "", "operator-30")] = `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`
		}, RuleRoles},
		"the injector calls somebody else": {func(f *shopFloor) {
			f.objects[key(mutating, "", "injector")] = `{"webhooks":[{"name":"injector.example.com","clientConfig":{"url":"https://elsewhere.example.com"}}]}`
		}, RuleWebhooks},
		"the gatekeeper is removed":   {func(f *shopFloor) { delete(f.objects, key(validating, "", "gatekeeper")) }, RuleGuards},
		"an application's wall falls": {func(f *shopFloor) { delete(f.objects, key(netpol, "shop-back", "isolate")) }, RuleGuards},
	}
	for _, days := range []int{1, 90} {
		before, history := newShopFloor(11), newBackups(t)
		for range days {
			before.live()
			history.take(before.cluster)
		}
		before.live()
		for name, attack := range attacks {
			c, f, b := *before.cluster, *before, *history
			f.cluster = &c
			c.objects, b.held, b.series.Records = maps.Clone(before.objects), maps.Clone(history.held), slices.Clone(history.series.Records)
			attack.do(&f)
			if j := b.take(&c); !slices.Contains(j.Unusual, attack.rule) {
				t.Errorf("%s after %d days: found %v, want %s; measured %v", name, days, j.Unusual, attack.rule, j.Measures)
			}
		}
	}
}
