package drill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// statement says what the drill has found. What follows from other fields is computed from them,
// as readers do.
func (f *facts) statement() evidence.Statement {
	snapshots, subjects := f.snapshots()
	p := evidence.Predicate{
		Drill: evidence.Drill{
			ID: f.in.Plan.ID, Name: f.in.Drill.Name, Kind: evidence.KindDrill, Workflow: f.in.Run.WorkflowID, Run: f.in.Run.RunID,
			Software: cmp.Or(f.software, unknown), Asked: evidence.MomentOf(f.in.Asked), Finished: evidence.MomentOf(f.in.Finished),
		},
		Objective: f.objective(),
		Source:    evidence.Source{Cluster: f.source, Backup: f.backupFacts(), Snapshots: snapshots},
		Target:    evidence.Target{Cluster: f.target, Provider: "cluster", Namespaces: f.namespaces()},
		Objects:   f.objectFacts(),
		// Every assertion is told, also where the drill did not come to it.
		Assertions:      f.in.Assertions,
		Neutralised:     f.account.Neutralised,
		Isolation:       f.isolation(),
		Teardown:        f.teardown(),
		NegativeControl: f.control(),
		NotShown:        f.notShown(),
		Checklist:       f.checklist,
		Chain:           f.chain(),
		Past:            f.past(),
	}
	p.Measured = f.measured(snapshots)
	p.Source.Backup.Objects = p.Objects.Total
	p.Claim = f.claim(p)
	return evidence.Statement{
		Type: evidence.StatementType, PredicateType: evidence.PredicateType, Subject: append([]evidence.Subject{f.manifest}, subjects...), Predicate: p,
	}
}

// apiServer is what pods of a copy try to reach where the drill names no other address.
const apiServer = "the API server"

// isolation is what pods of the copy have found that tried to leave it.
func (f *facts) isolation() *evidence.Isolation {
	i := &evidence.Isolation{
		Policy:   "a NetworkPolicy in each namespace of the copy lets its pods reach each other and the cluster's DNS, and nothing else",
		Accepted: f.in.Drill.Spec.Network.AllowOpen,
	}
	if r := f.in.Reading; r != nil && r.Tried > 0 {
		i.Outside, i.Tried, i.Reached = cmp.Or(f.in.Drill.Spec.Network.Outside, apiServer), evidence.Count(r.Tried), evidence.Count(r.Reached)
	}
	return i
}

// enforcement is whether the network holds pods to the policy, so far as it was tried.
func (f *facts) enforcement() isolation.Enforcement {
	switch i := f.isolation(); {
	case i.Reached > 0:
		return isolation.NotEnforced
	case i.Tried > 0:
		return isolation.Enforced
	}
	return isolation.EnforcementUnknown
}

func (f *facts) objective() evidence.Objective {
	spec := f.in.Drill.Spec
	return evidence.Objective{
		Level: evidence.Level(spec.LeastLevel()), RTO: evidence.MillisOf(spec.Targets.RTO.Duration), RPO: evidence.MillisOf(spec.Targets.RPO.Duration),
	}
}

func (f *facts) backupFacts() evidence.Backup {
	return evidence.Backup{
		Name: f.backup.Name, UID: cmp.Or(string(f.backup.UID), unknown), Location: f.in.Plan.Location, Manifest: f.manifest.Name,
		Bytes: evidence.Count(f.size), Started: f.newest(),
	}
}

func (f *facts) namespaces() (all []evidence.NamespaceMapping) {
	mapping := f.in.Plan.Restore.Spec.NamespaceMapping
	for _, from := range slices.Sorted(maps.Keys(mapping)) {
		all = append(all, evidence.NamespaceMapping{From: from, To: mapping[from]})
	}
	return all
}

