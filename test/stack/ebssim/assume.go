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
// caller, and its conditions on external id and tags have to be met.
func (s *Sim) assumeSigned(c *call) (any, error) {
	kept, err := newSession(c)
	if err != nil {
		return nil, err
	}
	arn := c.params.Get("RoleArn")
	held, ok := s.roles[arn]
	actions := []string{"sts:AssumeRole"}
	tags := sessionTags(c.params)
	if len(tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	for _, action := range actions {
		r := evaluation.Request{Action: action, Resource: arn}
		if id := c.params.Get("ExternalId"); id != "" {
			r.Set("sts:ExternalId", id)
		}
		for key, value := range tags {
			r.Set("aws:RequestTag/"+key, value)
		}
		mine := c.who.admin || evaluation.Evaluate(c.who.policies, r) == evaluation.Allowed
		if !ok || !mine || !held.trusts(c.who) || evaluation.Evaluate([]evaluation.Policy{held.trust}, r) != evaluation.Allowed {
			return nil, &wire.Error{
				Status: http.StatusForbidden, Code: "AccessDenied",
				Message: fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.who.arn, action, arn),
			}
		}
	}
	return s.begin(c, held, kept)
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
	var document struct {
		Statement []struct{ Principal struct{ AWS any } }
	}
	if err := json.Unmarshal(r.Trust, &document); err != nil {
		return false
	}
	arn := cmp.Or(who.role, who.arn)
	account := strings.Split(arn, ":")[4]
	for _, s := range document.Statement {
		named, several := s.Principal.AWS.([]any)
		if !several {
			named = []any{s.Principal.AWS}
		}
		if slices.Contains(named, any(arn)) || slices.Contains(named, any("arn:aws:iam::"+account+":root")) {
			return true
		}
	}
	return false
}
