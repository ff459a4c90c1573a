package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

// ourBackups are two backups of ours behind signed URLs. damage changes what is stored.
func ourBackups(t *testing.T, damage func(key string, body []byte) []byte) *memory {
	t.Helper()
	st := memstore.New()
	for i, password := range []string{"b2xk", "bmV3"} {
		objects := []repositorytest.Object{
			{Key: archive.Key{Resource: "secrets", Version: "v1", Namespace: "shop", Name: "db"}, Body: fmt.Sprintf(`{"metadata":{"name":"db","namespace":"shop","resourceVersion":"%d"},"data":{"password":%q,"user":"c2hvcA=="}}`, i, password)},
			{Key: archive.Key{Resource: "configmaps", Version: "v1", Namespace: "shop", Name: "web"}, Body: fmt.Sprintf(`{"metadata":{"name":"web","namespace":"shop"},"data":{"replicas":"%d"}}`, i)},
			{Key: archive.Key{Resource: "clusterroles.rbac.authorization.k8s.io", Version: "v1", Name: "same"}, Body: `{"metadata":{"name":"same"}}`},
		}
		if i == 1 {
			objects = append(objects, repositorytest.Object{Key: archive.Key{Resource: "pods", Version: "v1", Namespace: "shop", Name: "new"}, Body: `{}`})
		}
		err := repositorytest.Commit(t.Context(), st, repositorytest.Backup{Name: fmt.Sprint("n", i+1), UID: "u", Started: time.Date(2026, 1, i+1, 2, 0, 0, 0, time.UTC), Objects: objects})
		if err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, "/")
		body, ok := st.Object(key)
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(damage(key, bytes.Clone(body))))
	}))
	t.Cleanup(srv.Close)
	m := stock()
	for _, name := range []string{"n1", "n2"} {
		l := layout.Backup{Name: name}
		for file, key := range map[string]string{contract.FileContents: l.Tarball(), contract.FileIndex: l.Index(), contract.FileManifest: l.Manifest()} {
			m.reads[contract.ReadBackupURL+"/"+name+"/"+file] = contract.ReadResult{URL: srv.URL + "/" + key + "?signature=s3cr3t", Location: "east"}
		}
	}
	return m
}

func whole(_ string, body []byte) []byte { return body }

// TestObjectDiff compares single objects. No value of a Secret is shown, and none is asked of
// Temporal.
func TestObjectDiff(t *testing.T) {
	m := ourBackups(t, whole)
	for object, want := range map[string][]string{
		"secrets/shop/db":    {"~ secrets shop/db\n    data.password: \"<masked A>\" -> \"<masked B>\"\n"},
		"cm/shop/web":        {"    data.replicas: \"0\" -> \"1\"\n"},
		"configmap/shop/web": {"    data.replicas: \"0\" -> \"1\"\n"},
		"clusterroles/same":  {"= clusterroles.rbac.authorization.k8s.io same is the same in n1 and n2\n"},
		"pods/shop/new":      {"+ pods shop/new is in n2 and not in n1\n"},
	} {
		got := lifeboat(t, m, "", "backup", "diff", "n1", "n2", "--object", object)
		got.want(t, console.CodeDone, want...)
		if strings.Contains(got.out, "b2xk") || strings.Contains(got.out, "bmV3") {
			t.Errorf("%s: a secret value is shown: %s", object, got.out)
		}
	}
	lifeboat(t, m, "", "backup", "diff", "n2", "n1", "--object", "pods/shop/new").want(t, console.CodeDone, "- pods shop/new is in n2 and not in n1\n")
	lifeboat(t, m, "", "backup", "diff", "n1", "n2", "--object", "secrets/shop/db", "-o", "json").want(t, console.CodeDone, `"path": "data.password"`, `"change": "changed"`)
	lifeboat(t, m, "", "backup", "diff", "n1", "n2", "--object", "pods/shop/none").want(t, console.CodeNotFound, `neither backup "n1" nor "n2" has it`)
	lifeboat(t, m, "", "backup", "diff", "n1", "n2", "--object", "wdgt/shop/x").want(t, console.CodeNotFound, `no type "wdgt"`, "its plural")
	lifeboat(t, m, "", "backup", "diff", "n1", "n2", "--object", "pods").want(t, console.CodeError, "RESOURCE/NAMESPACE/NAME")
	for _, in := range m.asked {
		if in.Verb != contract.ReadBackupURL {
			t.Errorf("asked the worker for %+v", in)
		}
		if in.File != contract.FileManifest && in.Location != "east" {
			t.Errorf("after the manifest all locations were asked again for %s", in.File)
		}
	}
}