// objectFacts adds the account up. Where the drill did not come to it, every object that the
// manifest counts did not come back.
func (f *facts) objectFacts() evidence.Objects {
	var o evidence.Objects
	for _, gr := range slices.Sorted(maps.Keys(f.account.Kinds)) {
		k := *f.account.Kinds[gr]
		o.Kinds = append(o.Kinds, k)
		o.Total += k.Total
		o.Equal += k.Equal
		o.Changed += k.ChangedCount()
		o.NotRestored += k.NotRestoredCount()
	}
	if n := evidence.Count(f.objects); f.in.Objects == nil && n > 0 {
		o.Total, o.NotRestored = n, n
		o.Kinds = []evidence.KindCount{{Resource: "*", Total: n, NotRestored: []evidence.LostGroup{{
			Code: "NOT_REACHED", Detail: "the drill ended before objects were looked at", Count: n,
		}}}}
	}
	texts := ruleTexts()
	for _, id := range slices.Sorted(maps.Keys(f.account.Rules)) {
		o.Rules = append(o.Rules, evidence.Rule{ID: id, Text: cmp.Or(texts[id], "a rule of isolation")})
	}
	return o
}

func (f *facts) measured(snapshots []evidence.Snapshot) evidence.Measured {
	m := evidence.Measured{}
	if made, _ := f.disksMade(); made > 0 { // a storage class has a rate of its own
		m.InitializationRate = evidence.Count(f.in.Drill.Spec.VolumeInitializationRate)
	}
	for _, s := range snapshots {
		m.Bytes += s.Bytes
	}
	asked := evidence.MomentOf(f.in.Asked)
	var rto evidence.RTO
	for _, phase := range f.phases() {
		p := evidence.Phase{Name: evidence.PhaseName(phase.Name), Started: evidence.MomentOf(phase.Started), Finished: evidence.MomentOf(phase.Finished)}
		m.Phases = append(m.Phases, p)
		switch took := p.Finished.Since(asked); p.Name {
		case evidence.PhaseReadThrough:
			rto.ReadThrough = took
			continue
		case evidence.PhaseReady:
			rto.Ready = took
			rto.Proven = max(rto.Proven, took)
		default:
			rto.Proven = max(rto.Proven, took)
		}
	}
	if len(m.Phases) > 0 {
		m.RTO = &rto
	}
	m.RPO = evidence.RPO{Newest: f.newest(), Age: asked.Since(f.newest()), WorstGap: evidence.MillisOf(f.worstGap), GoodBackups: evidence.Count(f.goodBackups)}
	return m
}

// phases are those that have come to their end: where workloads did not become ready, there is no time in
// which they were, however long they were waited for.
func (f *facts) phases() []contract.DrillPhase {
	if f.in.Ready == nil || f.in.Ready.Done() {
		return f.in.Phases
	}
	return slices.DeleteFunc(slices.Clone(f.in.Phases), func(p contract.DrillPhase) bool { return evidence.PhaseName(p.Name) == evidence.PhaseReady })
}

func (f *facts) teardown() evidence.Teardown {
	in := f.in.Teardown
	t := evidence.Teardown{Outcome: evidence.TeardownComplete, Started: evidence.MomentOf(in.Started), Finished: evidence.MomentOf(in.Finished), LeakScan: in.Scan, Left: in.Left}
	left := len(in.Left) > 0 || slices.ContainsFunc(in.Scan, func(l evidence.Leak) bool { return l.Found > 0 })
	switch {
	case !in.Kept.IsZero():
		t = evidence.Teardown{Outcome: evidence.TeardownKept, KeptUntil: evidence.MomentOf(in.Kept)}
	case left || len(in.Scan) == 0:
		t.Outcome = evidence.TeardownPartial
	}
	return t
}

func (f *facts) control() evidence.NegativeControl {
	c := evidence.NegativeControl{Outcome: evidence.ControlDetected, Faults: f.in.Control.Faults}
	switch {
	case len(c.Faults) == 0:
		c.Outcome, c.Detail = evidence.ControlNotTried, "the drill ended before faults were planted"
	case slices.ContainsFunc(c.Faults, func(f evidence.Fault) bool { return !f.Detected }):
		c.Outcome = evidence.ControlMissed
	}
	return c
}

func (f *facts) chain() evidence.Chain {
	c := evidence.Chain{Name: f.cluster, Sequence: 1}
	if f.last != nil {
		c.Sequence, c.Previous = f.last.Evidence.Statement.Predicate.Chain.Sequence+1, f.last.Evidence.Digest
	}
	if slot := f.in.Drill.Slot; slot != nil {
		c.Schedule, c.Slot, c.NextSlot = slot.Schedule, evidence.MomentOf(slot.Due), evidence.MomentOf(slot.Next)
		for _, m := range slot.Missed {
			c.Missed = append(c.Missed, evidence.MissedSlot{Slot: evidence.MomentOf(m.Due), Reason: evidence.Text(m.Reason)})
		}
	}
	return c
}

