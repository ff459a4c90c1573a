package manifest

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"includedNamespaces", "excludedNamespaces", "ttl", "storageLocation"}
	for name, want := range map[string]string{
		"includeNamespaces":  "includedNamespaces",
		"INCLUDEDNAMESPACES": "includedNamespaces",
		"storageLocatoin":    "storageLocation",
		"ttll":               "ttl",
		"tll":                "ttl",
		"x":                  "", // too short to tell
		"whatever":           "",
	} {
		if got := NearestName(name, known); got != want {
			t.Errorf("NearestName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"abc", "abc", 0}} {
		if got := editDistance(tc.a, tc.b); got != tc.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}
