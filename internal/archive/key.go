package archive

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	resourcesDir    = "resources"
	clusterDir      = "cluster"
	namespacesDir   = "namespaces"
	preferredSuffix = "-preferredversion"
	jsonSuffix      = ".json"

	// maxSegment bounds one path segment in bytes. Kubernetes names have at most
	// 253 characters, but for RBAC objects the API server sets no limit.
	maxSegment = 512
)

// Key identifies an object in an archive.
type Key struct {
	Resource  string // plural, with ".group" unless the group is core: "pods", "deployments.apps"
	Version   string // API version without group: "v1"
	Namespace string // empty for cluster-scoped objects
	Name      string
}

// Path is the object's path in the tarball without its version:
// resources/<resource>/namespaces/<ns>/<name>.json or .../cluster/<name>.json.
func (k Key) Path() string { return string(appendPath(nil, k, false)) }

// VersionedPath is the path of the second copy, below <version>-preferredversion.
func (k Key) VersionedPath() string { return string(appendPath(nil, k, true)) }

// String is for messages: "secrets bookstore/db", "clusterroles admin".
func (k Key) String() string { return k.Resource + " " + k.Object() }

// Object is "namespace/name", or the name of a cluster-scoped object. Spans
// compare this string byte by byte.
func (k Key) Object() string { return string(appendObject(nil, k)) }

// Validate says whether the key can be stored; the error wraps ErrKey. Names
// with a slash, control character or invalid UTF-8 cannot. Those with a backslash can, which
// RBAC objects for groups of Active Directory have.
func (k Key) Validate() error {
	for _, s := range [...]struct{ what, v string }{{"resource", k.Resource}, {"name", k.Name}} {
		if err := checkSegment(s.v); err != nil {
			return fmt.Errorf("%w: %s %q: %w", ErrKey, s.what, s.v, err)
		}
	}
	if k.Namespace != "" {
		if err := checkSegment(k.Namespace); err != nil {
			return fmt.Errorf("%w: namespace %q: %w", ErrKey, k.Namespace, err)
		}
	}
	if !validVersion(k.Version) {
		return fmt.Errorf("%w: version %q of %s", ErrKey, k.Version, k)
	}
	return nil
}

// ParsePath is the inverse of Path and VersionedPath. The input may be hostile;
// anything but a path of exactly that form is refused with an ErrKey. The
// version is empty for a path without one. Version directories that are not
// the preferred one parse too.
func ParsePath(p string) (k Key, versioned bool, err error) {
	if k, versioned, err = parsePath(p); err != nil {
		return Key{}, false, fmt.Errorf("%w: path %.200q: %w", ErrKey, p, err)
	}
	return k, versioned, nil
}

func parsePath(p string) (k Key, versioned bool, err error) {
	parts := strings.Split(p, "/")
	if len(parts) < 4 || len(parts) > 6 || parts[0] != resourcesDir {
		return k, false, fmt.Errorf("not resources/<resource>/[<version>/](cluster|namespaces/<namespace>)/<name>.json")
	}
	for _, s := range parts {
		if err := checkSegment(s); err != nil {
			return k, false, err
		}
	}
	k.Resource, parts = parts[1], parts[2:]
	if parts[0] != clusterDir && parts[0] != namespacesDir {
		k.Version = strings.TrimSuffix(parts[0], preferredSuffix)
		if !validVersion(k.Version) {
			return k, false, fmt.Errorf("version directory %.80q", parts[0])
		}
		versioned, parts = true, parts[1:]
	}
	err = k.setPlace(parts)
	return k, versioned, err
}

// setPlace takes namespace and name from the end of a path.
func (k *Key) setPlace(parts []string) error {
	switch {
	case len(parts) == 2 && parts[0] == clusterDir:
	case len(parts) == 3 && parts[0] == namespacesDir:
		k.Namespace = parts[1]
	default:
		return fmt.Errorf("wrong depth")
	}
	name, ok := strings.CutSuffix(parts[len(parts)-1], jsonSuffix)
	if !ok {
		return fmt.Errorf("file is not <name>.json")
	}
	k.Name = name
	return checkSegment(name)
}

func checkSegment(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("empty part")
	case s == "." || s == "..":
		return fmt.Errorf("part %q", s)
	case len(s) > maxSegment:
		return fmt.Errorf("%w: part of %d bytes, at most %d", errUnusual, len(s), maxSegment)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: invalid UTF-8", errUnusual)
	case strings.Contains(s, "/"):
		return fmt.Errorf("character %q", '/')
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == 0x7f {
			return fmt.Errorf("%w: character %q", errUnusual, c)
		}
	}
	return nil
}

// errUnusual is a name that the API server may take for an RBAC object, and an archive cannot
// hold. It leads nowhere else: of a foreign tarball only that object is left out.
var errUnusual = errors.New("the name cannot be stored")

// validVersion holds for DNS labels that cannot be confused with the other
// directories at that depth.
func validVersion(v string) bool {
	if v == "" || len(v) > MaxNameLength || v == clusterDir || v == namespacesDir || strings.HasSuffix(v, preferredSuffix) {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return v[0] != '-' && v[len(v)-1] != '-'
}

func appendPath(dst []byte, k Key, versioned bool) []byte {
	dst = append(append(append(dst, resourcesDir...), '/'), k.Resource...)
	if versioned {
		dst = append(append(append(dst, '/'), k.Version...), preferredSuffix...)
	}
	if k.Namespace == "" {
		dst = append(append(dst, '/'), clusterDir...)
	} else {
		dst = append(append(append(dst, '/'), namespacesDir...), '/')
		dst = append(dst, k.Namespace...)
	}
	return append(append(append(dst, '/'), k.Name...), jsonSuffix...)
}

func appendObject(dst []byte, k Key) []byte {
	if k.Namespace != "" {
		dst = append(append(dst, k.Namespace...), '/')
	}
	return append(dst, k.Name...)
}