// pastTold is how many drills before it a drill repeats the figures of.
const pastTold = 40

func (f *facts) past() []evidence.Past {
	if f.last == nil {
		return nil
	}
	p := f.last.Evidence.Statement.Predicate
	before := evidence.Past{
		Sequence: p.Chain.Sequence, Evidence: f.last.Evidence.Digest, Asked: p.Drill.Asked, Verdict: p.Claim.Verdict, Level: p.Claim.Level, RTO: p.TimeToProof(), RPO: p.Measured.RPO.Worst(),
	}
	all := append(slices.Clone(p.Past), before)
	return all[max(0, len(all)-pastTold):]
}

// claim is what follows from all else.
func (f *facts) claim(p evidence.Predicate) evidence.Claim {
	c := evidence.Claim{Level: evidence.LevelNone, Verdict: evidence.Passed, Levels: f.levels(p)}
	for i, l := range c.Levels {
		if l.Outcome == evidence.LevelProven && c.Level.Rank() == i {
			c.Level = l.Level
		}
	}
	p.Claim = c
	for _, code := range p.FailureCodes() {
		c.Failures = append(c.Failures, evidence.Failure{Code: code, Detail: evidence.Text(f.failureText(code, p))})
	}
	if f.in.Aborted != "" {
		c.Failures = append(c.Failures, evidence.Failure{Code: evidence.Aborted, Detail: evidence.Text(f.in.Aborted)})
	}
	if len(c.Failures) > 0 {
		c.Verdict = evidence.Failed
	}
	return c
}

// failureText is what a person reads of a failure.
func (f *facts) failureText(code evidence.FailureCode, p evidence.Predicate) string {
	switch code {
	case evidence.LevelMissed:
		text := fmt.Sprintf("%s was proven, %s is wanted", p.Claim.Level, p.Objective.Level)
		if l := p.Claim.Levels[min(p.Claim.Level.Rank(), len(p.Claim.Levels)-1)]; l.Detail != "" {
			text += fmt.Sprintf("; %s: %s", l.Level, l.Detail)
		}
		return text
	case evidence.RTOExceeded:
		if p.Measured.RTO == nil {
			return "nothing was restored"
		}
		return fmt.Sprintf("it took %s, %s is wanted", p.Measured.RTO.Proven.Duration(), p.Objective.RTO.Duration())
	case evidence.RPOExceeded:
		return fmt.Sprintf("data is up to %s old, %s is wanted", p.Measured.RPO.Worst().Duration(), p.Objective.RPO.Duration())
	case evidence.AssertionFailed:
		return textOfAssertions(p.Assertions)
	case evidence.ObjectsLost:
		return textOfLost(p.Objects)
	case evidence.IsolationBroken:
		return fmt.Sprintf("%d of %d pods of the copy that tried have reached %s, which its network policies deny: %s", p.Isolation.Reached, p.Isolation.Tried, p.Isolation.Outside, code.Remedy())
	case evidence.TeardownIncomplete:
		return textOfLeft(p.Teardown)
	case evidence.ControlUndetected:
		return cmp.Or(p.NegativeControl.Detail, "a planted fault was not found by the check that had to find it")
	default:
		return string(code)
	}
}

func textOfAssertions(all []evidence.Assertion) string {
	var out []string
	for _, a := range all {
		if a.Outcome != evidence.Held {
			out = append(out, strings.TrimSuffix(a.Name+": "+a.Detail, ": "))
		}
	}
	return strings.Join(out, "; ")
}

func textOfLost(o evidence.Objects) string {
	var out []string
	for _, k := range o.Kinds {
		for _, g := range k.NotRestored {
			if g.Planned {
				continue
			}
			name := k.Resource
			if len(g.Objects) > 0 {
				name += " " + g.Objects[0]
			}
			out = append(out, fmt.Sprintf("%s (%d): %s: %s", name, g.Count, g.Code, g.Detail))
		}
	}
	return strings.Join(out[:min(len(out), detailed)], "; ")
}

