package change

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/content"
)

// cluster is a simulated one: bodies by key.
type cluster struct {
	rng     *rand.Rand
	now     time.Time
	objects map[archive.Key]string
	serial  int
}

func key(resource, ns, name string) archive.Key {
	return archive.Key{Resource: resource, Namespace: ns, Name: name}
}

const (
	deployments = "deployments.apps"
	crb         = "clusterrolebindings.rbac.authorization.k8s.io"
	clusterRole = "clusterroles.rbac.authorization.k8s.io"
	mutating    = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
	validating  = "validatingwebhookconfigurations.admissionregistration.k8s.io"
	netpol      = "networkpolicies.networking.k8s.io"
)

func newCluster(seed uint64) *cluster {
	c := &cluster{rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC), objects: map[archive.Key]string{}}
	for n := range 30 {
		c.addNamespace(fmt.Sprintf("team-%02d", n), c.now.AddDate(0, -6, 0), 8)
	}
	for i := range 60 {
		c.objects[key(clusterRole, "", fmt.Sprint("role-", i))] = fmt.Sprintf(`{"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get","list"]}],"serial":%d}`, i)
		c.objects[key(crb, "", fmt.Sprint("binding-", i))] = fmt.Sprintf(`{"roleRef":{"kind":"ClusterRole","name":"role-%d"},"subjects":[{"kind":"ServiceAccount","name":"a","namespace":"team-00"}]}`, i)
	}
	c.objects[key(clusterRole, "", "cluster-admin")] = `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`
	c.objects[key(crb, "", "cluster-admin")] = `{"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"Group","name":"system:masters"}]}`
	c.objects[key(mutating, "", "mesh")] = webhook("mesh", "ca-0")
	c.objects[key(validating, "", "policy")] = webhook("policy", "ca-0")
	return c
}

func webhook(name, ca string) string {
	return fmt.Sprintf(`{"webhooks":[{"name":"%s.example.com","clientConfig":{"caBundle":%q,"service":{"namespace":"team-00","name":%q,"path":"/"}}}]}`, name, ca, name)
}

func (c *cluster) addNamespace(ns string, created time.Time, apps int) {
	c.objects[key("namespaces", "", ns)] = fmt.Sprintf(`{"metadata":{"creationTimestamp":%q}}`, created.Format(time.RFC3339))
	c.objects[key(netpol, ns, "default-deny")] = `{}`
	for i := range apps {
		for _, resource := range []string{deployments, "configmaps", "secrets", "services", "serviceaccounts"} {
			c.write(key(resource, ns, fmt.Sprint("app-", i)))
		}
		c.write(key("secrets", ns, fmt.Sprint("tls-", i)))
		for p := range 3 {
			c.write(key("pods", ns, fmt.Sprintf("app-%d-%d", i, p)))
		}
		if i%3 == 0 {
			c.write(key("persistentvolumeclaims", ns, fmt.Sprint("data-", i)))
		}
	}
}

// write gives an object a content that it has never had.
func (c *cluster) write(k archive.Key) {
	c.serial++
	c.objects[k] = fmt.Sprintf(`{"serial":%d}`, c.serial)
}

func (c *cluster) removeNamespace(ns string) {
	for k := range c.objects {
		if k.Namespace == ns || k.Resource == "namespaces" && k.Name == ns {
			delete(c.objects, k)
		}
	}
}

// keys are sorted, so that a seed gives one history.
func (c *cluster) keys(want func(archive.Key) bool) []archive.Key {
	var out []archive.Key
	for k := range c.objects {
		if want(k) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b archive.Key) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Resource, b.Resource))
	})
	return out
}

// rewrite changes a share of the objects that want chooses.
func (c *cluster) rewrite(share float64, want func(archive.Key) bool) {
	for _, k := range c.keys(want) {
		if c.rng.Float64() < share {
			c.write(k)
		}
	}
}

