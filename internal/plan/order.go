package plan

import (
	"cmp"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// archiveOrder sorts types as Velero collects them: the core group first, with
// pods, claims and volumes at its head so that volume data is taken soon after
// the pods that use it; the legacy extensions group last.
func archiveOrder(a, b filter.Type) int {
	return cmp.Or(
		cmp.Compare(groupRank(a.Group), groupRank(b.Group)),
		cmp.Compare(a.Group, b.Group),
		cmp.Compare(coreRank(a), coreRank(b)),
		cmp.Compare(a.GroupResource, b.GroupResource),
		cmp.Compare(a.Version, b.Version),
	)
}

func groupRank(group string) int {
	switch group {
	case "":
		return 0
	case "extensions":
		return 2
	default:
		return 1
	}
}

func coreRank(t filter.Type) int {
	i := slices.Index([]string{"pods", "persistentvolumeclaims", "persistentvolumes"}, t.GroupResource)
	if i < 0 {
		return 3
	}
	return i
}
