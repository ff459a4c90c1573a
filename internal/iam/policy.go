package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// Role is what a worker is for.
type Role string

// Roles. A cluster's own worker needs all of them at once; the others are for workers that serve
// only a part, such as one in an account for drills.
const (
	All     Role = "all"
	Backup  Role = "backup"  // backups, verification, rehearsals
	Restore Role = "restore" // restores and drills: it changes no backup and no snapshot
	Collect Role = "collect" // deletion and garbage collection
	Volumes Role = "volumes" // of All what EC2 is asked for: a bucket policy of one's own goes with it
)

// Roles are all roles, in the order of help.
func Roles() []Role { return []Role{All, Backup, Restore, Collect, Volumes} }

// Options say for what the documents are.
type Options struct {
	Role       Role
	Partition  string   // aws, aws-cn, aws-us-gov; default aws
	Bucket     string   // name
	Prefix     string   // of the storage location, "" for the whole bucket
	BucketKey  string   // ARN of the key that encrypts the bucket's objects
	VolumeKeys []string // ARNs of customer managed keys of volumes
	SharedBy   []string // accounts whose shared snapshots are restored
	Assume     []string // ARNs of roles that locations of other accounts name
	TagKeys    []string // of volumes, labels of backups, locations and schedules: no others may be written; empty for any
	Inspect    bool     // read the bucket's settings and the cluster's, for `lifeboat doctor`
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	keyARN     = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)
	account    = regexp.MustCompile(`^\d{12}$`)
)

// check names the first field that cannot be.
func (o Options) check() error {
	if !slices.Contains(Roles(), o.Role) {
		return fmt.Errorf("role: %q is none of %q", o.Role, Roles())
	}
	if err := checkPartition(o.Partition); err != nil {
		return err
	}
	if o.Role != Volumes && !bucketName.MatchString(o.Bucket) {
		return fmt.Errorf("bucket: %q is no name of a bucket", o.Bucket)
	}
	if strings.ContainsAny(o.Prefix, "*?$") {
		return fmt.Errorf("prefix: %q has a character that IAM reads as a pattern", o.Prefix)
	}
	for field, keys := range map[string][]string{"bucket key": {o.BucketKey}, "volume key": o.VolumeKeys} {
		for _, key := range keys {
			if key != "" && !keyARN.MatchString(key) {
				return fmt.Errorf("%s: %q is no ARN of a KMS key (an alias is not enough: policies name keys)", field, key)
			}
		}
	}
	for _, a := range o.Assume {
		if err := CheckRole(a); err != nil {
			return fmt.Errorf("assume: %w", err)
		}
	}
	for _, key := range o.TagKeys {
		if key == "" || strings.ContainsAny(key, "*?$") {
			return fmt.Errorf("tag key: %q is no key of a tag, or IAM reads it as a pattern", key)
		}
	}
	for _, a := range o.SharedBy {
		if !account.MatchString(a) {
			return fmt.Errorf("shared by: %q is no account of 12 digits", a)
		}
	}
	return nil
}

func (o Options) bucket() bucket {
	partition := o.Partition
	if partition == "" {
		partition = "aws"
	}
	return bucket{arn: "arn:" + partition + ":s3:::" + o.Bucket, prefix: strings.Trim(o.Prefix, "/"), key: o.BucketKey}
}

// Policy is what a worker of the role may do. The error names the option that is wrong.
func Policy(o Options) (Document, error) {
	if err := o.check(); err != nil {
		return Document{}, err
	}
	o.VolumeKeys, o.SharedBy, o.Assume, o.TagKeys = once(o.VolumeKeys), once(o.SharedBy), once(o.Assume), once(o.TagKeys)
	return Document{Version: policyVersion, Statement: slices.Concat(o.limitTags(o.statements()), takeRoles(o.Assume))}, nil
}

// once is a list without what is in it again.
func once(all []string) []string {
	var out []string
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func checkPartition(p string) error {
	if all := []string{"", "aws", "aws-cn", "aws-us-gov"}; !slices.Contains(all, p) {
		return fmt.Errorf("partition: %q is none of %q", p, all[1:])
	}
	return nil
}

// takeRoles lets the worker take the roles that its locations name, with tags of the session.
func takeRoles(arns []string) []Statement {
	if len(arns) == 0 {
		return nil
	}
	return []Statement{allow("TakeRolesOfLocations", []string{"sts:AssumeRole", "sts:TagSession"}, arns, nil)}
}

// quotaReads are the rights by which the quota of snapshots is read; they know no resources.
func quotaReads() []string {
	return []string{"servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota"}
}

func (o Options) statements() []Statement {
	b := o.bucket()
	common := slices.Concat(b.list(), []Statement{b.read()}, b.useKey())
	if o.Inspect {
		common = append(common, b.inspect(), allow("InspectCluster", []string{"eks:DescribeCluster"}, []string{"arn:*:eks:*:*:cluster/*"}, nil),
			allow("InspectQuotas", quotaReads(), []string{"*"}, nil))
	}
	switch o.Role {
	case Backup:
		return slices.Concat(common, []Statement{b.write(""), look(), listBlocks(), sampleBlocks()}, takeSnapshots(),
			[]Statement{tagWhatIsBeingMade([]string{anySnapshot}, "CreateSnapshot", "CreateSnapshots")}, deleteSnapshots()[:1], decryptBlocks(o.VolumeKeys))
	case Restore:
		return slices.Concat(common, []Statement{b.write(layout.PluginDir, layout.RestoresDir), look()}, makeVolumes(o.SharedBy),
			[]Statement{tagWhatIsBeingMade([]string{anyVolume}, "CreateVolume")}, useKeys(o.VolumeKeys))
	case Collect:
		return slices.Concat(common, []Statement{b.write(""), look()}, deleteSnapshots())
	case Volumes:
		return o.volumes()
	}
	return slices.Concat(common, []Statement{b.write("")}, o.volumes())
}

func (o Options) volumes() []Statement {
	return slices.Concat([]Statement{look(), listBlocks(), sampleBlocks()}, takeSnapshots(), makeVolumes(o.SharedBy),
		[]Statement{tagWhatIsBeingMade([]string{anySnapshot, anyVolume}, "CreateSnapshot", "CreateSnapshots", "CreateVolume")}, deleteSnapshots(), useKeys(o.VolumeKeys))
}
