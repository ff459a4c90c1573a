package volume

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxSnapshotName is how long a VolumeSnapshot's name may be: it is also the value
// of a label, of the claim's velero.io/volume-snapshot-name.
const maxSnapshotName = 63

// snapshotName is the name of a claim's VolumeSnapshot in a backup: the same when it
// is asked for again, another in any other backup and for any other claim.
func snapshotName(backupUID, namespace, claim, claimUID string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{backupUID, namespace, claim, claimUID}, "/")))
	suffix := "-" + hex.EncodeToString(sum[:4])
	name := "velero-" + claim
	if most := maxSnapshotName - len(suffix); len(name) > most {
		name = name[:most]
	}
	return strings.TrimRight(name, "-.") + suffix
}
