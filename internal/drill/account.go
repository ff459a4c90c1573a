package drill

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/drill/readiness"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/apply"
	"github.com/lifeboat-backup/lifeboat/internal/restore/comparison"
)

// accountFile has the account in the staging of the restore.
const accountFile = "drill-account.json"

// Codes of objects that did not come back, beside those of a restore.
const (
	codeNotSelected  = "NOT_SELECTED"
	codeLost         = "OBJECT_LOST"
	codeDiffers      = "OBJECT_DIFFERS"
	codeByController = "LEFT_TO_CONTROLLER"
)

// Ids of rules by which objects are changed on purpose, beside those of isolation.
const (
	ruleRestore    = "restore-rule"
	ruleAPIServer  = "api-server"
	ruleController = "controller"
)

func ruleTexts() map[string]string {
	texts := map[string]string{
		ruleRestore:    "what a restore changes of objects of the kind in any cluster (docs/VELERO.md), such as addresses that the cluster assigns",
		ruleAPIServer:  "a default of the API server's, or what it has assigned in place of what a restore leaves to it",
		ruleController: "a controller of the cluster has set the field since the object was created, by its managed fields",
	}
	for _, r := range isolation.AllRules() {
		texts[r.Code] = r.Text
	}
	return texts
}

// Account accounts for every object of the backup, and stages the account. It may repeat.
func (s *Service) Account(ctx context.Context, p *heartbeat.Recorder, in contract.CheckDrillInput) (contract.DrillObjects, error) {
	j, err := s.newJudgement(ctx, in.Ref)
	if err != nil {
		return contract.DrillObjects{}, err
	}
	if err := j.addObjects(ctx, p); err != nil {
		return contract.DrillObjects{}, fmt.Errorf("account for the objects: %w", err)
	}
	return j.account.Counts, j.run.Stage.Put(ctx, accountFile, j.account.finish())
}

// judgement holds objects of the backup against the copy.
type judgement struct {
	service  *Service
	run      *restore.Run
	wanted   *apply.Wanted
	live     *comparison.Live
	outcomes comparison.Outcomes
	seen     map[archive.Key]bool
	account  *account
}

func (s *Service) newJudgement(ctx context.Context, ref contract.DrillRef) (*judgement, error) {
	run, err := s.copyOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	return s.judge(ctx, run)
}

// judge begins to hold the objects of a restore against the copy.
func (s *Service) judge(ctx context.Context, run *restore.Run) (*judgement, error) {
	types, err := s.Kube.Discover(ctx)
	if err != nil {
		return nil, err
	}
	wanted, err := apply.NewWanted(ctx, s.Restore, run, types)
	if err != nil {
		return nil, err
	}
	j := &judgement{service: s, run: run, wanted: wanted, live: comparison.NewLiveInNamespaces(s.Kube, types), seen: map[archive.Key]bool{}, account: newAccount()}
	for v := range run.Plan.Volumes.All() {
		if v.Selected && v.Claim != "" && v.PV != "" && !v.HasData() {
			j.account.addEmptied(kube.Claims().Name, v.ClaimKey())
		}
	}
	j.outcomes, err = comparison.ReadOutcomes(ctx, run, func(report.Reason) {})
	return j, err
}

// addObjects accounts for all objects of the backup.
func (j *judgement) addObjects(ctx context.Context, p *heartbeat.Recorder) error {
	return j.run.Arc.Walk(ctx, 0, len(j.run.Arc.Members()), func(_ int, e archive.Entry, body []byte) error {
		p.Count(1, 0)
		return j.addObject(ctx, e, body)
	})
}

// addObject accounts for one object.
func (j *judgement) addObject(ctx context.Context, e archive.Entry, body []byte) error {
	key := e.Key
	key.Version = ""
	f, known := j.outcomes[key]
	code, text, isRule := f.Rule()
	switch {
	case j.seen[key]:
		j.account.addLost(e, "DUPLICATE_NAME", "the backup holds another object of this name", true)
		return nil
	case !known && !j.run.Includes(e.Resource, e.Namespace, e.Name):
		j.account.addUnselected(e)
		return nil
	}
	j.seen[key] = true
	j.account.Counts.Selected++
	if isWorkload(e.Resource, body) {
		j.account.Workloads++
	}
	switch {
	case !known:
		j.account.addLeft(e, string(report.NotRestorable), "objects of this type are not restored")
	case f.Failed():
		j.account.addRefused(e, f)
	case isRule:
		if rule, why, ok := strings.Cut(text, ": "); ok && string(code) == apply.DryRunOnly {
			j.account.Counts.Accepted++
			code, text = report.Code(rule), why+" (the API server would take it)"
		} else if ok && string(code) == apply.LeftOut {
			code, text = report.Code(rule), why
		}
		j.account.addLeft(e, string(code), text)
	default:
		return j.compare(ctx, e, body, f)
	}
	return nil
}

