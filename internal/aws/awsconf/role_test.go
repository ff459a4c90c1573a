package awsconf

import (
	"maps"
	"strings"
	"testing"
)

func TestParseRole(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:role/teams/backups"
	got, errs := ParseRole(map[string]string{KeyRole: arn, KeyExternalID: "east-1", KeySessionTags: "team=platform&stage=a%20b&empty="})
	want := map[string]string{"team": "platform", "stage": "a b", "empty": ""}
	if len(errs) > 0 || got.ARN != arn || got.ExternalID != "east-1" || !maps.Equal(got.Tags, want) {
		t.Errorf("%+v, %v", got, errs)
	}
	if got, errs := ParseRole(map[string]string{"region": "x"}); len(errs) > 0 || got.ARN != "" {
		t.Errorf("no role: %+v, %v", got, errs)
	}
	many := strings.Builder{}
	for i := range 51 {
		many.WriteString(strings.Repeat("k", i+1) + "=v&")
	}
	for name, tc := range map[string]struct {
		config map[string]string
		field  string
	}{
		"a user":             {map[string]string{KeyRole: "arn:aws:iam::111122223333:user/x"}, KeyRole},
		"a name":             {map[string]string{KeyRole: "backups"}, KeyRole},
		"no role":            {map[string]string{KeyExternalID: "east-1"}, KeyRole},
		"tags of no role":    {map[string]string{KeySessionTags: "a=b"}, KeyRole},
		"short external id":  {map[string]string{KeyRole: arn, KeyExternalID: "x"}, KeyExternalID},
		"long external id":   {map[string]string{KeyRole: arn, KeyExternalID: strings.Repeat("x", 1225)}, KeyExternalID},
		"space in it":        {map[string]string{KeyRole: arn, KeyExternalID: "a b"}, KeyExternalID},
		"tag without a key":  {map[string]string{KeyRole: arn, KeySessionTags: "=v"}, KeySessionTags},
		"tag twice":          {map[string]string{KeyRole: arn, KeySessionTags: "a=1&a=2"}, KeySessionTags},
		"tag that is odd":    {map[string]string{KeyRole: arn, KeySessionTags: "a=%00"}, KeySessionTags},
		"long value":         {map[string]string{KeyRole: arn, KeySessionTags: "a=" + strings.Repeat("v", 257)}, KeySessionTags},
		"too many tags":      {map[string]string{KeyRole: arn, KeySessionTags: many.String()}, KeySessionTags},
		"not a query at all": {map[string]string{KeyRole: arn, KeySessionTags: "a=%zz"}, KeySessionTags},
	} {
		if _, errs := ParseRole(tc.config); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "spec.config."+tc.field+": ") {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestRegionOfAPartition(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:iam::111122223333:role/b": "us-east-1", "arn:aws-cn:iam::111122223333:role/b": "cn-north-1", "arn:aws-us-gov:iam::111122223333:role/b": "us-gov-west-1",
	} {
		if got := (Role{ARN: arn}).anyRegion(); got != want {
			t.Errorf("%s: %s, want %s", arn, got, want)
		}
	}
}
