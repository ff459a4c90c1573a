package evidence

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"time"
)

// The keys of the tests are made of seeds that anybody can see.
func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func digest(text string) Digest { return DigestOf([]byte(text)) }

// at is a moment, in minutes after the bookstore's drill of the first quarter was asked for.
func at(minutes float64) Moment {
	return MomentOf(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(minutes * float64(time.Minute))))
}

// small is the least that a drill may say: nothing was restored but one object.
func small() Statement {
	cluster := Cluster{Name: "prod", UID: "4d0c", Kubernetes: "v1.37.2"}
	return Statement{
		Type:          StatementType,
		PredicateType: PredicateType,
		Subject:       []Subject{{"backups/b/b-lifeboat-manifest.json", DigestSet{digest("manifest")}}},
		Predicate: Predicate{
			Drill:     Drill{ID: "d-1", Name: "rehearsal-b", Kind: KindRehearsal, Software: "v0.9.0", Asked: at(0), Finished: at(1)},
			Claim:     Claim{Level: L2, Verdict: Passed, Levels: levelsTo(L2)},
			Objective: Objective{Level: L2},
			Source:    Source{Cluster: cluster, Backup: Backup{Name: "b", UID: "u-1", Location: "default", Manifest: "backups/b/b-lifeboat-manifest.json", Objects: 1, Bytes: 900, Started: at(-60)}},
			Target:    Target{Cluster: cluster, Provider: "processes"},
			Measured: Measured{
				Phases: []Phase{{PhaseRead, at(0), at(0.1)}, {PhaseObjects, at(0.1), at(0.5)}},
				RTO:    &RTO{Proven: 30_000},
				RPO:    RPO{Newest: at(-60), Age: 3_600_000, GoodBackups: 1},
			},
			Objects:         Objects{Total: 1, Equal: 1, Kinds: []KindCount{{Resource: "configmaps", Total: 1, Equal: 1}}},
			Teardown:        Teardown{Outcome: TeardownComplete, Started: at(0.5), Finished: at(0.6), LeakScan: []Leak{{Type: "processes", Made: 2}}},
			NegativeControl: NegativeControl{Outcome: ControlNotTried, Detail: "a rehearsal plants no fault"},
			NotShown:        []NotShown{{"volumes", "no volume was made of a snapshot"}},
			Chain:           Chain{Name: "prod/rehearsals", Sequence: 1},
		},
	}
}

func levelsTo(reached Level) []LevelResult {
	var out []LevelResult
	for _, l := range []Level{L0, L1, L2, L3, L4, L5} {
		if l.Rank() <= reached.Rank() {
			out = append(out, LevelResult{Level: l, Outcome: LevelProven, Checked: 3, Good: 3})
		} else {
			out = append(out, LevelResult{Level: l, Outcome: LevelNotTried, Detail: "not asked for"})
		}
	}
	return out
}