// isWorkload says that an object is a pod that is to run, or a controller of such pods. Those of Jobs end.
func isWorkload(gr string, body []byte) bool {
	switch gr {
	case "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "replicationcontrollers":
		return true
	case "pods":
		var pod corev1.Pod
		if json.Unmarshal(body, &pod) != nil {
			return false
		}
		owner := metav1.GetControllerOf(&pod)
		hasEnded := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		return !hasEnded && (owner == nil || !readiness.IsJob(owner.APIVersion, owner.Kind))
	}
	return false
}

// compare compares an object that was created, or found in its place.
func (j *judgement) compare(ctx context.Context, e archive.Entry, body []byte, f comparison.Outcome) error {
	found, err := j.differences(ctx, e, body)
	if err != nil {
		return err
	}
	if found.emptyVolume {
		j.account.addEmptied(e.Resource, e.Object())
	}
	switch {
	case found.lost && f.Owned:
		j.account.addLeft(e, codeByController, "its controller, which is restored, has taken it away or made another in its place")
	case found.lost:
		j.account.addDifferent(e, codeLost, "was restored, and is not there")
	case len(found.unwanted) > 0:
		j.account.addDifferent(e, codeDiffers, "differs from the backup in "+strings.Join(found.unwanted, ", "))
	default:
		j.account.addRestored(e, found.rules)
		j.account.addChanges(e, found.changes)
	}
	return nil
}

// findings is how a restored object differs from the one in the backup.
type findings struct {
	lost     bool
	unwanted []string // fields that nobody was to change
	rules    []string // ids of those by which others were changed, sorted
	changes  []isolation.Change
	// emptyVolume says that it has an empty volume in the place of data.
	emptyVolume bool
}

func (j *judgement) differences(ctx context.Context, e archive.Entry, body []byte) (findings, error) {
	wanted, isolated, err := j.wanted.Isolated(e, body)
	if err != nil {
		return findings{}, err
	}
	live, err := j.live.Take(ctx, j.placeOf(e, wanted))
	if err != nil {
		return findings{}, err
	}
	if live == nil || wanted == nil {
		return findings{lost: true}, nil
	}
	var stored map[string]any
	if err := json.Unmarshal(body, &stored); err != nil {
		return findings{}, fmt.Errorf("read %s: %w", e.Key, err)
	}
	out := findings{changes: isolated.Changes, emptyVolume: isolated.EmptyVolume}
	j.normalise(e, stored, wanted, live)
	equal := j.service.Restore.Rules.Equal(e.Resource, live, wanted)
	onPurpose, unwanted := comparison.Differences(e.Resource, stored, wanted, live)
	rules := map[string]bool{}
	for _, field := range unwanted {
		switch {
		case equal:
			rules[ruleRestore] = true
		case comparison.SetByOthers(live, field, resource.FieldManager):
			rules[ruleController] = true
		default:
			out.unwanted = append(out.unwanted, field)
		}
	}
	addRules(rules, onPurpose, isolated.Changes)
	out.rules = slices.Sorted(maps.Keys(rules))
	return out, nil
}

// addRules adds the rules that explain fields that differ on purpose.
func addRules(rules map[string]bool, onPurpose []contract.RehearsalChange, isolated []isolation.Change) {
	for _, c := range isolated {
		rules[c.Rule] = true
	}
	for _, c := range onPurpose {
		byIsolation := slices.ContainsFunc(isolated, func(i isolation.Change) bool { return comparison.FieldOf(i.Field) == c.Field })
		switch {
		case c.By == comparison.ByAPIServer:
			rules[ruleAPIServer] = true
		case !byIsolation:
			rules[ruleRestore] = true
		}
	}
}

// placeOf is where an object is in the copy.
func (j *judgement) placeOf(e archive.Entry, wanted map[string]any) archive.Key {
	key := e.Key
	key.Namespace = j.run.Plan.Filter.TargetNamespace(e.Namespace)
	meta, _ := wanted["metadata"].(map[string]any)
	if name := resource.StringOf(meta["name"]); name != "" {
		key.Name = name
	}
	return key
}

// normalise takes out what makes a copy a copy: the names of its namespaces, which the evidence
// tells once, and the labels of the drill.
func (j *judgement) normalise(e archive.Entry, stored, wanted, live map[string]any) {
	meta, _ := stored["metadata"].(map[string]any)
	if meta != nil && e.Namespace != "" {
		meta["namespace"] = j.run.Plan.Filter.TargetNamespace(e.Namespace)
	}
	if meta != nil && e.Resource == "namespaces" {
		meta["name"] = j.run.Plan.Filter.TargetNamespace(e.Name)
	}
	for _, obj := range []map[string]any{wanted, live} {
		labels := resourceLabels(obj)
		delete(labels, contract.DrillLabel)
		delete(labels, contract.DrillClusterLabel)
	}
}

