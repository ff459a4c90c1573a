package repository

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
)

// placeOf tells the buckets and prefixes of locations apart. The region is no part of it:
// a bucket's name is unique without, and two configurations that give it and leave it out
// mean one place.
func placeOf(bsl *velerov1.BackupStorageLocation) [3]string {
	o := bsl.Spec.ObjectStorage
	if o == nil {
		return [3]string{"", "", bsl.Name}
	}
	return [3]string{strings.TrimSuffix(bsl.Spec.Config["s3Url"], "/"), o.Bucket, strings.Trim(o.Prefix, "/")}
}

// PlaceDigest is a short digest of where a location is: endpoint, bucket and prefix.
func PlaceDigest(bsl *velerov1.BackupStorageLocation) string {
	place := placeOf(bsl)
	return shortDigest(place[:])
}

// ConfigurationDigest is a short digest of the names and places of all locations: workers
// with the same one answer reads alike.
func ConfigurationDigest(cfg *config.Config) string {
	var all []string
	for i := range cfg.BackupStorageLocations {
		bsl := &cfg.BackupStorageLocations[i]
		all = append(all, bsl.Name+" "+PlaceDigest(bsl))
	}
	slices.Sort(all)
	return shortDigest(all)
}

// digestLength is in hexadecimal digits: 48 bits tell the few places of one name apart, and
// people can compare them.
const digestLength = 12

func shortDigest(parts []string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])[:digestLength]
}

// CheckPlace fails with failure.WrongWorker unless the location of that name is where a
// run has its files. A run that is bound to no place is not checked.
func (l *Locations) CheckPlace(name, place string) error {
	if place == "" {
		return nil
	}
	bsl, err := l.cfg.Location(name)
	if err != nil {
		return failure.WrongWorker("storage location %q, in which this run has its files, is not in this worker's configuration; a worker that has it goes on with the run", name)
	}
	if mine := PlaceDigest(bsl); mine != place {
		return failure.WrongWorker("storage location %s is another place in this worker's configuration (bucket %s, prefix %q, digest %s) than where this run has its files (digest %s); a worker with the run's configuration goes on with it",
			bsl.Name, bsl.Spec.ObjectStorage.Bucket, bsl.Spec.ObjectStorage.Prefix, mine, place)
	}
	return nil
}

// PlaceText is where a location is, for people: bucket and prefix.
func PlaceText(bsl *velerov1.BackupStorageLocation) string {
	place := placeOf(bsl)
	return strings.TrimSuffix("s3://"+place[1]+"/"+place[2], "/")
}