func textOfLeft(t evidence.Teardown) string {
	var out []string
	for _, l := range t.Left {
		out = append(out, fmt.Sprintf("%s %s: %s", l.Type, l.Name, l.Detail))
	}
	return cmp.Or(strings.Join(out[:min(len(out), detailed)], "; "), "it was not looked for what is left")
}

// detailed bounds how many are named that are not as they should be.
const detailed = 5

// levels are L0 to L5, each by what was looked at.
func (f *facts) levels(p evidence.Predicate) []evidence.LevelResult {
	l3, l4 := f.readyLevels()
	return []evidence.LevelResult{f.bytesLevel(), f.acceptedLevel(), f.equalLevel(), l3, l4, f.assertionLevel(p)}
}

func notTried(l evidence.Level) evidence.LevelResult {
	return evidence.LevelResult{Level: l, Outcome: evidence.LevelNotTried, Detail: "the drill did not come to it"}
}

// levelOf is proven if all that was looked at is good.
func levelOf(l evidence.Level, checked, good int64, detail string) evidence.LevelResult {
	r := evidence.LevelResult{Level: l, Outcome: evidence.LevelProven, Checked: evidence.Count(checked), Good: evidence.Count(good), Detail: evidence.Text(detail)}
	if good < checked {
		r.Outcome = evidence.LevelFailed
	}
	return r
}

func (f *facts) bytesLevel() evidence.LevelResult {
	b := f.in.Bytes
	switch {
	case b == nil:
		return notTried(evidence.L0)
	case b.Damage != "":
		return levelOf(evidence.L0, int64(max(b.Files, 1)), int64(max(b.Files, 1)-1), b.Damage)
	case b.Foreign:
		return levelOf(evidence.L0, 1, 1, "a backup that Velero made has no manifest: its tarball was read to its end, and its checksum agrees")
	}
	return levelOf(evidence.L0, int64(b.Files), int64(b.Files), "")
}

func (f *facts) acceptedLevel() evidence.LevelResult {
	o := f.in.Objects
	if o == nil {
		return notTried(evidence.L1)
	}
	tried := o.Equal + o.Changed + o.Different + o.Refused + o.Accepted
	return levelOf(evidence.L1, tried, tried-o.Refused, f.lostDetail(o.Refused))
}

func (f *facts) equalLevel() evidence.LevelResult {
	o := f.in.Objects
	if o == nil {
		return notTried(evidence.L2)
	}
	tried := o.Equal + o.Changed + o.Different + o.Refused
	return levelOf(evidence.L2, tried, o.Equal+o.Changed, f.lostDetail(o.Refused+o.Different))
}

func (f *facts) lostDetail(n int64) string {
	if n == 0 {
		return ""
	}
	return textOfLost(f.objectFacts())
}

func (f *facts) readyLevels() (l3, l4 evidence.LevelResult) {
	r := f.in.Ready
	if r == nil {
		return notTried(evidence.L3), notTried(evidence.L4)
	}
	volumes := r.Volumes
	if f.in.Reading != nil {
		volumes = f.in.Reading.Volumes
	}
	detail := volumes.Detail
	if volumes.Checked == 0 {
		detail = "no pod of the copy mounts a volume, and none has data of the backup"
	}
	l3 = levelOf(evidence.L3, int64(volumes.Checked), int64(volumes.Good), detail)
	l4 = levelOf(evidence.L4, int64(r.Workloads.Checked), int64(r.Workloads.Good), r.Workloads.Detail)
	if !f.in.Unawaited {
		return l3, l4
	}
	if reading := f.in.Reading; reading == nil || reading.Through == reading.Data { // else something was found that no waiting mends
		l3 = unlessProven(l3)
	}
	return l3, unlessProven(l4)
}

// unlessProven is for a level that nobody waited for: what is not there yet speaks against nothing.
func unlessProven(l evidence.LevelResult) evidence.LevelResult {
	if l.Outcome == evidence.LevelProven {
		return l
	}
	return evidence.LevelResult{Level: l.Level, Outcome: evidence.LevelNotTried, Detail: "no more than L2 is asked for, so nobody waited for it: " + l.Detail}
}