// TestDiffOfWhatIsNotThere: a backup that does not exist, or is being taken, is none of Velero's.
func TestDiffOfWhatIsNotThere(t *testing.T) {
	m := ourBackups(t, whole)
	for _, more := range [][]string{nil, {"--object", "secrets/shop/db"}} {
		got := lifeboat(t, m, "", append([]string{"backup", "diff", "n1", "nope"}, more...)...)
		got.want(t, console.CodeNotFound, "not found")
		lifeboat(t, m, "", append([]string{"backup", "diff", "n1", "busy"}, more...)...).want(t, console.CodeNotFound, `backup "busy" is InProgress`, "lifeboat backup wait busy")
		if strings.Contains(got.errors, "Velero") {
			t.Errorf("%s", got.errors)
		}
	}
}

func TestBackupDiffIsShown(t *testing.T) {
	m := stock()
	m.reads[contract.ReadBackupDiff+"/n1/"] = contract.ReadResult{Diff: &contract.BackupDiff{
		From: contract.DiffSide{Backup: "n1"}, To: contract.DiffSide{Backup: "n2"}, Added: 1, Changed: 1200, Same: 5,
		Places: []contract.DiffPlace{{Resource: "secrets", Namespace: "shop", Changed: 1200}, {Resource: "clusterroles", Added: 1}}, MorePlaces: 2,
		Objects: []contract.ObjectChange{{Change: "changed", Resource: "secrets", Namespace: "shop", Name: "db"}, {Change: "added", Resource: "clusterroles", Name: "x"}}, MoreObjects: 1199,
		Notes: []string{"by body"},
	}}
	lifeboat(t, m, "", "backup", "diff", "n1", "n2", "--limit", "2").want(t, console.CodeDone,
		"1 added, 0 removed, 1,200 changed, 5 the same", "Note: by body", "RESOURCE", "<cluster>", "~ secrets shop/db\n+ clusterroles x\n",
		"... and 1,199 objects more", "... and 2 places more", "Next: lifeboat backup diff n1 n2 --object secrets/shop/db")
	if in := m.asked[len(m.asked)-1]; in.To != "n2" || in.Limit != 2 {
		t.Errorf("asked %+v", in)
	}
	lifeboat(t, m, "", "backup", "diff", "n1", "n2", "-o", "json").want(t, console.CodeDone, `"changed": 1200`)
	lifeboat(t, m, "", "backup", "diff", "n1").want(t, console.CodeError, "say which two backups, the older one first: lifeboat backup diff OLDER NEWER; got 1 names")
	lifeboat(t, m, "", "backup", "diff", "none", "n2").want(t, console.CodeNotFound)
}

