package drill

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/restore/comparison"
)

func asked() time.Time { return time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC) }

func entry(gr, name string) archive.Entry {
	return archive.Entry{Key: archive.Key{Resource: gr, Version: "v1", Namespace: "shop", Name: name}}
}

// passed is all that a drill finds of which nothing speaks against it.
func passed() *facts {
	a := newAccount()
	a.addUnselected(entry("configmaps", "elsewhere"))
	a.Counts.Selected = 4
	a.addRestored(entry("configmaps", "c"), nil)
	a.addRestored(entry("services", "web"), []string{isolation.RuleLoadBalancer, ruleRestore})
	a.addChanges(entry("services", "web"), []isolation.Change{{Rule: isolation.RuleLoadBalancer, Field: "spec.type", Before: "LoadBalancer", After: "ClusterIP"}})
	a.addLeft(entry("events", "e"), "NOT_RESTORABLE", "events are of their time")
	a.addRestored(entry("deployments.apps", "web"), nil)
	a.finish()
	at := func(s int) time.Time { return asked().Add(time.Duration(s) * time.Second) }
	return &facts{
		software: "v1", cluster: "prod", target: evidence.Cluster{Name: "prod", UID: "u", Kubernetes: "v1.37.0"}, source: evidence.Cluster{Name: "prod", UID: "u", Kubernetes: unknown},
		account: a, objects: 5, size: 900, manifest: evidence.Subject{Name: "backups/b/b-lifeboat-manifest.json", Digest: evidence.DigestSet{SHA256: evidence.DigestOf(nil)}},
		backup: velerov1.Backup{
			ObjectMeta: metav1.ObjectMeta{Name: "b", UID: "uid"}, Status: velerov1.BackupStatus{StartTimestamp: &metav1.Time{Time: asked().Add(-time.Hour)}},
		},
		in: contract.SignDrillInput{
			Drill: contract.DrillInput{Name: "shop", Spec: definition.Spec{Assertions: []definition.Assertion{{Name: "orders"}}}},
			Plan:  contract.DrillPlan{ID: "id", Backup: "b", Location: "default"},
			Asked: asked(), Finished: at(100),
			Phases: []contract.DrillPhase{{Name: "read", Started: at(0), Finished: at(10)}, {Name: "ready", Started: at(10), Finished: at(40)}, {Name: "assertions", Started: at(40), Finished: at(50)}},
			Bytes:  &contract.DrillBytes{Files: 5}, Objects: &a.Counts,
			Ready:      &contract.DrillReady{Workloads: contract.DrillCheck{Checked: 1, Good: 1}},
			Assertions: []evidence.Assertion{{Name: "orders", Type: "exec", Target: "shop/db", Operator: evidence.Equals, Recorded: "1", Found: "1", Origin: "user", Outcome: evidence.Held, Attempts: 1}},
			Control:    contract.DrillControl{Faults: []evidence.Fault{{Planted: "a pod", Check: "L4", Detected: true, Found: "it"}}},
			Teardown:   contract.DrillTeardown{Started: at(60), Finished: at(90), Scan: contract.LeakScan(map[string]int{"namespaces": 1}, contract.DrillRemains{})},
		},
	}
}

