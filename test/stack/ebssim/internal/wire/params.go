// Package wire reads the parameters of the EC2 and STS query protocols and
// writes their XML: the shapes, not the meaning.
package wire

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Params are the form values of one request.
type Params url.Values

// Get is the first value of a key, "" if it is not there.
func (p Params) Get(key string) string { return url.Values(p).Get(key) }

// Int is a number, or nil if the key is not there.
func (p Params) Int(key string) (*int, error) {
	text := p.Get(key)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, Invalid("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expected: 'Integer'.", text, key)
	}
	return &n, nil
}

// Bool is a flag, or nil if the key is not there.
func (p Params) Bool(key string) (*bool, error) {
	text := p.Get(key)
	if text == "" {
		return nil, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return nil, Invalid("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expected: 'Boolean'.", text, key)
	}
	return &b, nil
}

// List is the values of prefix.1, prefix.2 and so on, by number.
func (p Params) List(prefix string) []string {
	var values []string
	for _, n := range p.numbers(prefix) {
		values = append(values, p.Get(fmt.Sprintf("%s.%d", prefix, n)))
	}
	return values
}

// Groups is the parameters below prefix.1, prefix.2 and so on, without the prefix.
func (p Params) Groups(prefix string) []Params {
	var groups []Params
	for _, n := range p.numbers(prefix) {
		group, start := Params{}, fmt.Sprintf("%s.%d.", prefix, n)
		for key, values := range p {
			if rest, ok := strings.CutPrefix(key, start); ok {
				group[rest] = values
			}
		}
		groups = append(groups, group)
	}
	return groups
}

func (p Params) numbers(prefix string) []int {
	seen := map[int]bool{}
	for key := range p {
		rest, ok := strings.CutPrefix(key, prefix+".")
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(first); err == nil && n >= 0 && strconv.Itoa(n) == first {
			seen[n] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Tags is the pairs Tag.N.Key and Tag.N.Value, in order.
func (p Params) Tags() []Tag {
	var tags []Tag
	for _, group := range p.Groups("Tag") {
		tags = append(tags, Tag{Key: group.Get("Key"), Value: group.Get("Value")})
	}
	return tags
}
