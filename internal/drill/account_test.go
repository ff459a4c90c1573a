package drill

import "testing"

// TestSample: the object that is taken out of the copy is one that no controller makes again.
func TestSample(t *testing.T) {
	a := newAccount()
	for _, gr := range []string{"deployments.apps", "namespaces"} {
		a.addRestored(entry(gr, "x"), nil)
	}
	a.addRestored(entry("serviceaccounts", "default"), nil)
	if a.Sample != nil {
		t.Errorf("%+v", a.Sample)
	}
	a.addRestored(entry("services", "web"), nil)
	a.addRestored(entry("configmaps", "c"), nil)
	a.addRestored(entry("secrets", "s"), nil)
	if a.Sample == nil || a.Sample.Resource != "configmaps" {
		t.Errorf("%+v", a.Sample)
	}
}