// liveADay is a day of ordinary life.
func (c *cluster) liveADay(day int) {
	c.now = c.now.AddDate(0, 0, 1)
	isRBACOrWebhook := func(k archive.Key) bool { return isWatched(k.Resource) }
	c.rewrite(0.01, func(k archive.Key) bool { return !isRBACOrWebhook(k) })
	for _, k := range c.keys(is2("pods")) { // pods are replaced all the time
		if c.rng.Float64() < 0.3 {
			delete(c.objects, k)
			c.serial++
			c.write(key("pods", k.Namespace, fmt.Sprint("pod-", c.serial)))
		}
	}
	for range c.rng.IntN(4) { // releases of teams, with what helm remembers of them
		ns := fmt.Sprintf("team-%02d", c.rng.IntN(30))
		c.rewrite(0.8, func(k archive.Key) bool {
			return k.Namespace == ns && (k.Resource == deployments || k.Resource == "configmaps")
		})
		c.write(key("secrets", ns, fmt.Sprint("sh.helm.release.v1.app.v", day)))
		delete(c.objects, key("secrets", ns, fmt.Sprint("sh.helm.release.v1.app.v", day-60)))
	}
	c.rewrite(1.0/60, func(k archive.Key) bool { return strings.HasPrefix(k.Name, "tls-") }) // certificates
	if day%90 == 45 {                                                                        // passwords are rotated
		c.rewrite(0.2, is2("secrets"))
	}
	if day%7 == 3 { // the certificates of webhooks are renewed, roles are looked after
		c.objects[key(mutating, "", "mesh")] = webhook("mesh", fmt.Sprint("ca-", day))
		c.objects[key(clusterRole, "", fmt.Sprint("role-", day%60))] = fmt.Sprintf(`{"rules":[{"apiGroups":["apps"],"resources":["deployments"],"verbs":["get","list","patch"]}],"serial":%d}`, day)
		c.objects[key(crb, "", fmt.Sprint("binding-", day))] = `{"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","name":"somebody"}]}`
	}
	for n := range c.rng.IntN(4) { // previews come and go
		c.addNamespace(fmt.Sprintf("preview-%d-%d", day, n), c.now, 2)
	}
	for _, k := range c.keys(is2("namespaces")) {
		if strings.HasPrefix(k.Name, "preview-") && c.rng.Float64() < 0.3 || strings.HasPrefix(k.Name, fmt.Sprintf("preview-%d-", day-12)) {
			c.removeNamespace(k.Name)
		}
	}
	if day%30 == 20 { // an application of a team is given up
		for _, k := range c.keys(func(k archive.Key) bool {
			return k.Namespace == "team-07" && strings.HasSuffix(k.Name, fmt.Sprint("-", day/30%8))
		}) {
			delete(c.objects, k)
		}
	}
}

func is2(resource string) func(archive.Key) bool {
	return func(k archive.Key) bool { return k.Resource == resource }
}

func entriesOf(objects map[archive.Key]string) (out []archive.Entry) {
	for k, body := range objects {
		sum, _ := content.Sum(nil, k.Resource, []byte(body))
		out = append(out, archive.Entry{Key: k, SHA256: strings.Repeat("0", 64), Content: hex.EncodeToString(sum[:])})
	}
	return out
}

// backups is a series of backups of a cluster.
type backups struct {
	t      *testing.T
	policy Policy
	series Series
	held   map[string]bool // by the UID of the backup that found something unusual

	last    map[archive.Key]string
	entries []archive.Entry // of last
	lastAt  time.Time
}

