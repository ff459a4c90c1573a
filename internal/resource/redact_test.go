package resource

import "testing"

func TestRedact(t *testing.T) {
	secret := map[string]any{"data": map[string]any{"p": "aHVudGVyMg==", "x": "YQ==", "odd": 7}} // hunter2, a
	for _, c := range []struct{ resource, text, want string }{
		{"secrets", "denied: hunter2 (aHVudGVyMg==) is a bad one", "denied: <masked> (<masked>) is a bad one"},
		{"secrets", "a plain refusal", "a plain refusal"},
		{"configmaps", "denied: hunter2", "denied: hunter2"},
	} {
		if got := Redact(c.resource, c.text, nil, secret); got != c.want {
			t.Errorf("%s: %q, want %q", c.resource, got, c.want)
		}
	}
}