// full is a drill that uses every field.
func full() Statement {
	s := small()
	s.Subject = []Subject{
		{"backups/nightly/nightly-lifeboat-manifest.json", DigestSet{digest("manifest")}},
		{"backups/nightly/nightly-volumeinfo.json.gz#bookstore/data-postgres-0", DigestSet{digest("record")}},
	}
	p := &s.Predicate
	p.Drill = Drill{ID: "0e1b7a52", Name: "bookstore-quarterly", Kind: KindDrill, Workflow: "drill:prod:bookstore-quarterly", Run: "7f0d", Software: "v0.9.0", Asked: at(0), Finished: at(22)}
	p.Claim = Claim{Level: L5, Verdict: Passed, Levels: levelsTo(L5)}
	p.Objective = Objective{Level: L5, RTO: MillisOf(30 * time.Minute), RPO: MillisOf(26 * time.Hour)}
	p.Source.Backup = Backup{Name: "nightly", UID: "u-77", Location: "default", Manifest: s.Subject[0].Name, Objects: 312, Bytes: 4 << 20, Started: at(-180)}
	p.Source.Snapshots = []Snapshot{{Record: s.Subject[1].Name, Volume: "bookstore/data-postgres-0", Driver: "ebs.csi.aws.com", Handle: "snap-0a1b2c3d4e5f60718", Taken: at(-179), Bytes: 8 << 30}}
	p.Target = Target{Cluster: p.Source.Cluster, Provider: "cluster", Namespaces: []NamespaceMapping{{"bookstore", "restore-test-20260102"}}}
	p.Measured = Measured{
		Phases: []Phase{{PhaseRead, at(0), at(0.4)}, {PhaseVolumes, at(0.4), at(5.5)}, {PhaseObjects, at(0.5), at(6.25)}, {PhaseReady, at(6.25), at(11)}, {PhaseAssertions, at(11), at(11.5)}, {PhaseReadThrough, at(11.5), at(18)}},
		RTO:    &RTO{Proven: 690_000, Ready: 660_000, ReadThrough: 1_080_000},
		RPO:    RPO{Newest: at(-180), Age: 10_800_000, WorstGap: 87_000_000, GoodBackups: 91},
		Bytes:  8 << 30, InitializationRate: 100,
	}
	p.Objects = fullObjects()
	p.Neutralised = []Neutralised{
		{"cronjob-suspended", "cronjobs.batch", "bookstore/report", "spec.suspend", "false", "true"},
		{"host-removed", "ingresses.networking.k8s.io", "bookstore/web", "spec.rules[0].host", "books.example.com", "restore-test.invalid"},
		{"load-balancer-internal", "services", "bookstore/web", "spec.type", "LoadBalancer", "ClusterIP"},
	}
	p.Assertions = []Assertion{
		{Name: "orders", Type: "exec", Target: "bookstore/postgres-0", Operator: Equals, Recorded: "48211", Origin: "backup", RecordedAt: at(-179), Found: "48211", Outcome: Held, Attempts: 1, Took: 420},
		{Name: "front page", Type: "http", Target: "bookstore/services/web:80/", Operator: "matches", Recorded: "(?i)bookstore & <friends>", Origin: "user", Found: "HTTP 200\nBookstore & <friends>", Outcome: Held, Attempts: 3, Took: 95},
	}
	p.Isolation = &Isolation{Policy: "NetworkPolicy deny-all in each namespace of the copy", Outside: "db.production:5432", Tried: 2}
	p.Teardown = Teardown{Outcome: TeardownComplete, Started: at(18), Finished: at(20), LeakScan: []Leak{{Type: "namespaces", Made: 1}, {Type: "persistentvolumes", Made: 1}, {Type: "EBS volumes", Made: 1}}}
	p.NegativeControl = NegativeControl{Outcome: ControlDetected, Faults: []Fault{
		{"a row of the table orders deleted", "orders", true, "48210"},
		{"one bit of a tarball member flipped", "L0", true, "digest differs"},
	}}
	p.NotShown = []NotShown{
		{"external systems", "payments are not reached from the copy; only a real failover shows that part"},
		{"other clusters", "the copy was made in the cluster of origin"},
	}
	p.Checklist = []Check{
		{ID: "bucket-versioning", Question: "Does the bucket keep versions?", Answer: "yes", Found: "Enabled"},
		{ID: "second-region", Question: "Has a second Region copies?", Answer: "no", Remedy: "copy snapshots to a second Region"},
	}
	p.Chain = Chain{Name: "prod", Sequence: 1, Schedule: "quarterly", Slot: at(0), NextSlot: at(90 * 24 * 60)}
	return s
}

