package awsconf

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/lifeboat-backup/lifeboat/internal/iam"
)

// The keys of a location's spec.config that name a role to assume. They are ours: Velero's plug-in
// has no such settings.
const (
	KeyRole        = "assumeRoleArn"
	KeyExternalID  = "assumeRoleExternalId"
	KeySessionTags = "assumeRoleSessionTags" // as in a URL's query: team=platform&stage=production
)

// RoleKeys are the keys of spec.config that ParseRole reads.
func RoleKeys() []string { return []string{KeyRole, KeyExternalID, KeySessionTags} }

// Role is one that a location's credentials assume, in another account for example. The zero value
// is none.
type Role struct {
	ARN        string
	ExternalID string
	Tags       map[string]string
}

// sessionName is the session's, as CloudTrail shows it.
const sessionName = "lifeboat"

// ParseRole reads a location's role. Each error begins with the field that is wrong.
func ParseRole(config map[string]string) (Role, []error) {
	r := Role{ARN: config[KeyRole], ExternalID: config[KeyExternalID]}
	var errs []error
	check := func(key string, said bool, err error) {
		if said && err != nil {
			errs = append(errs, fmt.Errorf("spec.config.%s: %w", key, err))
		}
	}
	check(KeyRole, r.ARN != "", iam.CheckRole(r.ARN))
	check(KeyExternalID, r.ExternalID != "", iam.CheckExternalID(r.ExternalID))
	var err error
	r.Tags, err = parseTags(config[KeySessionTags])
	check(KeySessionTags, true, err)
	if r.ARN == "" && (r.ExternalID != "" || len(r.Tags) > 0) {
		errs = append(errs, fmt.Errorf("spec.config.%s: required with %s and %s", KeyRole, KeyExternalID, KeySessionTags))
	}
	return r, errs
}

func parseTags(text string) (map[string]string, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fmt.Errorf("want key=value&key=value: %w", err)
	}
	tags := map[string]string{}
	for key, all := range values {
		if len(all) > 1 {
			return nil, fmt.Errorf("tag %q: want each key once", key)
		}
		tags[key] = all[0]
	}
	return tags, iam.CheckSessionTags(tags)
}

// assume has cfg sign as the role, which the credentials of cfg assume whenever a session ends.
func (r Role) assume(cfg *aws.Config) {
	if r.ARN == "" {
		return
	}
	from := sts.NewFromConfig(*cfg, func(o *sts.Options) {
		if o.Region == "" {
			o.Region = r.anyRegion()
		}
	})
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(from, r.ARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName
		if r.ExternalID != "" {
			o.ExternalID = aws.String(r.ExternalID)
		}
		for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
			o.Tags = append(o.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
		}
	}))
}

// anyRegion has an STS of the role's partition, for locations whose region is found later.
func (r Role) anyRegion() string {
	switch {
	case strings.HasPrefix(r.ARN, "arn:aws-cn:"):
		return "cn-north-1"
	case strings.HasPrefix(r.ARN, "arn:aws-us-gov:"):
		return "us-gov-west-1"
	}
	return "us-east-1"
}
