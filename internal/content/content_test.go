package content

import (
	"encoding/json"
	"testing"
)

const secret = `{"kind":"Secret","metadata":{"name":"db","namespace":"shop","uid":"1","resourceVersion":"7","labels":{"a":"b"},"managedFields":[{"time":"x","fieldsV1":{"f:a":{}}}]},"data":{"p":"cGFzcw=="},"status":{"x":1}}`

func sumOf(resource, body string) [Size]byte {
	sum, _ := Sum(nil, resource, []byte(body))
	return sum
}

// TestSum changes an object in one place at a time.
func TestSum(t *testing.T) {
	base := sumOf("secrets", secret)
	for name, c := range map[string]struct {
		body string
		same bool
	}{
		"another revision, uid and status": {`{"kind":"Secret","metadata":{"name":"db","namespace":"shop","uid":"2","resourceVersion":"9","generation":4,"labels":{"a":"b"}},"data":{"p":"cGFzcw=="},"status":{"x":[2,"}"]}}`, true},
		"no status":                        {`{"kind":"Secret","metadata":{"labels":{"a":"b"}},"data":{"p":"cGFzcw=="}}`, true},
		"another value":                    {`{"kind":"Secret","metadata":{"labels":{"a":"b"}},"data":{"p":"cGFzcx=="}}`, false},
		"another label":                    {`{"kind":"Secret","metadata":{"labels":{"a":"c"}},"data":{"p":"cGFzcw=="}}`, false},
		"no label":                         {`{"kind":"Secret","metadata":{},"data":{"p":"cGFzcw=="}}`, false},
		"an annotation":                    {`{"kind":"Secret","metadata":{"labels":{"a":"b"},"annotations":{"status":"x"}},"data":{"p":"cGFzcw=="}}`, false},
		"a finalizer":                      {`{"kind":"Secret","metadata":{"labels":{"a":"b"},"finalizers":["x"]},"data":{"p":"cGFzcw=="}}`, false},
		"a status within the data":         {`{"kind":"Secret","metadata":{"labels":{"a":"b"}},"data":{"p":"cGFzcw==","status":"x"}}`, false},
		"restored":                         {`{"kind":"Secret","metadata":{"labels":{"a":"b","velero.io/backup-name":"n","velero.io/restore-name":"r"}},"data":{"p":"cGFzcw=="}}`, true},
		"restored, and labeled":            {`{"kind":"Secret","metadata":{"labels":{"a":"b","c":"d","velero.io/restore-name":"r"}},"data":{"p":"cGFzcw=="}}`, false},
		"a label that moved to the top":    {`{"kind":"Secret","metadata":{},"labels":{"a":"b"},"data":{"p":"cGFzcw=="}}`, false},
	} {
		if got := sumOf("secrets", c.body) == base; got != c.same {
			t.Errorf("%s: same is %v, want %v", name, got, c.same)
		}
	}
}

// TestSumWithoutLabels: an object that had no labels has those of its restore, and no others.
func TestSumWithoutLabels(t *testing.T) {
	never := sumOf("secrets", `{"metadata":{"name":"a","annotations":{"x":"y"}}}`)
	if sumOf("secrets", `{"metadata":{"name":"a","labels":{"velero.io/backup-name":"n","velero.io/restore-name":"r"},"annotations":{"x":"y"}}}`) != never {
		t.Error("a restored object is another one")
	}
	if sumOf("secrets", `{"metadata":{"name":"a","labels":{},"annotations":{"x":"y"}}}`) == never {
		t.Error("the bytes of an object that was not restored do not count")
	}
}

func TestSumOfLeases(t *testing.T) {
	at := func(renewed, label string) [Size]byte {
		return sumOf("leases.coordination.k8s.io", `{"metadata":{"labels":{"l":"`+label+`"}},"spec":{"renewTime":"`+renewed+`"}}`)
	}
	if at("1", "a") != at("2", "a") {
		t.Error("a lease that was renewed is another")
	}
	if at("1", "a") == at("1", "b") {
		t.Error("a lease with another label is the same")
	}
}

// FuzzSum: no bytes make it fail, and what JSON leaves open, white space apart, changes nothing
// of the choice of fields.
func FuzzSum(f *testing.F) {
	for _, s := range []string{secret, ``, `{`, `{"a"`, `{"a":}`, `{"metadata":null}`, `{"a":"\\\""}`, `{"metadata":{"labels":[}`, `[]`, "{\"a\":1\n}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		Sum(nil, "pods", body)
		var obj map[string]json.RawMessage
		if json.Unmarshal(body, &obj) != nil || obj == nil {
			return
		}
		if end := eachMember(body, 0, func([]byte, int, int, int) {}); end < 0 {
			t.Fatalf("%q is not taken for an object", body)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	b.SetBytes(int64(len(secret)))
	b.ReportAllocs()
	body, scratch := []byte(secret), []byte(nil)
	for b.Loop() {
		_, scratch = Sum(scratch, "secrets", body)
	}
}