// TestStatements: whatever a drill has found, and wherever it ended, gives evidence that readers
// take, at the level that was reached, with what speaks against it.
func TestStatements(t *testing.T) {
	for name, tc := range map[string]struct {
		change   func(f *facts)
		level    evidence.Level
		failures []evidence.FailureCode
		says     string
	}{
		"passed": {func(*facts) {}, evidence.L5, nil, ""},
		"ended before the backup was opened": {func(f *facts) {
			f.in.Phases, f.in.Bytes, f.in.Objects, f.in.Ready, f.in.Control, f.account, f.in.Aborted = nil, nil, nil, nil, contract.DrillControl{}, newAccount(), "no backup"
			f.in.Assertions[0] = evidence.Assertion{Name: "orders", Type: "exec", Target: "shop/db", Operator: evidence.Equals, Origin: "user", Outcome: evidence.NotChecked}
		}, evidence.LevelNone, []evidence.FailureCode{evidence.LevelMissed, evidence.AssertionFailed, evidence.ObjectsLost, evidence.ControlUndetected, evidence.Aborted}, "no backup"},
		"of Velero's, ended before it was opened": {func(f *facts) {
			f.in.Phases, f.in.Bytes, f.in.Objects, f.in.Ready, f.objects, f.account, f.in.Aborted = nil, nil, nil, nil, 0, newAccount(), "cancelled"
		}, evidence.LevelNone, []evidence.FailureCode{evidence.LevelMissed, evidence.Aborted}, "cancelled"},
		"damaged": {func(f *facts) { f.in.Bytes.Damage = "member 3: digest differs" }, evidence.LevelNone, []evidence.FailureCode{evidence.LevelMissed}, "member 3"},
		"cannot be read": {func(f *facts) {
			f.in.Reading = &contract.DrillReading{Data: 2, Through: 1, Volumes: contract.DrillCheck{Checked: 2, Good: 1, Detail: "claim shop/data: 1 of its files cannot be read"}}
		}, evidence.L2, []evidence.FailureCode{evidence.LevelMissed}, "claim shop/data: 1 of its files cannot be read"},
		"not read in time": {func(f *facts) {
			f.in.Reading = &contract.DrillReading{Data: 2, Through: 1, Going: 1, Volumes: contract.DrillCheck{Checked: 2, Good: 2}, Unread: "claim shop/data: is still being read"}
		}, evidence.L5, nil, "1 of 2 volumes with data"},
		"of Velero's": {func(f *facts) { f.in.Bytes = &contract.DrillBytes{Foreign: true, Files: 1} }, evidence.L5, nil, "no manifest"},
		"refused": {func(f *facts) {
			f.account.addRefused(entry("secrets", "s"), comparison.Outcome{})
			f.account.Counts.Selected++
			f.in.Objects = &f.account.Counts
		}, evidence.L0, []evidence.FailureCode{evidence.LevelMissed, evidence.ObjectsLost}, "secrets shop/s"},
		"different": {func(f *facts) {
			f.account.addDifferent(entry("secrets", "s"), codeDiffers, "differs in data")
			f.in.Objects = &f.account.Counts
		}, evidence.L1, []evidence.FailureCode{evidence.LevelMissed, evidence.ObjectsLost}, "differs in data"},
		"volume not bound": {func(f *facts) {
			f.in.Ready.Volumes = contract.DrillCheck{Checked: 2, Good: 1, Detail: "claim a: is not bound"}
		}, evidence.L2, []evidence.FailureCode{evidence.LevelMissed}, "claim a"},
		"not ready": {func(f *facts) {
			f.in.Ready.Workloads = contract.DrillCheck{Checked: 1, Detail: "deployment web: ImagePullBackOff"}
		}, evidence.L3, []evidence.FailureCode{evidence.LevelMissed}, "ImagePullBackOff"},
		"row count": {func(f *facts) {
			f.in.Assertions[0].Found, f.in.Assertions[0].Outcome, f.in.Assertions[0].Detail = "2", evidence.Broken, "one row more"
		}, evidence.L4, []evidence.FailureCode{evidence.LevelMissed, evidence.AssertionFailed}, "one row more"},
		"empty volume": {func(f *facts) { f.account.Emptied = []string{"claim shop/shared"} }, evidence.L4, []evidence.FailureCode{evidence.LevelMissed}, "claim shop/shared"},
		"neither assertions nor data": {func(f *facts) {
			f.in.Assertions, f.in.Drill.Spec.Assertions, f.account.Emptied = nil, nil, []string{"claim shop/shared"}
		}, evidence.L4, nil, "no assertions; the data of 1 volumes is not in the copy, which got empty ones: claim shop/shared"},
		"no assertions": {func(f *facts) { f.in.Assertions, f.in.Drill.Spec.Assertions = nil, nil }, evidence.L4, nil, "no assertions"},
		"too slow":      {func(f *facts) { f.in.Drill.Spec.Targets.RTO.Duration = 20 * time.Second }, evidence.L5, []evidence.FailureCode{evidence.RTOExceeded}, "it took 50s"},
		"too old":       {func(f *facts) { f.in.Drill.Spec.Targets.RPO.Duration = time.Minute }, evidence.L5, []evidence.FailureCode{evidence.RPOExceeded}, "1h0m0s"},
		"a gap":         {func(f *facts) { f.worstGap, f.in.Drill.Spec.Targets.RPO.Duration = 30*time.Hour, 26*time.Hour }, evidence.L5, []evidence.FailureCode{evidence.RPOExceeded}, "30h0m0s"},
		"left": {func(f *facts) {
			left := contract.DrillRemains{Types: []contract.DrillRemain{{Type: "namespaces", Found: 1}}}
			f.in.Teardown.Scan = contract.LeakScan(map[string]int{"namespaces": 1}, left)
			f.in.Teardown.Left = []evidence.Leftover{{Type: "namespaces", Name: "restore-test-shop", Detail: "finalizers [a.b/c]"}}
		}, evidence.L5, []evidence.FailureCode{evidence.TeardownIncomplete}, "a.b/c"},
		"nobody looked": {func(f *facts) { f.in.Teardown.Scan = nil }, evidence.L5, []evidence.FailureCode{evidence.TeardownIncomplete}, "not looked"},
		"kept":          {func(f *facts) { f.in.Teardown = contract.DrillTeardown{Kept: asked().Add(time.Hour)} }, evidence.L5, nil, ""},
		"kept unbroken": {func(f *facts) {
			f.in.Teardown, f.in.Control.Spared = contract.DrillTeardown{Kept: asked().Add(time.Hour)}, true
		}, evidence.L5, nil, "faults that would have broken it were not planted"},
		"fault missed": {func(f *facts) { f.in.Control.Faults[0].Detected = false }, evidence.L5, []evidence.FailureCode{evidence.ControlUndetected}, "not found"},
		"of a schedule": {func(f *facts) {
			f.in.Drill.Slot = &contract.DrillSlot{Schedule: "q", Due: asked(), Next: asked().Add(time.Hour), Missed: []contract.MissedSlot{{Due: asked().Add(-time.Hour), Reason: "no worker"}}}
		}, evidence.L5, nil, "no worker"},
		"gets out": {func(f *facts) {
			f.in.Reading = &contract.DrillReading{Volumes: contract.DrillCheck{Checked: 1, Good: 1}, Tried: 2, Reached: 1}
		}, evidence.L5, []evidence.FailureCode{evidence.IsolationBroken}, "1 of 2 pods of the copy that tried have reached the API server, which its"},
		"gets out, which is taken": {func(f *facts) {
			f.in.Reading = &contract.DrillReading{Volumes: contract.DrillCheck{Checked: 1, Good: 1}, Tried: 2, Reached: 2}
			f.in.Drill.Spec.Network.AllowOpen = true
		}, evidence.L5, nil, "pods of the copy could reach everything"},
		"does not get out": {func(f *facts) {
			f.in.Reading = &contract.DrillReading{Volumes: contract.DrillCheck{Checked: 1, Good: 1}, Tried: 2}
		}, evidence.L5, nil, "was tried with one connection of each pod"},
		"did not try":      {func(f *facts) { f.in.Reading = nil }, evidence.L5, nil, "enforces network policies was not tried"},
		"clock of another": {func(f *facts) { f.backup.Status.StartTimestamp.Time = asked().Add(time.Hour) }, evidence.L5, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := passed()
			tc.change(f)
			s := f.statement()
			key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
			file, err := evidence.Sign(s, key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := evidence.Verify(file, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}); err != nil {
				t.Error(err)
			}
			var codes []evidence.FailureCode
			for _, f := range s.Predicate.Claim.Failures {
				codes = append(codes, f.Code)
			}
			if s.Predicate.Claim.Level != tc.level || !slices.Equal(codes, tc.failures) {
				t.Errorf("level %s, failures %q; want %s, %q", s.Predicate.Claim.Level, codes, tc.level, tc.failures)
			}
			if text := strings.Join(textsOf(s), "\n"); !strings.Contains(text, tc.says) {
				t.Errorf("does not say %q:\n%s", tc.says, text)
			}
		})
	}
}