func (b *backups) take(c *cluster) Judgement {
	b.t.Helper()
	now, entries := maps.Clone(c.objects), entriesOf(c.objects)
	defer func() { b.last, b.entries, b.lastAt = now, entries, c.now }()
	uid := c.now.Format(time.DateOnly)
	if b.last == nil {
		b.series.Add(Record{Backup: uid, UID: uid, Started: c.now})
		return Judgement{}
	}
	compared := NewComparison()
	compared.AddOlder(b.entries)
	compared.AddNewer(entries)
	reader := func(objects map[archive.Key]string) func(context.Context, archive.Key) ([]byte, error) {
		return func(_ context.Context, k archive.Key) ([]byte, error) { return []byte(objects[k]), nil }
	}
	j, err := Judge(b.t.Context(), compared.Finish(), Reader{Older: reader(b.last), Newer: reader(now), OlderTime: b.lastAt}, &b.series, b.policy,
		func(r Record) bool { return b.held[r.UID] })
	if err != nil {
		b.t.Fatal(err)
	}
	b.held[uid] = len(j.Unusual) > 0
	b.series.Add(Record{Backup: uid, UID: uid, Started: c.now, Measures: j.Measures, Unusual: j.Unusual, Passing: j.Passing})
	return j
}

func newBackups(t *testing.T) *backups {
	return &backups{t: t, policy: Policy{Window: DefaultWindow}, held: map[string]bool{}}
}

// years is how many years are lived, each with a seed of its own: ten by make soak.
func years() uint64 {
	if os.Getenv("LIFEBOAT_SOAK") != "" {
		return 10
	}
	return 1
}

// TestNoAlarmInAYear lives through a year of two clusters.
func TestNoAlarmInAYear(t *testing.T) {
	for seed := range years() {
		c, b := newCluster(seed), newBackups(t)
		for day := range 365 {
			c.liveADay(day)
			if j := b.take(c); len(j.Unusual) > 0 {
				t.Errorf("seed %d, day %d: %v", seed, day, j.Text)
			}
		}
		if n := len(b.series.Records); n != 365 {
			t.Errorf("%d records", n)
		}
	}
}

// TestTenAttacks does one each, among the changes of an ordinary day, after two months and on
// the second day, when nothing is known of the cluster yet.
func TestTenAttacks(t *testing.T) {
	attacks := map[string]struct {
		do   func(c *cluster)
		rule string
	}{
		"a third of the Secrets is encrypted":   {func(c *cluster) { c.rewrite(0.35, is2("secrets")) }, RuleSecrets},
		"configuration is overwritten":          {func(c *cluster) { c.rewrite(0.6, is2("configmaps")) }, RuleConfig},
		"every workload gets a miner's sidecar": {func(c *cluster) { c.rewrite(1, is2(deployments)) }, RuleWorkloads},
		"claims are deleted": {func(c *cluster) {
			for i, k := range c.keys(is2("persistentvolumeclaims")) {
				if i%3 == 0 {
					delete(c.objects, k)
				}
			}
		}, RuleVolumes},
		"everything of ten teams is deleted, not the namespaces": {func(c *cluster) {
			for _, k := range c.keys(func(k archive.Key) bool { return strings.HasPrefix(k.Namespace, "team-1") }) {
				delete(c.objects, k)
			}
		}, RuleDeleted},
		"a namespace is deleted": {func(c *cluster) { c.removeNamespace("team-03") }, RuleNamespaces},
		"a ServiceAccount becomes administrator": {func(c *cluster) {
			c.objects[key(crb, "", "metrics-reader")] = `{"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"team-02"}]}`
		}, RuleBindings},
		"anybody may read, by a binding that was there": {func(c *cluster) {
			c.objects[key(crb, "", "binding-5")] = `{"roleRef":{"kind":"ClusterRole","name":"role-5"},"subjects":[{"kind":"ServiceAccount","name":"a","namespace":"team-00"},{"kind":"Group","name":"system:unauthenticated"}]}`
		}, RuleBindings},
		"a role comes to allow everything": {func(c *cluster) {
			c.objects[key(clusterRole, "", "role-9")] = `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`
		}, RuleRoles},
		"a webhook sends every Secret away": {func(c *cluster) {
			c.objects[key(mutating, "", "mesh")] = `{"webhooks":[{"name":"mesh.example.com","clientConfig":{"caBundle":"ca-0","url":"https://elsewhere.example.com"}}]}`
		}, RuleWebhooks},
		"a new webhook":                   {func(c *cluster) { c.objects[key(mutating, "", "injector")] = webhook("injector", "ca") }, RuleWebhooks},
		"the admission policy is removed": {func(c *cluster) { delete(c.objects, key(validating, "", "policy")) }, RuleGuards},
		"a team's network is opened":      {func(c *cluster) { delete(c.objects, key(netpol, "team-04", "default-deny")) }, RuleGuards},
		"a role may impersonate everybody": {func(c *cluster) {
			c.objects[key(clusterRole, "", "role-1")] = `{"rules":[{"apiGroups":[""],"resources":["users"],"verbs":["impersonate"]}]}`
		}, RuleRoles},
	}
	if len(attacks) < 10 {
		t.Fatal("too few")
	}
	for _, days := range []int{1, 60} {
		before, history := newCluster(7), newBackups(t)
		for day := range days {
			before.liveADay(day)
			history.take(before)
		}
		before.liveADay(days)
		for name, attack := range attacks {
			c, b := *before, *history
			c.objects, b.held, b.series.Records = maps.Clone(before.objects), maps.Clone(history.held), slices.Clone(history.series.Records)
			attack.do(&c)
			if j := b.take(&c); !slices.Contains(j.Unusual, attack.rule) {
				t.Errorf("%s after %d days: found %v, want %s; measured %v", name, days, j.Unusual, attack.rule, j.Measures)
			}
		}
	}
}

