package archive_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

type tarEntry struct {
	tar.Header
	body string
}

func file(name, body string) tarEntry {
	return tarEntry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755}, body}
}

func rawTar(t testing.TB, entries ...tarEntry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		e.Size = int64(len(e.body))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

const (
	version = "metadata/version"
	podPath = "resources/pods/namespaces/a/p.json"
	pod     = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"a"}}`
)

func recut(t testing.TB, tarball io.Reader, lim archive.HostileLimits) ([]object, archive.RecutStats, error) {
	t.Helper()
	src := &memory{files: map[string][]byte{}}
	var refs []archive.ChunkRef
	w := archive.NewWriter(tinyLimits(), when, func(c archive.Chunk) error {
		key := fmt.Sprint("chunk", len(refs))
		src.files[key] = bytes.Clone(c.Staged)
		refs = append(refs, c.Ref(key))
		return nil
	})
	stats, err := archive.Recut(context.Background(), tarball, w, lim)
	if err != nil {
		return nil, stats, err
	}
	a, err := archive.OpenStaged(src, refs)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Verify(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	var out []object
	err = a.Walk(context.Background(), 0, len(a.Members()), func(_ int, e archive.Entry, body []byte) error {
		out = append(out, object{e.Key, bytes.Clone(body)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, stats, nil
}

func same(a, b []object) bool {
	return slices.EqualFunc(a, b, func(x, y object) bool { return x.key == y.key && bytes.Equal(x.body, y.body) })
}

func TestRecutReadsVelerosTarballs(t *testing.T) {
	deployment := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"a","name":"d"}}`
	namespace := `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","namespace":null}}`
	objects, stats, err := recut(t, bytes.NewReader(zip(t, rawTar(t,
		file(version, "1.1.0\n"),
		tarEntry{Header: tar.Header{Typeflag: tar.TypeDir, Name: "resources/", Mode: 0o755}},
		file(podPath, pod),
		file("resources/pods/v1-preferredversion/namespaces/a/p.json", pod),
		file("./resources/deployments.apps/namespaces/a/d.json", deployment),
		file("resources/deployments.apps/v1beta1/namespaces/a/d.json", "not even JSON"),
		file("resources/namespaces/cluster/a.json", namespace),
		file("other/file", "ignored"),
	))), archive.DefaultHostileLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []object{
		{archive.Key{Resource: "pods", Version: "v1", Namespace: "a", Name: "p"}, []byte(pod)},
		{archive.Key{Resource: "deployments.apps", Version: "v1", Namespace: "a", Name: "d"}, []byte(deployment)},
		{archive.Key{Resource: "namespaces", Version: "v1", Name: "a"}, []byte(namespace)},
	}
	if !same(objects, want) {
		t.Fatalf("%v", objects)
	}
	if stats.Objects != 3 || stats.Ignored != 3 || stats.FormatVersion != "1.1.0" || stats.RawBytes == 0 || stats.StoredBytes == 0 {
		t.Fatalf("%+v", stats)
	}
}

func TestRecutReadsOurOwnTarball(t *testing.T) {
	want := sample(20)
	for i := range want { // bodies whose apiVersion is the plain version
		want[i] = makeObject(want[i].key.Resource, want[i].key.Version, want[i].key.Namespace, want[i].key.Name, "x")
	}
	src, l := newArchive(t, tinyLimits(), want)
	got, stats, err := recut(t, bytes.NewReader(src.files[l.Tarball()]), archive.DefaultHostileLimits())
	if err != nil || !same(got, want) {
		t.Fatalf("%v: %v", err, got)
	}
	if stats.StoredBytes != int64(len(src.files[l.Tarball()])) {
		t.Fatalf("%+v", stats)
	}
}

func TestRecutOfNoResourcesIsEmpty(t *testing.T) {
	for _, entries := range [][]tarEntry{nil, {file(version, "1.1.0\n")}} {
		objects, _, err := recut(t, bytes.NewReader(zip(t, rawTar(t, entries...))), archive.DefaultHostileLimits())
		if err != nil || len(objects) != 0 {
			t.Errorf("%v, %v", objects, err)
		}
	}
}