// TestUnawaited: what nobody waited for is told as not tried, without a time, and speaks against nothing;
// what was found broken, or ready at once, is told all the same.
func TestUnawaited(t *testing.T) {
	notReady := contract.DrillCheck{Checked: 1, Detail: "not there yet"}
	for name, tc := range map[string]struct {
		ready   contract.DrillReady
		reading *contract.DrillReading
		l3, l4  evidence.LevelOutcome
		timed   bool // a time to readiness is told
	}{
		"nothing yet":      {contract.DrillReady{Workloads: notReady, Volumes: notReady}, nil, evidence.LevelNotTried, evidence.LevelNotTried, false},
		"ready at once":    {contract.DrillReady{Workloads: contract.DrillCheck{Checked: 1, Good: 1}}, nil, evidence.LevelProven, evidence.LevelProven, true},
		"data is read":     {contract.DrillReady{Workloads: notReady}, &contract.DrillReading{Data: 1, Through: 1, Volumes: notReady}, evidence.LevelNotTried, evidence.LevelNotTried, false},
		"cannot be read":   {contract.DrillReady{Workloads: notReady}, &contract.DrillReading{Data: 1, Volumes: notReady}, evidence.LevelFailed, evidence.LevelNotTried, false},
		"without volumes":  {contract.DrillReady{Workloads: notReady}, &contract.DrillReading{}, evidence.LevelProven, evidence.LevelNotTried, false},
		"volumes not read": {contract.DrillReady{Workloads: notReady, Volumes: notReady}, &contract.DrillReading{Volumes: notReady}, evidence.LevelNotTried, evidence.LevelNotTried, false},
	} {
		f := passed()
		f.in.Unawaited, f.in.Ready, f.in.Reading = true, &tc.ready, tc.reading
		f.in.Assertions, f.in.Drill.Spec = nil, definition.Spec{Targets: definition.Targets{Level: "L2"}}
		p := f.statement().Predicate
		if _, err := evidence.Sign(f.statement(), ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := p.Claim.Levels; p.Claim.Verdict != evidence.Passed || got[3].Outcome != tc.l3 || got[4].Outcome != tc.l4 || (p.Measured.RTO.Ready > 0) != tc.timed {
			t.Errorf("%s: %+v, ready after %d ms", name, p.Claim, p.Measured.RTO.Ready)
		}
	}
}

// textsOf is what a person reads of levels, failures and limits.
func textsOf(s evidence.Statement) (out []string) {
	for _, l := range s.Predicate.Claim.Levels {
		out = append(out, l.Detail)
	}
	for _, f := range s.Predicate.Claim.Failures {
		out = append(out, f.Detail)
	}
	for _, n := range s.Predicate.NotShown {
		out = append(out, n.Text)
	}
	for _, m := range s.Predicate.Chain.Missed {
		out = append(out, m.Reason)
	}
	return out
}

// TestChain: drills follow each other by digest, and each repeats the figures of 40 before it.
func TestChain(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	var all []evidence.Evidence
	var last *drills.File
	for n := range 43 {
		f := passed()
		f.last = last
		file, err := evidence.Sign(f.statement(), key)
		if err != nil {
			t.Fatalf("drill %d: %v", n+1, err)
		}
		e, err := evidence.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		last = &drills.File{Evidence: e}
		all = append(all, e)
	}
	if gaps := evidence.CheckChain(all, asked()); len(gaps) > 0 {
		t.Errorf("%+v", gaps)
	}
	if p := all[42].Statement.Predicate; p.Chain.Sequence != 43 || len(p.Past) != 40 || p.Past[39].RTO != 50_000 {
		t.Errorf("%+v, %d past", p.Chain, len(p.Past))
	}
}
