package evaluation_test

import (
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

func TestEvaluate(t *testing.T) {
	request := evaluation.Request{Action: "ec2:CreateSnapshot", Resource: "arn:aws:ec2:eu-central-1::snapshot/snap-1"}
	request.Set("aws:RequestTag/app", "db")
	request.Set("aws:TagKeys", "app", "team")
	request.Set("ec2:Encrypted", "true")
	request.Set("ec2:VolumeSize", "20")
	for _, c := range []struct {
		name, statement string
		want            evaluation.Decision
	}{
		{"all", `{"Effect": "Allow", "Action": "*", "Resource": "*"}`, evaluation.Allowed},
		{"actions are in any case", `{"Effect": "Allow", "Action": "EC2:createsnapshot", "Resource": "*"}`, evaluation.Allowed},
		{"action list", `{"Effect": "Allow", "Action": ["ec2:A", "ec2:Create*"], "Resource": "*"}`, evaluation.Allowed},
		{"another action", `{"Effect": "Allow", "Action": "ec2:CreateSnapshots", "Resource": "*"}`, evaluation.NotAllowed},
		{"question mark", `{"Effect": "Allow", "Action": "ec2:CreateSnapsho?", "Resource": "*"}`, evaluation.Allowed},
		{"not action", `{"Effect": "Allow", "NotAction": "ec2:Create*", "Resource": "*"}`, evaluation.NotAllowed},
		{"not another action", `{"Effect": "Allow", "NotAction": "ec2:Delete*", "Resource": "*"}`, evaluation.Allowed},
		{"resource", `{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ec2:*:*:snapshot/*"}`, evaluation.Allowed},
		{"resources are in exact case", `{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ec2:*:*:Snapshot/*"}`, evaluation.NotAllowed},
		{"not resource", `{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:ec2:*:*:snapshot/*"}`, evaluation.NotAllowed},
		{"deny wins", `{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}`, evaluation.Denied},
		{"equals", cond(`"StringEquals": {"aws:RequestTag/app": "db"}`), evaluation.Allowed},
		{"equals one of", cond(`"StringEquals": {"aws:RequestTag/app": ["x", "db"]}`), evaluation.Allowed},
		{"equals another", cond(`"StringEquals": {"aws:RequestTag/app": "d*"}`), evaluation.NotAllowed},
		{"keys are in any case", cond(`"StringEquals": {"AWS:requesttag/app": "db"}`), evaluation.Allowed},
		{"like", cond(`"StringLike": {"aws:RequestTag/app": "d*"}`), evaluation.Allowed},
		{"not equals", cond(`"StringNotEquals": {"aws:RequestTag/app": ["x", "db"]}`), evaluation.NotAllowed},
		{"not equals, absent", cond(`"StringNotEquals": {"aws:RequestTag/none": "db"}`), evaluation.Allowed},
		{"not like", cond(`"StringNotLike": {"aws:RequestTag/app": "x*"}`), evaluation.Allowed},
		{"equals, absent", cond(`"StringEquals": {"aws:RequestTag/none": "db"}`), evaluation.NotAllowed},
		{"if exists, absent", cond(`"StringEqualsIfExists": {"aws:RequestTag/none": "db"}`), evaluation.Allowed},
		{"if exists, other", cond(`"StringEqualsIfExists": {"aws:RequestTag/app": "x"}`), evaluation.NotAllowed},
		{"ignore case", cond(`"StringEqualsIgnoreCase": {"aws:RequestTag/app": "DB"}`), evaluation.Allowed},
		{"all of", cond(`"StringEquals": {"aws:RequestTag/app": "db", "ec2:Encrypted": "false"}`), evaluation.NotAllowed},
		{"all operators", cond(`"StringEquals": {"aws:RequestTag/app": "db"}, "Bool": {"ec2:Encrypted": false}`), evaluation.NotAllowed},
		{"bool", cond(`"Bool": {"ec2:Encrypted": true}`), evaluation.Allowed},
		{"null, absent", cond(`"Null": {"aws:RequestTag/none": "true"}`), evaluation.Allowed},
		{"null, present", cond(`"Null": {"aws:RequestTag/app": "true"}`), evaluation.NotAllowed},
		{"not null", cond(`"Null": {"aws:RequestTag/app": "false"}`), evaluation.Allowed},
		{"number", cond(`"NumericLessThanEquals": {"ec2:VolumeSize": "20"}`), evaluation.Allowed},
		{"number too large", cond(`"NumericLessThan": {"ec2:VolumeSize": 20}`), evaluation.NotAllowed},
		{"any value", cond(`"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}`), evaluation.Allowed},
		{"any value, none", cond(`"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}`), evaluation.NotAllowed},
		{"any value, absent", cond(`"ForAnyValue:StringEquals": {"aws:none": ["x"]}`), evaluation.NotAllowed},
		{"all values", cond(`"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "app", "x"]}`), evaluation.Allowed},
		{"all values, one more", cond(`"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}`), evaluation.NotAllowed},
		{"all values, absent", cond(`"ForAllValues:StringEquals": {"aws:none": ["x"]}`), evaluation.Allowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy, err := evaluation.Parse([]byte(`{"Version": "2012-10-17", "Statement": [` + c.statement + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := evaluation.Evaluate([]evaluation.Policy{policy}, request); got != c.want {
				t.Fatalf("got %d, want %d", got, c.want)
			}
		})
	}
	if got := evaluation.Evaluate(nil, request); got != evaluation.NotAllowed {
		t.Fatalf("no policy: got %d", got)
	}
}

func cond(text string) string {
	return `{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {` + text + `}}`
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                 "Statement",
		`{"Statement": []}`:  "no Statement",
		`{"Statement": "x"}`: "Statement[0]",
		`{"Statements": []}`: "Statements",
		statement(`"Effect": "Permit", "Action": "*"`):                                                         "Effect",
		statement(`"Effect": "Allow"`):                                                                         "Action",
		statement(`"Effect": "Allow", "Action": "*", "NotAction": "x"`):                                        "Action",
		statement(`"Effect": "Allow", "Action": "*", "Resource": "*", "NotResource": "x"`):                     "Resource",
		statement(`"Effect": "Allow", "Action": "*", "Condition": {"StringMatches": {"a": "b"}}`):              "StringMatches",
		statement(`"Effect": "Allow", "Action": "*", "Condition": {"ForSomeValues:StringLike": {"a": "b"}}`):   "ForSomeValues",
		statement(`"Effect": "Allow", "Action": "*", "Condition": {"StringEquals": {"a": "${aws:username}"}}`): "variables",
		statement(`"Effect": "Allow", "Action": "*", "Condition": {"StringEquals": {"a": {"b": "c"}}}`):        "string",
		statement(`"Effect": "Allow", "Action": {"x": "y"}`):                                                   "string",
	} {
		if _, err := evaluation.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
}

func statement(text string) string { return `{"Statement": [{` + text + `}]}` }

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "ab", true},
		{"a*c", "abbbc", true},
		{"a*c", "abbb", false},
		{"*b*b", "abab", true},
		{"?", "", false},
		{"a?c", "abc", true},
		{"a*?", "a", false},
		{"a*?", "ab", true},
	} {
		if got := evaluation.Match(c.pattern, c.text); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

// FuzzParse: whatever a document is, parsing ends without harm, and evaluation too.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"Version": "2012-10-17", "Statement": [` + cond(`"Null": {"a": true}`) + `]}`))
	f.Add([]byte(`{"Statement": {"Effect": "Deny", "NotAction": [], "Action": "x"}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if p, err := evaluation.Parse(text); err == nil {
			evaluation.Evaluate([]evaluation.Policy{p}, evaluation.Request{Action: "ec2:X", Resource: "*", Keys: map[string][]string{"a": {"b"}}})
		}
	})
}
