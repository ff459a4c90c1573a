package iam

import (
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

// Finding is a call that a policy does not judge as it should.
type Finding struct {
	Call
	Missing bool // it is needed and not allowed; otherwise it is allowed and must not be
}

// Verify holds the policies of a role against what it needs, and what it must not be able to do.
// Policies are looked at together, as IAM does; boundaries, service control policies and the
// policies of bucket and keys are not known here. The error names the option that is wrong.
func Verify(o Options, policies []evaluation.Policy) ([]Finding, error) {
	needed, err := Needed(o)
	if err != nil {
		return nil, err
	}
	forbidden, err := Forbidden(o)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, c := range needed {
		if evaluation.Evaluate(policies, c.Request) != evaluation.Allowed {
			found = append(found, Finding{Call: c, Missing: true})
		}
	}
	for _, c := range forbidden {
		if evaluation.Evaluate(policies, c.Request) == evaluation.Allowed {
			found = append(found, Finding{Call: c})
		}
	}
	own, err := o.ownPolicy()
	for _, c := range unneeded(own, policies) {
		found = append(found, Finding{Call: c})
	}
	return found, err
}

// unneeded are the actions of the policies that are none of the role's. A list of forbidden calls is
// never whole: what grows in a policy is mostly an action that nobody has thought of. What doctor
// reads of settings any role may.
func unneeded(own evaluation.Policy, policies []evaluation.Policy) (calls []Call) {
	needed := own.Grants()
	for _, p := range policies {
		for _, g := range p.Grants() {
			if !slices.ContainsFunc(needed, func(n evaluation.Grant) bool { return strings.EqualFold(n.Action, g.Action) }) {
				calls = append(calls, call("do what no call of the role needs", g.Action, strings.Join(g.Resources, ", "), nil))
			}
		}
	}
	return calls
}

// ownPolicy is the policy of the role as it is evaluated, with the settings that doctor reads.
func (o Options) ownPolicy() (evaluation.Policy, error) {
	o.Inspect = true
	document, err := Policy(o)
	if err != nil {
		return evaluation.Policy{}, err
	}
	text, err := document.Text()
	if err != nil {
		return evaluation.Policy{}, err
	}
	return evaluation.Parse(text)
}