func TestObjectHistoryIsShown(t *testing.T) {
	m := stock()
	history := func(versions ...int) contract.ReadResult {
		h := &contract.ObjectHistory{Resource: "secrets", Namespace: "shop", Name: "db", Foreign: 2}
		for i, v := range versions {
			h.Backups = append(h.Backups, contract.ObjectState{Backup: fmt.Sprint("n", i+1), Version: v, Started: time.Date(2026, 1, i+1, 2, 0, 0, 0, time.UTC), Location: "default"})
		}
		return contract.ReadResult{History: h}
	}
	ask := func(more ...string) *result {
		got := lifeboat(t, m, "", append([]string{"object", "history", "secrets/shop/db"}, more...)...)
		return &got
	}
	m.reads[contract.ReadObjectHistory] = history(0, 1, 1, 2)
	got := ask()
	got.want(t, console.CodeDone, "n1", "not there", "n2", "added", "n4", "changed", "2 backups of other clusters left out",
		"To restore version 1: lifeboat restore create --from-backup n3 --include-resources secrets --include-name shop/db")
	if strings.Contains(got.out, "same") {
		t.Errorf("shows a backup in which nothing changed: %s", got.out)
	}
	ask("--all").want(t, console.CodeDone, "n3", "same")
	ask("-o", "yaml").want(t, console.CodeDone, "version: 2")
	m.reads[contract.ReadObjectHistory] = history(1, 0)
	ask().want(t, console.CodeDone, "To restore version 1: lifeboat restore create --from-backup n1")
	m.reads[contract.ReadObjectHistory] = history(1, 1)
	ask().want(t, console.CodeDone, "It is the same in all backups")
	m.reads[contract.ReadObjectHistory] = history(0, 0)
	ask().want(t, console.CodeNotFound, "plural")
	ask("-o", "json").want(t, console.CodeNotFound, `"version": 0`, "plural")
	h := history(1, 1, 1, 2)
	h.History.Backups[2].Corrupt = true
	m.reads[contract.ReadObjectHistory] = h
	ask("--all").want(t, console.CodeDone, "n3", "same, Corrupt", "To restore version 1: lifeboat restore create --from-backup n2 --include", "1 backup is Corrupt")
	h.History.Backups[0].Corrupt, h.History.Backups[1].Corrupt = true, true
	ask().want(t, console.CodeDone, "--allow-corrupt --from-backup n3 --include", "only in backups that are Corrupt")
	h = history(1, 1)
	h.History.Backups[1].Corrupt = true
	m.reads[contract.ReadObjectHistory] = h
	ask().want(t, console.CodeDone, "It is the same in all backups", "--from-backup n1 --include")
	h = history(1, 0)
	h.History.Backups[0].Corrupt = true
	m.reads[contract.ReadObjectHistory] = h
	ask().want(t, console.CodeDone, "--from-backup n1", "--allow-corrupt")
	lifeboat(t, m, "", "object", "history", "db").want(t, console.CodeError, "RESOURCE/NAMESPACE/NAME")
}

// TestDownloadIsHeldAgainstTheManifest: what gzip's own sums do not see is told by name.
func TestDownloadIsHeldAgainstTheManifest(t *testing.T) {
	m := ourBackups(t, whole)
	file := filepath.Join(t.TempDir(), "x.tar.gz")
	lifeboat(t, m, "", "backup", "download", "n1", "-o", file).want(t, console.CodeDone, "as in its manifest")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lacking := func(b []byte) []byte { return b[bytes.LastIndex(b, []byte{0x1f, 0x8b, 8}):] } // the last member only
	for name, damage := range map[string]func([]byte) []byte{
		"a member is missing":  func(b []byte) []byte { return b[:len(b)-len(lacking(b))] },
		"only the last member": lacking,
		"a member follows":     func(b []byte) []byte { return append(b, lacking(b)...) },
		"a bit is flipped":     func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	} {
		m := ourBackups(t, func(key string, body []byte) []byte {
			if strings.HasSuffix(key, ".tar.gz") {
				return damage(body)
			}
			return body
		})
		lifeboat(t, m, "", "backup", "download", "n1", "-o", file, "--force").want(t, console.CodeError, `download backup "n1": corrupt backups/n1/n1.tar.gz`)
		if left, err := os.ReadFile(file); err != nil || !bytes.Equal(left, good) {
			t.Errorf("%s: the file that was there is another, %v", name, err)
		}
	}
	m = ourBackups(t, func(key string, body []byte) []byte {
		if strings.HasSuffix(key, "index.gz") {
			body[len(body)-9] ^= 1
		}
		return body
	})
	lifeboat(t, m, "", "backup", "download", "n1", "-o", file, "--force").want(t, console.CodeError, "corrupt backups/n1/n1-lifeboat-index.gz")
}
