// Package evaluation evaluates IAM policy documents: effects, actions and resources with
// wildcards, and conditions. What it does not know it refuses to load, so that no
// policy seems to pass because a part of it was not looked at.
package evaluation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Policy is a parsed policy document.
type Policy struct{ statements []statement }

type statement struct {
	sid                  string
	allow                bool
	actions, notActions  []string
	resources, notResour []string
	conditions           []condition
}

// Request is what a policy is asked about. Keys are the condition keys that the
// request has, their names in lower case, each with its values.
type Request struct {
	Action   string
	Resource string
	Keys     map[string][]string
}

// Set adds a condition key.
func (r *Request) Set(key string, values ...string) {
	if r.Keys == nil {
		r.Keys = map[string][]string{}
	}
	r.Keys[strings.ToLower(key)] = values
}

// Decision is the outcome of an evaluation.
type Decision int

// Decisions. A denial by a statement outweighs any allowance.
const (
	NotAllowed Decision = iota
	Allowed
	Denied
)

type rawStatement struct {
	Sid                                      string
	Effect                                   string
	Principal                                json.RawMessage
	Action, NotAction, Resource, NotResource oneOrMore
	Condition                                map[string]map[string]oneOrMore
}

// oneOrMore is a string or a list of them; numbers and booleans count as their text.
type oneOrMore []string

// UnmarshalJSON accepts a scalar or a list of scalars.
func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		list = []json.RawMessage{text}
	}
	*o = make([]string, 0, len(list))
	for _, item := range list {
		value, err := scalar(item)
		if err != nil {
			return err
		}
		*o = append(*o, value)
	}
	return nil
}

func scalar(text json.RawMessage) (string, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	switch value.(type) {
	case string, bool, json.Number:
		return fmt.Sprint(value), nil
	}
	return "", fmt.Errorf("want a string, not %s", text)
}

// Parse reads a policy document. Unknown elements and condition operators are errors.
func Parse(document []byte) (Policy, error) {
	var raw struct {
		Version, ID string
		Statement   json.RawMessage
	}
	if err := strict(document, &raw); err != nil {
		return Policy{}, fmt.Errorf("policy document: %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw.Statement, &list); err != nil {
		list = []json.RawMessage{raw.Statement}
	}
	var p Policy
	for i, text := range list {
		s, err := parseStatement(text)
		if err != nil {
			return Policy{}, fmt.Errorf("policy document: Statement[%d]: %w", i, err)
		}
		p.statements = append(p.statements, s)
	}
	if len(p.statements) == 0 {
		return Policy{}, errors.New("policy document: no Statement")
	}
	return p, nil
}

func parseStatement(text []byte) (statement, error) {
	var raw rawStatement
	if err := strict(text, &raw); err != nil {
		return statement{}, err
	}
	if raw.Effect != "Allow" && raw.Effect != "Deny" {
		return statement{}, fmt.Errorf("Effect: %q is neither Allow nor Deny", raw.Effect)
	}
	if (len(raw.Action) == 0) == (len(raw.NotAction) == 0) {
		return statement{}, errors.New("want Action or NotAction")
	}
	if len(raw.Resource) > 0 && len(raw.NotResource) > 0 {
		return statement{}, errors.New("want Resource or NotResource, not both")
	}
	conditions, err := parseConditions(raw.Condition)
	return statement{
		sid: raw.Sid, allow: raw.Effect == "Allow", actions: raw.Action, notActions: raw.NotAction,
		resources: raw.Resource, notResour: raw.NotResource, conditions: conditions,
	}, err
}

func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// Evaluate decides over all of an identity's policies.
func Evaluate(policies []Policy, r Request) Decision {
	decision := NotAllowed
	for _, policy := range policies {
		for _, s := range policy.statements {
			switch {
			case !s.matches(r):
			case !s.allow:
				return Denied
			default:
				decision = Allowed
			}
		}
	}
	return decision
}

// Grant is an action, or a pattern of actions, that a policy allows on resources, or patterns of
// them, whatever its conditions are.
type Grant struct {
	Action    string
	Resources []string
}

// Grants are what the statements that allow are of. One that allows all actions but some is of "*",
// and so is one of all resources but some.
func (p Policy) Grants() []Grant {
	var out []Grant
	for _, s := range p.statements {
		actions, resources := s.actions, s.resources
		if len(actions) == 0 {
			actions = []string{"*"}
		}
		if len(resources) == 0 {
			resources = []string{"*"}
		}
		for _, action := range actions {
			if s.allow {
				out = append(out, Grant{action, resources})
			}
		}
	}
	return out
}

func (s statement) matches(r Request) bool {
	if len(s.actions) > 0 && !anyMatch(s.actions, r.Action, true) || anyMatch(s.notActions, r.Action, true) {
		return false
	}
	if len(s.resources) > 0 && !anyMatch(s.resources, r.Resource, false) || anyMatch(s.notResour, r.Resource, false) {
		return false
	}
	for _, c := range s.conditions {
		if !c.holds(r.Keys) {
			return false
		}
	}
	return true
}

func anyMatch(patterns []string, text string, foldCase bool) bool {
	for _, pattern := range patterns {
		if foldCase {
			pattern, text = strings.ToLower(pattern), strings.ToLower(text)
		}
		if Match(pattern, text) {
			return true
		}
	}
	return false
}

// Match is a pattern with * for any text and ? for one character.
func Match(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