func TestRecutRefusesHostileTarballs(t *testing.T) {
	body := func(s string) []tarEntry { return []tarEntry{file(podPath, s)} }
	name := func(s string) []tarEntry { return []tarEntry{file(s, pod)} }
	typed := func(c byte) []tarEntry {
		return []tarEntry{{Header: tar.Header{Typeflag: c, Name: podPath, Linkname: "/etc/passwd"}}}
	}
	for what, entries := range map[string][]tarEntry{
		"escape":              name("../" + podPath),
		"escape inside":       name("resources/pods/namespaces/../../p.json"),
		"escape elsewhere":    name("other/../../x"),
		"absolute":            name("/" + podPath),
		"too deep":            name("resources/pods/namespaces/a/b/c/p.json"),
		"not JSON's name":     name("resources/pods/namespaces/a/p.yaml"),
		"symlink":             typed(tar.TypeSymlink),
		"hard link":           typed(tar.TypeLink),
		"character device":    typed(tar.TypeChar),
		"block device":        typed(tar.TypeBlock),
		"fifo":                typed(tar.TypeFifo),
		"twice":               {file(podPath, pod), file(podPath, pod)},
		"invalid JSON":        body(`{"apiVersion":"v1"`),
		"empty body":          body(""),
		"no object":           body(`[1]`),
		"null":                body(`null`),
		"no metadata":         body(`{"apiVersion":"v1"}`),
		"another name":        body(strings.Replace(pod, `"p"`, `"q"`, 1)),
		"another namespace":   body(strings.Replace(pod, `"a"`, `"b"`, 1)),
		"no namespace":        body(`{"apiVersion":"v1","metadata":{"name":"p"}}`),
		"name in other case":  body(strings.Replace(pod, `"name"`, `"Name"`, 1)),
		"name no string":      body(strings.Replace(pod, `"p"`, `1`, 1)),
		"no apiVersion":       body(strings.Replace(pod, `"apiVersion"`, `"x"`, 1)),
		"apiVersion escapes":  body(strings.Replace(pod, `"v1"`, `"a/../b"`, 1)),
		"two documents":       body(pod + pod),
		"cluster with ns":     {file("resources/nodes/cluster/p.json", pod)},
		"an object too large": body(strings.Replace(pod, "Pod", strings.Repeat("x", 5000), 1)),
		"many entries":        {file("a", ""), file("b", ""), file("c", ""), file("d", "")},
	} {
		lim := archive.DefaultHostileLimits()
		lim.ObjectBytes, lim.Entries = 4096, 3
		_, _, err := recut(t, bytes.NewReader(zip(t, rawTar(t, entries...))), lim)
		if !errors.Is(err, archive.ErrHostile) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestRecutStopsBombs(t *testing.T) {
	zeros := zip(t, append(rawTar(t, file(version, "1.1.0\n")), make([]byte, 8<<20)...))
	if _, _, err := recut(t, bytes.NewReader(zeros), archive.DefaultHostileLimits()); !errors.Is(err, archive.ErrHostile) {
		t.Errorf("behind the end: %v", err)
	}
	lim := archive.DefaultHostileLimits()
	lim.TotalBytes = 4 << 20
	ignored := zip(t, rawTar(t, file(version, "1.1.0\n"), file("other/zeros", strings.Repeat("\x00", 8<<20))))
	if _, _, err := recut(t, bytes.NewReader(ignored), lim); !errors.Is(err, archive.ErrHostile) {
		t.Errorf("total: %v", err)
	}
}

// A cluster's objects may be alike to the byte: what compresses a thousandfold is no bomb.
func TestRecutTakesWhatCompressesWell(t *testing.T) {
	entries := []tarEntry{file(version, "1.1.0\n")}
	for i := range 90 {
		name := fmt.Sprintf("pad%d", i)
		body := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"a"},"data":{"t":%q}}`, name, strings.Repeat(" ", 900_000))
		entries = append(entries, file("resources/configmaps/namespaces/a/"+name+".json", body))
	}
	_, stats, err := recut(t, bytes.NewReader(zip(t, rawTar(t, entries...))), archive.DefaultHostileLimits())
	if err != nil || stats.Objects != 90 || stats.RawBytes/stats.StoredBytes < 400 {
		t.Errorf("%+v, %v", stats, err)
	}
}

// Names of RBAC objects may hold almost anything. A backslash and a space are stored; what an
// archive cannot hold is left out and named, and does not keep the rest from being restored.
func TestRecutUnusualNames(t *testing.T) {
	entry := func(dir, name string) tarEntry {
		body, err := json.Marshal(map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": map[string]any{"name": name}})
		if err != nil {
			t.Fatal(err)
		}
		return file("resources/clusterrolebindings.rbac.authorization.k8s.io/"+dir+"cluster/"+name+".json", string(body))
	}
	objects, stats, err := recut(t, bytes.NewReader(zip(t, rawTar(t, file(version, "1.1.0\n"),
		entry("", `CORP\k8s-admins`), entry("", "Team Blau: Lesen & Schreiben (äöü)"),
		entry("", "tab\there"), entry("v1-preferredversion/", "tab\there"), entry("", strings.Repeat("x", 600)),
	))), archive.DefaultHostileLimits())
	if err != nil || stats.Objects != 2 || len(objects) != 2 || len(stats.Unusual) != 2 || !strings.Contains(stats.Unusual[0], `tab\there`) {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestRecutNamesDamage(t *testing.T) {
	raw := rawTar(t, file(version, "1.1.0\n"), file(podPath, pod))
	good := zip(t, raw)
	for what, bad := range map[string][]byte{
		"empty":                 {},
		"no gzip":               raw,
		"no tar":                zip(t, bytes.Repeat([]byte("x"), 2048)),
		"tar cut in a header":   zip(t, raw[:700]),
		"tar cut in a body":     zip(t, raw[:1600]),
		"tar without its end":   zip(t, raw[:len(raw)-1024]),
		"tar with half its end": zip(t, raw[:len(raw)-512]),
		"checksum":              append(bytes.Clone(good[:len(good)-8]), make([]byte, 8)...),
		"trailing garbage":      append(bytes.Clone(good), "garbage that is no gzip"...),
	} {
		if _, _, err := recut(t, bytes.NewReader(bad), archive.DefaultHostileLimits()); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := range good {
		if _, _, err := recut(t, bytes.NewReader(good[:n]), archive.DefaultHostileLimits()); !errors.Is(err, archive.ErrCorrupt) {
			t.Errorf("cut to %d of %d: %v", n, len(good), err)
		}
	}
	twice := zip(t, append(bytes.Clone(raw), raw...))
	if _, _, err := recut(t, bytes.NewReader(twice), archive.DefaultHostileLimits()); !errors.Is(err, archive.ErrHostile) {
		t.Errorf("data after the end: %v", err)
	}
}

func TestRecutVersions(t *testing.T) {
	for v, want := range map[string]error{"1\n": nil, "10.0": archive.ErrVersion, "1.1.0\n": nil, "1.2.0": nil, "2.0.0\n": archive.ErrVersion, "": archive.ErrVersion} {
		_, _, err := recut(t, bytes.NewReader(zip(t, rawTar(t, file(version, v)))), archive.DefaultHostileLimits())
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", v, err, want)
		}
	}
}

// A store that fails must not be reported as a corrupt backup.
func TestRecutPassesTheReadersError(t *testing.T) {
	good := zip(t, rawTar(t, file(podPath, pod)))
	cause := errors.New("connection reset")
	for n := range good {
		r := io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(cause))
		if _, _, err := recut(t, r, archive.DefaultHostileLimits()); !errors.Is(err, cause) || errors.Is(err, archive.ErrCorrupt) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := archive.NewWriter(tinyLimits(), when, func(archive.Chunk) error { return nil })
	if _, err := archive.Recut(ctx, bytes.NewReader(good), w, archive.DefaultHostileLimits()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestScan takes what Recut takes, and tells of damage at the very end.
func TestScan(t *testing.T) {
	raw := rawTar(t, file(version, "1.1.0\n"), file(podPath, pod), file("other/file", "ignored"))
	scan := func(tarball []byte, take func(archive.Key, []byte) error) (archive.RecutStats, error) {
		return archive.Scan(t.Context(), bytes.NewReader(tarball), archive.DefaultHostileLimits(), take)
	}
	var got []object
	take := func(k archive.Key, body []byte) error {
		got = append(got, object{k, bytes.Clone(body)})
		return nil
	}
	want := []object{{archive.Key{Resource: "pods", Version: "v1", Namespace: "a", Name: "p"}, []byte(pod)}}
	if stats, err := scan(zip(t, raw), take); err != nil || !same(got, want) || stats.Objects != 1 || stats.Ignored != 1 {
		t.Errorf("%v, %+v, %v", got, stats, err)
	}
	cut := zip(t, raw)
	got = nil
	if _, err := scan(cut[:len(cut)-8], take); !errors.Is(err, archive.ErrCorrupt) || !same(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	enough := errors.New("enough")
	if _, err := scan(zip(t, raw), func(archive.Key, []byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}