func (f *facts) assertionLevel(p evidence.Predicate) evidence.LevelResult {
	held := int64(0)
	for _, a := range p.Assertions {
		if a.Outcome == evidence.Held {
			held++
		}
	}
	switch {
	case len(p.Assertions) == 0:
		return evidence.LevelResult{Level: evidence.L5, Outcome: evidence.LevelNotTried, Detail: evidence.Text(joinTexts("the drill has no assertions", f.emptiedText()))}
	case f.in.Ready == nil:
		return notTried(evidence.L5)
	}
	detail := joinTexts(textOfAssertions(unheld(p.Assertions)), f.emptiedText())
	return levelOf(evidence.L5, int64(len(p.Assertions)+len(f.account.Emptied)), held, detail)
}

// emptiedText names volumes of which the copy has no data, "" if there are none: no more than L4 can be
// proven then.
func (f *facts) emptiedText() string {
	all := f.account.Emptied
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("the data of %d volumes is not in the copy, which got empty ones: %s", len(all), strings.Join(all[:min(len(all), detailed)], ", "))
}

func joinTexts(a, b string) string { return strings.Trim(a+"; "+b, "; ") }

func unheld(all []evidence.Assertion) (out []evidence.Assertion) {
	for _, a := range all {
		if a.Outcome != evidence.Held {
			out = append(out, a)
		}
	}
	return out
}

// disksMade is how many volumes with data the drill made itself, and how many storage classes did.
func (f *facts) disksMade() (own, byClass int) {
	if f.run == nil {
		return 0, 0
	}
	own = f.run.Plan.Volumes.Count((*volume.Restore).NeedsDisk)
	return own, f.run.Plan.Volumes.Count((*volume.Restore).IsFilled)
}

// unreadText says what of the volumes was not read.
func (f *facts) unreadText() string {
	switch r := f.in.Reading; {
	case r == nil:
		return "the volumes were not read through: volumes that are made of snapshots load when they are read"
	case r.Data == 0:
		return "no volume has data of the backup that could be read through"
	case r.Through < r.Data:
		return fmt.Sprintf("%d of %d volumes with data of the backup were read through; volumes that are made of snapshots load when they are read: %s", r.Through, r.Data, r.Unread)
	default:
		return fmt.Sprintf("%d files of %d volumes (%d bytes) were read from one end to the other; what lies between files was not", r.Files, r.Data, r.Bytes)
	}
}

// notShown is what nobody may conclude from the drill.
func (f *facts) notShown() []evidence.NotShown {
	all := []evidence.NotShown{
		{Topic: "external systems", Text: "what the application reaches outside of its namespaces is not reached from the copy; only a real failover shows that"},
		{Topic: "volumes read through", Text: f.unreadText()},
	}
	for _, l := range isolation.NotShown(f.enforcement()) {
		all = append(all, evidence.NotShown{Topic: l.Topic, Text: l.Text})
	}
	if f.source.Name == f.target.Name {
		all = append(all, evidence.NotShown{Topic: "other clusters", Text: "the copy was made in the cluster of origin, which had its storage classes, definitions and images"})
	}
	if f.in.Bytes != nil && f.in.Bytes.Foreign {
		all = append(all, evidence.NotShown{Topic: "digests", Text: "the backup has no manifest to hold its bytes against"})
	}
	if _, byClass := f.disksMade(); byClass > 0 && f.in.Drill.Spec.VolumeInitializationRate > 0 {
		all = append(all, evidence.NotShown{Topic: "volume initialization rate", Text: fmt.Sprintf("%d volumes were made by storage classes, which say themselves how fast EBS loads them", byClass)})
	}
	if f.in.Control.Spared {
		all = append(all, evidence.NotShown{Topic: "negative control", Text: "the copy is kept: faults that would have broken it were not planted, so that nothing shows that assertions, and the comparison of objects, can fail"})
	}
	if why := f.in.Teardown.Unlooked; why != "" {
		all = append(all, evidence.NotShown{Topic: "disks in EC2", Text: "EC2 was not asked whether volumes of the copy are left: " + why})
	}
	if o := f.in.Objects; o != nil && o.Left > 0 {
		all = append(all, evidence.NotShown{Topic: "objects not created", Text: fmt.Sprintf("%d objects are not in the copy; the account has each with its rule", o.Left)})
	}
	return all
}
