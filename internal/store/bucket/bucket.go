// Package bucket asks how a location's bucket is set up: whether what was written can be lost,
// read on its way, or moved where it cannot be read at once. It only reads.
package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Answer is yes, no, or unknown with the reason in Found.
type Answer struct {
	Known, Yes bool
	Found      string
}

// Settings are how a bucket is set up.
type Settings struct {
	// Versioning: what is overwritten or deleted is kept.
	Versioning Answer
	// Encryption: new objects are encrypted.
	Encryption Answer
	// Lifecycle: no rule expires or archives current objects below the location's prefix.
	Lifecycle Answer
	// Transport: plain HTTP is denied.
	Transport Answer
	// Copies: what is written below the location's prefix is replicated into a bucket of another
	// Region.
	Copies Answer
}

// api is implemented by stores that are a bucket of S3.
type api interface {
	API() (client *s3.Client, bucket, prefix string)
}

// Read asks for the settings of a location's bucket. What cannot be asked is unknown.
func Read(ctx context.Context, st store.Store) Settings {
	of, ok := st.(api)
	if !ok {
		none := Answer{Found: "the store is no bucket of S3"}
		return Settings{none, none, none, none, none}
	}
	client, name, prefix := of.API()
	if prefix != "" {
		prefix += "/" // as all keys of the location begin, and those of prod-logs do not
	}
	return Settings{
		Versioning: readVersioning(ctx, client, name), Encryption: readEncryption(ctx, client, name),
		Lifecycle: readLifecycle(ctx, client, name, prefix), Transport: readTransport(ctx, client, name),
		Copies: readCopies(ctx, client, name, prefix),
	}
}

func yes(found string) Answer { return Answer{Known: true, Yes: true, Found: found} }
func no(found string) Answer  { return Answer{Known: true, Found: found} }

// unknown says why there is no answer: the store does not know the call, or refuses it.
func unknown(action string, err error) Answer {
	return Answer{Found: fmt.Sprintf("%s: %s", action, wordOf(err))}
}

// wordOf is the store's word for an error, without the request.
func wordOf(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return "no answer"
}

func isCode(err error, codes ...string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && slices.Contains(codes, answer.ErrorCode())
}

func readVersioning(ctx context.Context, client *s3.Client, bucket string) Answer {
	out, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(bucket)})
	switch {
	case err != nil:
		return unknown("s3:GetBucketVersioning", err)
	case out.Status == types.BucketVersioningStatusEnabled:
		return yes("Enabled")
	case out.Status == "":
		return no("never enabled")
	}
	return no(string(out.Status))
}

func readEncryption(ctx context.Context, client *s3.Client, bucket string) Answer {
	out, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String(bucket)})
	if isCode(err, "ServerSideEncryptionConfigurationNotFoundError") {
		return no("no default encryption")
	}
	if err != nil {
		return unknown("s3:GetEncryptionConfiguration", err)
	}
	if out.ServerSideEncryptionConfiguration != nil {
		for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
			if by := rule.ApplyServerSideEncryptionByDefault; by != nil {
				return yes(string(by.SSEAlgorithm))
			}
		}
	}
	return no("no default encryption")
}

func readLifecycle(ctx context.Context, client *s3.Client, bucket, prefix string) Answer {
	out, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(bucket)})
	if isCode(err, "NoSuchLifecycleConfiguration") {
		return yes("no rules")
	}
	if err != nil {
		return unknown("s3:GetLifecycleConfiguration", err)
	}
	return judgeLifecycle(out.Rules, prefix)
}

