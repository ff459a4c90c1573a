package bucket

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

func TestJudgePolicy(t *testing.T) {
	const deny = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":PRINCIPAL,"Action":ACTION,"Resource":["arn:aws:s3:::backups","arn:aws:s3:::backups/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`
	for name, tc := range map[string]struct {
		principal, action, policy string
		yes                       bool
	}{
		"as AWS writes it":    {principal: `"*"`, action: `"s3:*"`, yes: true},
		"everybody of AWS":    {principal: `{"AWS":["*"]}`, action: `["s3:*"]`, yes: true},
		"one account":         {principal: `{"AWS":"arn:aws:iam::1:root"}`, action: `"s3:*"`},
		"writes only":         {principal: `"*"`, action: `"s3:PutObject"`},
		"another bucket":      {policy: `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::other/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`},
		"a further condition": {policy: `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"},"StringEquals":{"a":"b"}}}]}`},
		"the other way":       {policy: `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`},
		"boolean":             {policy: `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":[false]}}}]}`, yes: true},
	} {
		text := tc.policy
		if text == "" {
			text = strings.NewReplacer("PRINCIPAL", tc.principal, "ACTION", tc.action).Replace(deny)
		}
		if got := judgePolicy(text, "backups"); !got.Known || got.Yes != tc.yes {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := judgePolicy("{", "backups"); got.Known {
		t.Errorf("a policy that cannot be read: %+v", got)
	}
}

func TestJudgeLifecycle(t *testing.T) {
	days := &types.LifecycleExpiration{Days: aws.Int32(30)}
	rule := func(prefix string, change func(*types.LifecycleRule)) types.LifecycleRule {
		r := types.LifecycleRule{ID: aws.String("r"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(prefix)}}
		change(&r)
		return r
	}
	expires := func(r *types.LifecycleRule) { r.Expiration = days }
	moves := func(class types.TransitionStorageClass) func(*types.LifecycleRule) {
		return func(r *types.LifecycleRule) { r.Transitions = []types.Transition{{StorageClass: class}} }
	}
	for name, tc := range map[string]struct {
		rule       types.LifecycleRule
		known, yes bool
	}{
		"of everything":     {rule("", expires), true, false},
		"of our prefix":     {rule("prod/", expires), true, false},
		"below our prefix":  {rule("prod/backups/", expires), true, false},
		"of another prefix": {rule("logs/", expires), true, true},
		"disabled":          {rule("", func(r *types.LifecycleRule) { r.Expiration, r.Status = days, types.ExpirationStatusDisabled }), true, true},
		"archive":           {rule("", moves(types.TransitionStorageClassDeepArchive)), true, false},
		"read at once":      {rule("", moves(types.TransitionStorageClassGlacierIr)), true, true},
		"of old versions": {rule("", func(r *types.LifecycleRule) {
			r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)}
		}), true, true},
		"of what has a tag": {rule("", func(r *types.LifecycleRule) { r.Expiration, r.Filter.Tag = days, &types.Tag{} }), false, false},
		"of delete markers only": {rule("", func(r *types.LifecycleRule) {
			r.Expiration = &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}
		}), true, true},
		"of a prefix and a tag": {rule("", func(r *types.LifecycleRule) {
			r.Expiration, r.Filter = days, &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("prod/"), Tags: []types.Tag{{}}}}
		}), false, false},
		"of what is large": {rule("", func(r *types.LifecycleRule) { r.Expiration, r.Filter.ObjectSizeGreaterThan = days, aws.Int64(128<<10) }), true, false},
		"of a prefix and a size": {rule("", func(r *types.LifecycleRule) {
			r.Expiration, r.Filter = days, &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("prod/"), ObjectSizeLessThan: aws.Int64(1 << 20)}}
		}), true, false},
		"without a filter": {rule("", func(r *types.LifecycleRule) { r.Expiration, r.Filter = days, nil }), true, false},
	} {
		if got := judgeLifecycle([]types.LifecycleRule{tc.rule}, "prod/"); got.Known != tc.known || got.Yes != tc.yes {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestOtherStores(t *testing.T) {
	if got := Read(t.Context(), memstore.New()); got.Versioning.Known || got.Transport.Found == "" {
		t.Errorf("a store in memory: %+v", got)
	}
}
