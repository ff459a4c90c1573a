package listing

import (
	"cmp"
	"regexp"
)

// NameOrder is a comparison that sorts by name, but backups of one schedule (name and a
// timestamp of 14 digits) newest first, as Velero does.
func NameOrder() func(a, b string) int {
	stamp := regexp.MustCompile(`^(.*-)([0-9]{14})$`) // compiled once a list, not once a comparison
	return func(a, b string) int {
		left, right := stamp.FindStringSubmatch(a), stamp.FindStringSubmatch(b)
		if left != nil && right != nil && left[1] == right[1] {
			return cmp.Compare(right[2], left[2])
		}
		return cmp.Compare(a, b)
	}
}
