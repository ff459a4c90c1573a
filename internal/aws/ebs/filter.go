package ebs

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const (
	// maxFilterValues is what EC2 takes in one filter.
	maxFilterValues = 200
	// pageSize is how much EC2 is asked for at a time.
	pageSize = 500
)

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// tagFilters are at least one, so that no empty set selects everything.
func tagFilters(tags map[string]string) []types.Filter {
	if len(tags) == 0 {
		return []types.Filter{filter("tag-key", TagBackupUID)}
	}
	var out []types.Filter
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if tags[key] == "" {
			out = append(out, filter("tag-key", key))
		} else {
			out = append(out, filter("tag:"+key, escapeWildcards(tags[key])))
		}
	}
	return out
}

// escapeWildcards keeps a value's own * and ? from being wildcards.
func escapeWildcards(value string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(value)
}
