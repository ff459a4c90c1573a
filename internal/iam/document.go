// Package iam writes the policy and trust documents of the roles that Lifeboat's worker takes in
// AWS, and says which calls they have to allow and which not.
//
//   - policy.go: the permissions, by role.
//   - volumes.go, bucket.go: their statements.
//   - trust.go: who may take the role, by IRSA or EKS Pod Identity.
//   - calls.go: what each role calls, and what it may not.
//   - verify.go: policies held against both.
//
// It is pure; package evaluation judges requests by such documents.
package iam

import (
	"bytes"
	"encoding/json"
)

// Document is an IAM policy or trust document.
type Document struct {
	Version   string
	Statement []Statement
}

// Statement allows actions. A resource is missing in trust documents only.
type Statement struct {
	Sid       string
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    oneOrMore
	Resource  oneOrMore `json:",omitempty"`
	Condition condition `json:",omitempty"`
}

// condition is operator → key → values.
type condition map[string]map[string]oneOrMore

// oneOrMore is written as IAM's own examples are: one value without brackets.
type oneOrMore []string

// MarshalJSON implements json.Marshaler.
func (o oneOrMore) MarshalJSON() ([]byte, error) {
	if len(o) == 1 {
		return json.Marshal(o[0])
	}
	return json.Marshal([]string(o))
}

const policyVersion = "2012-10-17"

// Text is the document as it is given to AWS: indented JSON with a newline at its end.
func (d Document) Text() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return out.Bytes(), err
}

func allow(sid string, actions, resources []string, conditions condition) Statement {
	return Statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources, Condition: conditions}
}

// like is a condition that a key has one of the values, with wildcards.
func like(key string, values ...string) condition {
	return condition{"StringLike": {key: values}}
}