// TestReleasedChangeWidensTheRange: what somebody has released was meant, and may come again;
// what nobody has released does not make the next attack usual.
func TestReleasedChangeWidensTheRange(t *testing.T) {
	rotate := func(c *cluster) { c.rewrite(0.6, is2("secrets")) }
	for _, released := range []bool{false, true} {
		c, b := newCluster(3), newBackups(t)
		b.take(c)
		c.liveADay(1)
		rotate(c)
		if j := b.take(c); !slices.Equal(j.Unusual, []string{RuleSecrets}) {
			t.Fatalf("found %v", j.Unusual)
		}
		if released {
			clear(b.held)
		}
		c.liveADay(2)
		rotate(c)
		if j := b.take(c); slices.Contains(j.Unusual, RuleSecrets) == released {
			t.Errorf("released %v: found %v, measured %v", released, j.Unusual, j.Measures)
		}
	}
}

func TestBoundsOfTheConfiguration(t *testing.T) {
	for _, bound := range []float64{-1, 0.5, 0.9} {
		c, b := newCluster(4), newBackups(t)
		b.policy.Bounds = map[string]float64{RuleSecrets: bound}
		b.take(c)
		c.rewrite(0.7, is2("secrets"))
		if found := len(b.take(c).Unusual) > 0; found != (bound == 0.5) {
			t.Errorf("bound %v: found is %v", bound, found)
		}
	}
	if CheckBounds(map[string]float64{"secret": 1}) == nil || CheckBounds(map[string]float64{RuleSecrets: 1}) != nil {
		t.Error("bounds of unknown rules are to be refused, and no others")
	}
}

func TestSeriesIsBounded(t *testing.T) {
	var s Series
	for i := range keptRecords + 50 {
		s.Add(Record{UID: fmt.Sprint(i), Started: time.Unix(int64(i), 0)})
	}
	s.Add(Record{UID: "60", Started: time.Unix(60, 0)})
	if len(s.Records) != keptRecords || s.Last("").UID != fmt.Sprint(keptRecords+49) || s.Last(s.Last("").UID).UID != fmt.Sprint(keptRecords+48) {
		t.Errorf("%d records, last %v", len(s.Records), s.Last(""))
	}
}
