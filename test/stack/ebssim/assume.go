package ebssim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

// assumeSigned is AssumeRole: the caller's policies have to allow it, the role has to trust the
// caller, and its conditions on external id and tags have to be met. Transitive tags of the caller's own
// session go along, and cannot be said anew.
func (s *Sim) assumeSigned(c *call) (any, error) {
	kept, err := newSession(c)
	if err != nil {
		return nil, err
	}
	arn := c.params.Get("RoleArn")
	held, ok := s.roles[arn]
	tags := sessionTags(c.params)
	kept.Transitive = c.who.transitive
	for key := range tags {
		if _, isInherited := kept.Transitive[key]; isInherited {
			return nil, wire.Invalid("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
	}
	for _, r := range sessionRequests(arn, c.params.Get("ExternalId"), tags, len(tags)+len(kept.Transitive) > 0) {
		mine := c.who.admin || evaluation.Evaluate(c.who.policies, r) == evaluation.Allowed
		if !ok || !mine || !held.trusts(c.who) || evaluation.Evaluate([]evaluation.Policy{held.trust}, r) != evaluation.Allowed {
			return nil, &wire.Error{
				Status: http.StatusForbidden, Code: "AccessDenied",
				Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.who.arn, r.Action, arn),
			}
		}
	}
	return s.begin(c, held, kept)
}

// sessionRequests are what IAM is asked before a session of a role begins: the second one if it has
// tags, its own or inherited ones.
func sessionRequests(arn, externalID string, tags map[string]string, isTagged bool) (requests []evaluation.Request) {
	for _, action := range []string{"sts:AssumeRole", "sts:TagSession"} {
		r := evaluation.Request{Action: action, Resource: arn}
		if externalID != "" {
			r.Set("sts:ExternalId", externalID)
		}
		for key, value := range tags {
			r.Set("aws:RequestTag/"+key, value)
		}
		requests = append(requests, r)
	}
	if !isTagged {
		return requests[:1]
	}
	return requests
}

// sessionTags are the tags that a session is to have.
func sessionTags(p wire.Params) map[string]string {
	tags := map[string]string{}
	for i := 1; p.Get(fmt.Sprintf("Tags.member.%d.Key", i)) != ""; i++ {
		tags[p.Get(fmt.Sprintf("Tags.member.%d.Key", i))] = p.Get(fmt.Sprintf("Tags.member.%d.Value", i))
	}
	return tags
}

// trusts says if an identity, or the role whose session it is, is among the principals of the
// role's trust policy, by itself or with all of its account.
func (r *role) trusts(who *identity) bool {
	arn := cmp.Or(who.role, who.arn)
	account := strings.Split(arn, ":")[4]
	named := r.principals("AWS")
	return slices.Contains(named, any(arn)) || slices.Contains(named, any("arn:aws:iam::"+account+":root"))
}

// principals are those of a kind that the role's trust policy names.
func (r *role) principals(kind string) (named []any) {
	var document struct {
		Statement []struct{ Principal map[string]any }
	}
	if err := json.Unmarshal(r.Trust, &document); err != nil {
		return nil
	}
	for _, s := range document.Statement {
		if several, ok := s.Principal[kind].([]any); ok {
			named = append(named, several...)
			continue
		}
		named = append(named, s.Principal[kind])
	}
	return named
}
