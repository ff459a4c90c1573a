package apply

import (
	"strings"
	"testing"
)

// TestUnservedReasons: each definition that is not served is a reason of its own, in the
// order of their names.
func TestUnservedReasons(t *testing.T) {
	reasons := unservedReasons(map[string]string{"b.example.com": "not Established", "a.example.com": "names not accepted"})
	if len(reasons) != 2 || reasons[0].Name != "a.example.com" || reasons[1].Name != "b.example.com" {
		t.Fatalf("%+v", reasons)
	}
	for i, cause := range []string{"names not accepted", "not Established"} {
		if r := reasons[i]; !r.IsError() || r.Resource != "customresourcedefinitions.apiextensions.k8s.io" || !strings.Contains(r.Message, "within 1m0s: "+cause) {
			t.Errorf("%+v", r)
		}
	}
	if records := recordOfReasons(reasons); len(records) != 1 || len(records[0].Reasons) != 2 || records[0].Kind != "" {
		t.Errorf("%+v", records)
	}
	if records := recordOfReasons(unservedReasons(nil)); records == nil || len(records) > 0 {
		t.Errorf("%+v", records)
	}
}
