package iam

import (
	"fmt"
	"regexp"
)

// STS's limits of a session: its tags, and the external id that is asked for.
const (
	mostTags          = 50
	longestExternalID = 1224
)

// What STS takes. None of it has the characters * ? $, which a policy would read as a pattern.
var (
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}$`)
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	tagKey     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$`)
	tagValue   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$`)
)

// CheckRole refuses what is no ARN of a role.
func CheckRole(arn string) error {
	if !roleARN.MatchString(arn) {
		return fmt.Errorf("%q is no ARN of a role, such as arn:aws:iam::111122223333:role/backups", arn)
	}
	return nil
}

// CheckExternalID refuses an external id that STS would not take.
func CheckExternalID(id string) error {
	if !externalID.MatchString(id) || len(id) > longestExternalID {
		return fmt.Errorf("%q: want 2 to %d letters, digits and _+=,.@:/-", id, longestExternalID)
	}
	return nil
}

// CheckSessionTags refuses tags that STS would not take.
func CheckSessionTags(tags map[string]string) error {
	for key, value := range tags {
		if !tagKey.MatchString(key) || !tagValue.MatchString(value) {
			return fmt.Errorf("tag %q: want a key of 1 to 128 characters and a value of at most 256: letters, digits, spaces and _.:/=+-@", key)
		}
	}
	if len(tags) > mostTags {
		return fmt.Errorf("%d tags are more than the %d that a session may have", len(tags), mostTags)
	}
	return nil
}
