package evaluation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// condition is one key under one operator.
type condition struct {
	key, set string // set is "", ForAnyValue or ForAllValues
	operator operator
	negated  bool // NotEquals and its kind: no value may match
	ifExists bool
	values   []string
}

// operator says if a value of the request meets one of the policy.
type operator func(have, want string) bool

func parseConditions(raw map[string]map[string]oneOrMore) ([]condition, error) {
	var out []condition
	for name, keys := range raw {
		template, err := parseOperator(name)
		if err != nil {
			return nil, err
		}
		for key, values := range keys {
			c := template
			c.key, c.values = strings.ToLower(key), values
			if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "${") }) {
				return nil, fmt.Errorf("Condition %s %s: policy variables are not simulated", name, key)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

func parseOperator(name string) (condition, error) {
	var c condition
	rest := name
	if set, bare, ok := strings.Cut(name, ":"); ok {
		if set != "ForAnyValue" && set != "ForAllValues" {
			return c, fmt.Errorf("Condition: unknown operator %q", name)
		}
		c.set, rest = set, bare
	}
	rest, c.ifExists = strings.CutSuffix(rest, "IfExists")
	if rest == "Null" {
		return c, nil
	}
	found, ok := operators()[strings.Replace(rest, "Not", "", 1)]
	if !ok {
		return c, fmt.Errorf("Condition: unknown operator %q", name)
	}
	c.operator, c.negated = found, strings.Contains(rest, "Not")
	return c, nil
}

func operators() map[string]operator {
	equal := func(have, want string) bool { return have == want }
	number := func(compare func(a, b float64) bool) operator {
		return func(have, want string) bool {
			a, err1 := strconv.ParseFloat(have, 64)
			b, err2 := strconv.ParseFloat(want, 64)
			return err1 == nil && err2 == nil && compare(a, b)
		}
	}
	like := func(have, want string) bool { return Match(want, have) }
	return map[string]operator{
		"StringEquals": equal, "StringEqualsIgnoreCase": strings.EqualFold, "StringLike": like,
		"Bool": strings.EqualFold, "ArnEquals": like, "ArnLike": like,
		"NumericEquals":         number(func(a, b float64) bool { return a == b }),
		"NumericLessThan":       number(func(a, b float64) bool { return a < b }),
		"NumericLessThanEquals": number(func(a, b float64) bool { return a <= b }),
		"NumericGreaterThan":    number(func(a, b float64) bool { return a > b }),
		"NumericGreaterThanEquals": number(func(a, b float64) bool {
			return a >= b
		}),
	}
}

// holds follows IAM's rules for keys that the request lacks: a plain condition
// fails, a negated one and one with IfExists hold, ForAllValues holds.
func (c condition) holds(keys map[string][]string) bool {
	have, present := keys[c.key]
	if c.operator == nil {
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, "true") != present })
	}
	switch {
	case !present && c.ifExists:
		return true
	case c.set == "ForAllValues":
		return !slices.ContainsFunc(have, func(v string) bool { return !c.meets(v) })
	case c.set == "ForAnyValue":
		return slices.ContainsFunc(have, c.meets)
	case !present:
		return c.negated
	}
	return len(have) > 0 && c.meets(have[0])
}

func (c condition) meets(have string) bool {
	found := slices.ContainsFunc(c.values, func(want string) bool { return c.operator(have, want) })
	return found != c.negated
}
