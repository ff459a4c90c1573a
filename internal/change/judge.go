package change

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Policy says what is unusual.
type Policy struct {
	// Bounds take the place of the rules' own, by name. One below 0 switches its rule off.
	Bounds map[string]float64
	// Window is how many backups a measure's own range is taken from.
	Window int
}

// DefaultWindow is a month of nightly backups.
const DefaultWindow = 30

// Record is what was measured of a backup against the one before it.
type Record struct {
	Backup  string    `json:"backup"`
	UID     string    `json:"uid"`
	Started time.Time `json:"started"`
	// Measures are by rule; those that are 0 are left out. A backup with nothing before it has
	// none.
	Measures map[string]float64 `json:"measures,omitempty"`
	// Unusual are the rules that found the backup unusual.
	Unusual []string `json:"unusual,omitempty"`
	// Passing are the families of namespaces that were removed while they were young.
	Passing []string `json:"passing,omitempty"`
	// Held is the backup that is held because of that, by name and UID.
	Held    string `json:"held,omitempty"`
	HeldUID string `json:"heldUID,omitempty"`
}

// Series is what is remembered of the backups that can be compared with each other: those of a
// schedule, or those without one that have the same filters.
type Series struct {
	Schedule string   `json:"schedule,omitempty"`
	Records  []Record `json:"records"` // the oldest first
}

// keptRecords bounds a series, whatever the window.
const keptRecords = 400

// Last is the newest backup of the series but the one of that UID; nil if there is none.
func (s *Series) Last(exceptUID string) *Record {
	for i := len(s.Records) - 1; i >= 0; i-- {
		if s.Records[i].UID != exceptUID {
			return &s.Records[i]
		}
	}
	return nil
}

// Add remembers a backup, once.
func (s *Series) Add(r Record) {
	s.Records = slices.DeleteFunc(s.Records, func(old Record) bool { return old.UID == r.UID })
	s.Records = append(s.Records, r)
	slices.SortStableFunc(s.Records, func(a, b Record) int { return a.Started.Compare(b.Started) })
	s.Records = s.Records[max(0, len(s.Records)-keptRecords):]
}

// rangeOf is the greatest measure of a rule in the last backups. One that was found unusual
// counts once somebody has released what it held, for then it was meant.
func (s *Series) rangeOf(rule string, window int, isHeld func(Record) bool) (most float64) {
	for _, r := range s.Records[max(0, len(s.Records)-window):] {
		if len(r.Unusual) == 0 || !isHeld(r) {
			most = max(most, r.Measures[rule])
		}
	}
	return most
}

// passing counts the families of the namespaces that came and went in the last backups.
func (s *Series) passing(window int) map[string]int {
	out := map[string]int{}
	for _, r := range s.Records[max(0, len(s.Records)-window):] {
		for _, family := range r.Passing {
			out[family]++
		}
	}
	return out
}

// Judgement is what a backup's difference to the one before it amounts to.
type Judgement struct {
	Measures map[string]float64 `json:"measures,omitempty"`
	// Unusual are the rules that found it unusual, and Text says why, one a rule.
	Unusual []string `json:"unusual,omitempty"`
	Text    []string `json:"text,omitempty"`
	Passing []string `json:"passing,omitempty"` // as of a Record
}

// Judge measures a difference by all rules and holds it against their bounds and against the
// range of the series. isHeld tells whether what was held because of a record still is.
func Judge(ctx context.Context, d *Diff, r Reader, s *Series, p Policy, isHeld func(Record) bool) (Judgement, error) {
	j := Judgement{Measures: map[string]float64{}}
	r.passing = s.passing(p.Window)
	for _, rule := range rules() {
		bound, set := p.Bounds[rule.name]
		if !set {
			bound = rule.bound
		}
		if bound < 0 {
			continue
		}
		m, err := rule.measure(ctx, d, r)
		if err != nil {
			return j, fmt.Errorf("rule %s: %w", rule.name, err)
		}
		j.Passing = append(j.Passing, m.Passing...)
		if m.Value > 0 {
			j.Measures[rule.name] = m.Value
		}
		usual := 0.0
		if rule.isShare {
			usual = s.rangeOf(rule.name, p.Window, isHeld)
			bound = max(bound, min(1.5*usual, (1+usual)/2))
		}
		if m.Value > bound {
			j.Unusual = append(j.Unusual, rule.name)
			j.Text = append(j.Text, rule.text(m, usual))
		}
	}
	return j, nil
}

// text tells people what a rule found.
func (r rule) text(m Measure, usual float64) string {
	what := map[string]string{
		RuleSecrets: "of all Secrets were changed or removed", RuleConfig: "of all ConfigMaps were changed or removed",
		RuleWorkloads: "of all workloads were changed or removed", RuleVolumes: "of all volumes and claims were removed",
		RuleDeleted: "of all lasting objects were removed", RuleNamespaces: "settled namespaces were removed",
		RuleBindings: "bindings give somebody new all rights", RuleRoles: "roles allow more than they did",
		RuleWebhooks: "admission webhooks are new or call somebody new", RuleGuards: "policies or admission checks were removed",
	}[r.name]
	if r.isShare {
		return fmt.Sprintf("%s: %.0f %% %s (%d objects; at most %.0f %% in the backups before)", r.name, 100*m.Value, what, m.Count, 100*usual)
	}
	text := fmt.Sprintf("%s: %d %s: %s", r.name, m.Count, what, strings.Join(m.Names, ", "))
	if rest := int(m.Count) - len(m.Names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// CheckBounds refuses bounds of rules that there are not.
func CheckBounds(bounds map[string]float64) error {
	for _, name := range slices.Sorted(maps.Keys(bounds)) {
		if !slices.Contains(RuleNames(), name) {
			return fmt.Errorf("%q is no rule: use one of %s", name, strings.Join(RuleNames(), ", "))
		}
	}
	return nil
}