func fullObjects() Objects {
	return Objects{
		Total: 312, Equal: 304, Changed: 5, NotRestored: 3,
		Kinds: []KindCount{
			{Resource: "certificates.cert-manager.io", Total: 2, NotRestored: []LostGroup{{"DRY_RUN_ONLY", "custom resources are created only if their kind is on the allow list", true, 2, []string{"bookstore/web", "bookstore/api"}}}},
			{Resource: "configmaps", Total: 280, Equal: 280},
			{Resource: "cronjobs.batch", Total: 2, Equal: 1, Changed: []ChangedGroup{{[]string{"cronjob-suspended"}, 1, []string{"bookstore/report"}}}},
			{Resource: "events", Total: 1, NotRestored: []LostGroup{{"NOT_RESTORABLE", "events are of their time", true, 1, nil}}},
			{Resource: "ingresses.networking.k8s.io", Total: 1, Changed: []ChangedGroup{{[]string{"host-removed"}, 1, []string{"bookstore/web"}}}},
			{Resource: "secrets", Total: 20, Equal: 20},
			{Resource: "services", Total: 6, Equal: 3, Changed: []ChangedGroup{{[]string{"load-balancer-internal"}, 1, []string{"bookstore/web"}}, {[]string{"node-port-dropped"}, 2, nil}}},
		},
		Rules: []Rule{
			{"cronjob-suspended", "spec.suspend is true, so that no job of the copy acts"},
			{"host-removed", "host names are of the domain .invalid, so that nothing outside is taken over"},
			{"load-balancer-internal", "a Service of type LoadBalancer becomes ClusterIP"},
			{"node-port-dropped", "node ports are drawn anew, for the originals hold theirs"},
		},
	}
}

// failed is a drill in which most things went wrong.
func failed() Statement {
	s := full()
	p := &s.Predicate
	p.Claim.Level, p.Claim.Verdict = L1, Failed
	p.Claim.Levels = levelsTo(L1)
	p.Claim.Levels[2] = LevelResult{L2, LevelFailed, 312, 311, "secrets bookstore/db did not come back"}
	p.Objective.RTO, p.Objective.RPO = MillisOf(10*time.Minute), MillisOf(time.Hour)
	p.Objects.Equal, p.Objects.NotRestored = 303, 4
	p.Objects.Kinds[5] = KindCount{Resource: "secrets", Total: 20, Equal: 19, NotRestored: []LostGroup{{"QUOTA_EXCEEDED", "exceeded quota: objects", false, 1, []string{"bookstore/db"}}}}
	p.Assertions[0].Found, p.Assertions[0].Outcome, p.Assertions[0].Detail = "48210", Broken, "one row is missing"
	p.Assertions[1].Found, p.Assertions[1].Outcome, p.Assertions[1].Attempts = "", NotChecked, 0
	p.Isolation.Reached = 1
	p.Teardown.Outcome = TeardownPartial
	p.Teardown.LeakScan[0].Found = 1
	p.Teardown.Left = []Leftover{{"namespaces", "restore-test-20260102", "finalizer example.com/wait"}}
	p.NegativeControl.Outcome, p.NegativeControl.Faults[1].Detected = ControlMissed, false
	p.Claim.Failures = failuresOf(s, Aborted)
	return s
}

func failuresOf(s Statement, more ...FailureCode) []Failure {
	var out []Failure
	for _, code := range append(s.Predicate.FailureCodes(), more...) {
		out = append(out, Failure{code, fmt.Sprintf("see %s", code)})
	}
	return out
}

// withHistory is the twelfth drill of a chain in which some were slow and two failed.
func withHistory() Statement {
	s := full()
	p := &s.Predicate
	for i := range 11 {
		past := Past{
			Sequence: Count(i + 1), Evidence: digest(fmt.Sprint(i)), Asked: at(float64(i-11) * 90 * 24 * 60), Verdict: Passed, Level: L5,
			RTO: Millis(600_000 + i*i*i%7*120_000), RPO: Millis(86_400_000 + i*i%5*600_000),
		}
		switch i {
		case 4:
			past.Verdict, past.Level, past.RTO = Failed, L3, 2_400_000
		case 7:
			past.Verdict, past.Level, past.RPO = Failed, L5, 130_000_000
		}
		p.Past = append(p.Past, past)
	}
	p.Chain.Sequence, p.Chain.Previous = 12, p.Past[10].Evidence
	p.Chain.Missed = []MissedSlot{{at(-1), "another drill ran until then"}}
	return s
}
