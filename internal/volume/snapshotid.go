package volume

import (
	"strings"
)

// IsEBSSnapshotID tells what EC2 takes for the id of a snapshot: snap- and hex digits.
func IsEBSSnapshotID(id string) bool {
	digits, ok := strings.CutPrefix(id, "snap-")
	return ok && digits != "" && strings.Trim(digits, "0123456789abcdef") == ""
}
