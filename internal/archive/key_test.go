package archive_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

func TestKeyPaths(t *testing.T) {
	for _, c := range []struct {
		key                   archive.Key
		path, versioned, text string
	}{
		{
			archive.Key{Resource: "secrets", Version: "v1", Namespace: "bookstore", Name: "db"},
			"resources/secrets/namespaces/bookstore/db.json",
			"resources/secrets/v1-preferredversion/namespaces/bookstore/db.json", "secrets bookstore/db",
		},
		{
			archive.Key{Resource: "clusterroles.rbac.authorization.k8s.io", Version: "v1", Name: "system:node"},
			"resources/clusterroles.rbac.authorization.k8s.io/cluster/system:node.json",
			"resources/clusterroles.rbac.authorization.k8s.io/v1-preferredversion/cluster/system:node.json",
			"clusterroles.rbac.authorization.k8s.io system:node",
		},
		{
			archive.Key{Resource: "configmaps", Version: "v1", Namespace: "cluster", Name: "a.json"},
			"resources/configmaps/namespaces/cluster/a.json.json",
			"resources/configmaps/v1-preferredversion/namespaces/cluster/a.json.json", "configmaps cluster/a.json",
		},
	} {
		if c.key.Path() != c.path || c.key.VersionedPath() != c.versioned || c.key.String() != c.text {
			t.Errorf("%+v: %s, %s, %s", c.key, c.key.Path(), c.key.VersionedPath(), c.key)
		}
		k, versioned, err := archive.ParsePath(c.versioned)
		if err != nil || !versioned || k != c.key {
			t.Errorf("%s: %+v %v %v", c.versioned, k, versioned, err)
		}
		c.key.Version = ""
		k, versioned, err = archive.ParsePath(c.path)
		if err != nil || versioned || k != c.key {
			t.Errorf("%s: %+v %v %v", c.path, k, versioned, err)
		}
	}
	k, versioned, err := archive.ParsePath("resources/hpa.autoscaling/v2beta2/namespaces/a/b.json")
	if err != nil || !versioned || k.Version != "v2beta2" {
		t.Errorf("directory of another version: %+v %v %v", k, versioned, err)
	}
}

func TestParsePathRefuses(t *testing.T) {
	for _, p := range []string{
		"", "/", ".", "resources", "resources/", "metadata/version", "resources/pods", "resources/pods/cluster",
		"/resources/pods/cluster/a.json", "./resources/pods/cluster/a.json", "Resources/pods/cluster/a.json",
		"resources/../cluster/a.json", "resources/pods/cluster/../a.json", "resources/pods/namespaces/../a.json",
		"resources/pods/namespaces/./a.json", "resources/pods/namespaces//a.json", "resources//cluster/a.json",
		"resources/pods/cluster/a", "resources/pods/cluster/.json", "resources/pods/cluster/...json",
		"resources/pods/cluster/a.json/", "resources/pods/cluster/a.JSON", "resources/pods/cluster/a\x00.json",
		"resources/pods/cluster/a\nb.json", "resources/pods/cluster/\xff.json",
		"resources/pods/namespaces/a/b/c.json", "resources/pods/v1-preferredversion/cluster/a/b.json",
		"resources/pods/v1-preferredversion/a.json", "resources/pods/-preferredversion/cluster/a.json",
		"resources/pods/v1-preferredversion-preferredversion/cluster/a.json", "resources/pods/V1/cluster/a.json",
		"resources/pods/v1/v1/cluster/a.json", "resources/pods/v1/namespaces/a/b/c.json",
		"resources/pods/cluster/" + strings.Repeat("a", 600) + ".json", strings.Repeat("a/", 10000),
	} {
		if k, _, err := archive.ParsePath(p); !errors.Is(err, archive.ErrKey) {
			t.Errorf("%.80q: %+v, %v", p, k, err)
		}
	}
}

func TestKeyValidate(t *testing.T) {
	good := archive.Key{Resource: "pods", Version: "v1", Namespace: "n", Name: "a"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*archive.Key){
		"no resource":        func(k *archive.Key) { k.Resource = "" },
		"no name":            func(k *archive.Key) { k.Name = "" },
		"no version":         func(k *archive.Key) { k.Version = "" },
		"slash":              func(k *archive.Key) { k.Name = "a/b" },
		"dots":               func(k *archive.Key) { k.Namespace = ".." },
		"reserved version":   func(k *archive.Key) { k.Version = "cluster" },
		"suffixed version":   func(k *archive.Key) { k.Version = "v1-preferredversion" },
		"version with group": func(k *archive.Key) { k.Version = "apps/v1" },
	} {
		k := good
		change(&k)
		if err := k.Validate(); !errors.Is(err, archive.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateName(t *testing.T) {
	for _, n := range []string{"a", "nightly-20260301", "a.b", "0", strings.Repeat("a", 63)} {
		if err := archive.ValidateName(n); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	for _, n := range []string{"", "A", "a_b", "-a", "a-", "a..b", ".a", "a/b", "..", "a\n", "ü", strings.Repeat("a", 64)} {
		if err := archive.ValidateName(n); err == nil || !strings.Contains(err.Error(), "use ") {
			t.Errorf("%q: %v, want an error with the remedy", n, err)
		}
	}
}

// A backup of Velero may have a longer name than one that we make.
func TestValidateBackupName(t *testing.T) {
	for name, valid := range map[string]bool{strings.Repeat("a", 253): true, strings.Repeat("a", 254): false, "a/b": false, "..": false} {
		if err := archive.ValidateBackupName(name); (err == nil) != valid {
			t.Errorf("%.20q: %v", name, err)
		}
	}
}

// Active Directory's names have a backslash.
func TestBackslash(t *testing.T) {
	k := archive.Key{Resource: "clusterrolebindings.rbac.authorization.k8s.io", Version: "v1", Name: `CORP\k8s-admins`}
	got, _, err := archive.ParsePath(k.Path())
	got.Version = k.Version
	if err := errors.Join(err, k.Validate()); err != nil || got != k {
		t.Errorf("%+v, %v", got, err)
	}
}