func resourceLabels(obj map[string]any) map[string]any {
	meta, _ := obj["metadata"].(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	return labels
}

// namedObjects bounds how many objects of a group are named.
const namedObjects = 20

// account is every object of the backup, by type. It is staged between the activities.
type account struct {
	Counts      contract.DrillObjects          `json:"counts"`
	Kinds       map[string]*evidence.KindCount `json:"kinds"`
	Rules       map[string]bool                `json:"rules,omitempty"`
	Neutralised []evidence.Neutralised         `json:"neutralised,omitempty"`
	Sample      *archive.Key                   `json:"sample,omitempty"` // an object that came back
	// Workloads are the pods, and controllers of pods, that the drill restores.
	Workloads int `json:"workloads,omitempty"`
	// Emptied are claims and pods that got an empty volume in the place of data.
	Emptied []string `json:"emptied,omitempty"`
}

func newAccount() *account {
	return &account{Kinds: map[string]*evidence.KindCount{}, Rules: map[string]bool{}}
}

func (a *account) kind(e archive.Entry) *evidence.KindCount {
	a.Counts.Total++
	k := a.Kinds[e.Resource]
	if k == nil {
		k = &evidence.KindCount{Resource: e.Resource}
		a.Kinds[e.Resource] = k
	}
	k.Total++
	return k
}

// addLost notes an object that is not in the copy, in the group of its code.
func (a *account) addLost(e archive.Entry, code, detail string, planned bool) {
	k := a.kind(e)
	i := slices.IndexFunc(k.NotRestored, func(g evidence.LostGroup) bool { return g.Code == code && g.Planned == planned })
	if i < 0 {
		k.NotRestored = append(k.NotRestored, evidence.LostGroup{Code: code, Detail: evidence.Text(detail), Planned: planned})
		i = len(k.NotRestored) - 1
	}
	g := &k.NotRestored[i]
	g.Count++
	if len(g.Objects) < namedObjects && code != codeNotSelected {
		g.Objects = append(g.Objects, e.Object())
	}
}

func (a *account) addUnselected(e archive.Entry) {
	a.addLost(e, codeNotSelected, "is not among the namespaces and types that the drill restores", true)
}

func (a *account) addLeft(e archive.Entry, code, detail string) {
	a.Counts.Left++
	a.addLost(e, code, detail, true)
}

func (a *account) addRefused(e archive.Entry, f comparison.Outcome) {
	a.Counts.Refused++
	code, detail := report.ApplyFailed, "was refused"
	if len(f.Reasons) > 0 {
		code, detail = f.Reasons[0].Code, f.Reasons[0].Message
	}
	a.addLost(e, string(code), detail, false)
}

func (a *account) addDifferent(e archive.Entry, code, detail string) {
	a.Counts.Different++
	a.addLost(e, code, detail, false)
}

// addEmptied notes a claim or pod that got an empty volume in the place of data, once: both the plan of the
// volumes and the object itself tell of a claim.
func (a *account) addEmptied(gr, object string) {
	kind := map[string]string{kube.Claims().Name: "claim", kube.Pods().Name: "pod"}[gr]
	if name := cmp.Or(kind, gr) + " " + object; !slices.Contains(a.Emptied, name) {
		a.Emptied = append(a.Emptied, name)
	}
}

// addRestored notes an object that is in the copy, changed by these rules.
func (a *account) addRestored(e archive.Entry, rules []string) {
	k := a.kind(e)
	a.offerSample(e)
	if len(rules) == 0 {
		a.Counts.Equal++
		k.Equal++
		return
	}
	a.Counts.Changed++
	i := slices.IndexFunc(k.Changed, func(g evidence.ChangedGroup) bool { return slices.Equal(g.Rules, rules) })
	if i < 0 {
		k.Changed = append(k.Changed, evidence.ChangedGroup{Rules: rules})
		i = len(k.Changed) - 1
	}
	g := &k.Changed[i]
	g.Count++
	if len(g.Objects) < namedObjects {
		g.Objects = append(g.Objects, e.Object())
	}
	for _, id := range rules {
		a.Rules[id] = true
	}
}

// offerSample keeps an object that can be taken out of the copy to see whether that is found: one
// that no controller makes again, as it does a namespace's own account.
func (a *account) offerSample(e archive.Entry) {
	preferred := func(gr string) int {
		return slices.Index([]string{"services", "serviceaccounts", "secrets", "configmaps"}, gr)
	}
	if preferred(e.Resource) < 0 || e.Resource == "serviceaccounts" && e.Name == "default" {
		return
	}
	if a.Sample == nil || preferred(e.Resource) > preferred(a.Sample.Resource) {
		key := e.Key
		a.Sample = &key
	}
}

// neutralisedNamed bounds how many fields are told one by one; the rules count all objects.
const neutralisedNamed = 2000

func (a *account) addChanges(e archive.Entry, changes []isolation.Change) {
	for _, c := range changes {
		if len(a.Neutralised) < neutralisedNamed {
			a.Neutralised = append(a.Neutralised, evidence.Neutralised{
				Rule: c.Rule, Resource: e.Resource, Object: e.Object(), Field: c.Field, Before: evidence.Text(c.Before), After: evidence.Text(c.After),
			})
		}
	}
}

// finish sorts the groups, so that the same objects give the same account.
func (a *account) finish() *account {
	for _, k := range a.Kinds {
		slices.SortFunc(k.Changed, func(x, y evidence.ChangedGroup) int { return slices.Compare(x.Rules, y.Rules) })
		slices.SortFunc(k.NotRestored, func(x, y evidence.LostGroup) int { return strings.Compare(x.Code, y.Code) })
	}
	return a
}
