package ebssim

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// fields are what a resource shows to filters, by the filter's name.
type fields map[string][]string

// filter is one Filter.N: any of its values must match.
type filter struct {
	name   string
	values []string
}

// filters reads the request's filters. A name outside known and the tag filters
// is an error, as in EC2.
func filters(p wire.Params, known ...string) ([]filter, error) {
	var out []filter
	for _, group := range p.Groups("Filter") {
		f := filter{name: group.Get("Name"), values: group.List("Value")}
		if len(f.values) == 0 {
			return nil, errValue("The filter '%s' has no values", f.name)
		}
		if !strings.HasPrefix(f.name, "tag:") && f.name != "tag-key" && !slices.Contains(known, f.name) {
			return nil, errValue("The filter '%s' is invalid", f.name)
		}
		out = append(out, f)
	}
	return out, nil
}

// matches asks have only for filters on something else than tags, as it is dear
// over many resources.
func matches(filters []filter, have func() fields, tags map[string]string) bool {
	for _, f := range filters {
		if !anyOf(f.values, f.shown(have, tags)) {
			return false
		}
	}
	return true
}

// shown is what a resource has under the filter's name.
func (f filter) shown(have func() fields, tags map[string]string) []string {
	if key, ok := strings.CutPrefix(f.name, "tag:"); ok {
		if value, has := tags[key]; has {
			return []string{value}
		}
		return nil
	}
	if f.name == "tag-key" {
		return slices.Collect(maps.Keys(tags))
	}
	return have()[f.name]
}

// tagRank puts filters on tags first: few of an account's thousands of snapshots have them, and
// the others need the fields of each put together.
func (f filter) tagRank() int {
	if f.name == "tag-key" || strings.HasPrefix(f.name, "tag:") {
		return 1
	}
	return 0
}

func anyOf(patterns, values []string) bool {
	for _, value := range values {
		if slices.ContainsFunc(patterns, func(p string) bool { return evaluation.Match(p, value) }) {
			return true
		}
	}
	return false
}

// page cuts sorted ids to what the request asks for. A token names the last id
// that was given, so that things which come and go meanwhile do no harm.
func page(p wire.Params, ids []string, least, most int) (on []string, token string, err error) {
	slices.Sort(ids)
	size, err := p.Int("MaxResults")
	if err != nil {
		return nil, "", err
	}
	if after := p.Get("NextToken"); after != "" {
		last, err := base64.RawURLEncoding.DecodeString(after)
		if err != nil || !strings.Contains(string(last), "-") {
			return nil, "", wire.Invalid("InvalidNextToken", "The token '%s' is invalid", after)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id <= string(last) })
	}
	if size == nil {
		return ids, "", nil
	}
	if *size < least {
		return nil, "", errValue("Value ( %d ) for parameter maxResults is invalid. Expecting a value of at least %d.", *size, least)
	}
	if n := min(*size, most); len(ids) > n { // EC2 takes a larger number for the largest
		ids = ids[:n]
		token = base64.RawURLEncoding.EncodeToString([]byte(ids[len(ids)-1]))
	}
	return ids, token, nil
}
