package awsconf

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
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

const (
	// sessionName is the session's, as CloudTrail shows it.
	sessionName = "lifeboat"
	// mostTags is STS's limit of tags of a session.
	mostTags = 50
	// longestExternalID is STS's limit.
	longestExternalID = 1224
)

var (
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}$`)
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	tagKey     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$`)
	tagValue   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
)

// ParseRole reads a location's role. Each error begins with the field that is wrong.
func ParseRole(config map[string]string) (Role, []error) {
	r := Role{ARN: config[KeyRole], ExternalID: config[KeyExternalID]}
	var errs []error
	if r.ARN != "" && !roleARN.MatchString(r.ARN) {
		errs = append(errs, fmt.Errorf("spec.config.%s: %q is no ARN of a role, such as arn:aws:iam::111122223333:role/backups", KeyRole, r.ARN))
	}
	if r.ExternalID != "" && (!externalID.MatchString(r.ExternalID) || len(r.ExternalID) > longestExternalID) {
		errs = append(errs, fmt.Errorf("spec.config.%s: %q: want 2 to %d letters, digits and _+=,.@:/-", KeyExternalID, r.ExternalID, longestExternalID))
	}
	var err error
	if r.Tags, err = parseTags(config[KeySessionTags]); err != nil {
		errs = append(errs, fmt.Errorf("spec.config.%s: %w", KeySessionTags, err))
	}
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
		if len(all) > 1 || !tagKey.MatchString(key) || !tagValue.MatchString(all[0]) {
			return nil, fmt.Errorf("tag %q: want each key once, of at most 128 characters, and a value of at most 256, without special ones", key)
		}
		tags[key] = all[0]
	}
	if len(tags) > mostTags {
		return nil, fmt.Errorf("%d tags are more than the %d that a session may have", len(tags), mostTags)
	}
	return tags, nil
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