// judgeLifecycle looks for rules that take current objects of the prefix away.
func judgeLifecycle(rules []types.LifecycleRule, prefix string) Answer {
	var harmful, maybe []string
	for i := range rules {
		what := harmOf(&rules[i])
		under, tagged := scopeOf(&rules[i])
		if what == "" || !strings.HasPrefix(under, prefix) && !strings.HasPrefix(prefix, under) {
			continue
		}
		text := fmt.Sprintf("rule %q %s", aws.ToString(rules[i].ID), what)
		if tagged {
			maybe = append(maybe, text)
		} else {
			harmful = append(harmful, text)
		}
	}
	switch {
	case len(harmful) > 0:
		return no(strings.Join(harmful, "; "))
	case len(maybe) > 0:
		return Answer{Found: strings.Join(maybe, "; ") + ", if objects have its tag or size"}
	}
	return yes(fmt.Sprintf("%d rules, none for current objects here", len(rules)))
}

// harmOf is what a rule does to current objects, "" if nothing that matters.
func harmOf(r *types.LifecycleRule) string {
	if r.Status != types.ExpirationStatusEnabled {
		return ""
	}
	if e := r.Expiration; e != nil && (e.Days != nil || e.Date != nil) {
		return "expires objects"
	}
	for _, t := range r.Transitions {
		if slices.Contains([]types.TransitionStorageClass{types.TransitionStorageClassGlacier, types.TransitionStorageClassDeepArchive}, t.StorageClass) {
			return "moves objects to " + string(t.StorageClass)
		}
	}
	return ""
}

// scopeOf is the prefix of a rule, and whether tags narrow it further. Sizes do not: a backup has
// files of any size.
func scopeOf(r *types.LifecycleRule) (prefix string, narrowed bool) {
	f := r.Filter
	switch {
	case f == nil:
		return aws.ToString(r.Prefix), false //nolint:staticcheck // old rules still have it
	case f.And != nil:
		return aws.ToString(f.And.Prefix), len(f.And.Tags) > 0
	}
	return aws.ToString(f.Prefix), f.Tag != nil
}

func readTransport(ctx context.Context, client *s3.Client, bucket string) Answer {
	out, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	if isCode(err, "NoSuchBucketPolicy") {
		return no("the bucket has no policy")
	}
	if err != nil {
		return unknown("s3:GetBucketPolicy", err)
	}
	return judgePolicy(aws.ToString(out.Policy), bucket)
}

// statement is what matters here of a statement of a bucket's policy.
type statement struct {
	Effect    string
	Principal any
	Action    words
	Resource  words
	Condition map[string]map[string]any
}

// words is one word or a list of them.
type words []string

// UnmarshalJSON takes both.
func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(w))
}

// judgePolicy looks for a statement that denies every request that is not over TLS.
func judgePolicy(text, bucket string) Answer {
	var policy struct{ Statement []statement }
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return Answer{Found: "the bucket's policy cannot be read"}
	}
	if slices.ContainsFunc(policy.Statement, func(s statement) bool { return s.deniesPlain(bucket) }) {
		return yes("the bucket's policy denies it")
	}
	return no("no statement of the bucket's policy denies it")
}

func (s *statement) deniesPlain(bucket string) bool {
	everything := func(action string) bool { return action == "*" || strings.EqualFold(action, "s3:*") }
	objects := func(resource string) bool {
		_, name, _ := strings.Cut(resource, ":::")
		return resource == "*" || name == "*" || name == bucket+"/*" || name == bucket+"*"
	}
	secure, narrow := s.Condition["Bool"]["aws:SecureTransport"], len(s.Condition) != 1 || len(s.Condition["Bool"]) != 1
	plain := secure == "false" || secure == false
	if values, ok := secure.([]any); ok {
		plain = len(values) == 1 && (values[0] == "false" || values[0] == false)
	}
	return s.Effect == "Deny" && isEverybody(s.Principal) && plain && !narrow &&
		slices.ContainsFunc(s.Action, everything) && slices.ContainsFunc(s.Resource, objects)
}

func isEverybody(principal any) bool {
	if of, ok := principal.(map[string]any); ok {
		principal = of["AWS"]
	}
	if all, ok := principal.([]any); ok {
		return slices.Contains(all, any("*"))
	}
	return principal == "*"
}
