package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

// bucket serves files by name and makes a Lifeboat that signs their URLs.
func bucket(t *testing.T, files map[string][]byte) *memory {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	m := stock()
	for name := range files {
		m.reads[contract.ReadBackupURL+"/"+name] = contract.ReadResult{URL: srv.URL + "/" + name + "?signature=s3cr3t"}
		m.reads[contract.ReadRestoreURL+"/"+name] = m.reads[contract.ReadBackupURL+"/"+name]
	}
	m.reads[contract.ReadBackupURL+"/lost"] = contract.ReadResult{URL: srv.URL + "/lost?signature=s3cr3t"}
	return m
}

func TestLogs(t *testing.T) {
	m := bucket(t, map[string][]byte{"nightly": packed("line one\n"), "plain": []byte("as it is\n")})
	if got := lifeboat(t, m, "", "backup", "logs", "nightly"); got.out != "line one\n" {
		t.Errorf("%+v", got)
	}
	if got := lifeboat(t, m, "", "restore", "logs", "plain"); got.out != "as it is\n" {
		t.Errorf("%+v", got)
	}
	lifeboat(t, m, "", "backup", "logs", "busy").want(t, console.CodeError, `backup "busy" is InProgress: its log is written when it ends`)
	lifeboat(t, m, "", "backup", "logs", "broken").want(t, console.CodeError, `backup "broken" is Failed and left no log`)
	lifeboat(t, m, "", "backup", "logs", "nope").want(t, console.CodeNotFound)
	got := lifeboat(t, m, "", "backup", "logs", "lost")
	got.want(t, console.CodeNotFound, "file not found in the bucket")
	if strings.Contains(got.errors, "s3cr3t") {
		t.Errorf("the signature stands in the error: %s", got.errors)
	}
}

func TestDownload(t *testing.T) {
	whole := packed(strings.Repeat("tar", 1000))
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1
	m := bucket(t, map[string][]byte{"whole": whole, "damaged": damaged, "cut": whole[:len(whole)-3], "html": []byte("<html>")})
	dir := t.TempDir()
	file := filepath.Join(dir, "x.tar.gz")
	lifeboat(t, m, "", "backup", "download", "whole", "-o", file).want(t, console.CodeDone, `Backup "whole" is in `+file, "checksums right", "no manifest")
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v: it holds Secrets", info.Mode(), err)
	}
	lifeboat(t, m, "", "backup", "download", "whole", "-o", file).want(t, console.CodeError, "exists already", "--force")
	lifeboat(t, m, "", "backup", "download", "whole", "-o", file, "--force").want(t, console.CodeDone)
	for _, name := range []string{"damaged", "cut", "html"} {
		lifeboat(t, m, "", "backup", "download", name, "-o", filepath.Join(dir, name)).want(t, console.CodeError, `download backup "`+name+`"`)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	lifeboat(t, m, "", "backup", "download", "nope", "-o", filepath.Join(dir, "n")).want(t, console.CodeNotFound)
}

func TestDetails(t *testing.T) {
	m := bucket(t, map[string][]byte{"nightly": packed(`{"v1/Pod":["shop/a","shop/b"],"v1/Namespace":["shop"]}`), "null": packed("null\n")})
	lifeboat(t, m, "", "backup", "describe", "nightly", "--details").want(t, console.CodeDone, "Resource List:", "v1/Pod (2):", "- shop/b")
	lifeboat(t, m, "", "backup", "describe", "nightly", "--details", "-o", "json").want(t, console.CodeDone, `"resourceList": {`)
	doc := backupDoc("old", "Completed")
	m.reads[contract.ReadBackup] = contract.ReadResult{Backup: &doc}
	for _, old := range []string{"null", "lost", "listless"} {
		lifeboat(t, m, "", "backup", "describe", old, "--details").want(t, console.CodeDone, "Resource List:", "<none was stored>")
	}
	lifeboat(t, m, "", "backup", "describe", "nightly", "--details", "--cacert", "/nope").want(t, console.CodeError, "--cacert: open /nope")
}

func TestDryRun(t *testing.T) {
	plan := `{"resource":"configmaps","namespace":"shop","name":"a","action":"create"}
{"resource":"secrets","namespace":"shop","name":"b","action":"update","diff":[{"path":"data.password","backup":"(masked 1)","live":"(masked 2)","result":"(masked 1)"}]}
{"resource":"namespaces","name":"shop","action":"none"}
`
	m := bucket(t, map[string][]byte{"look": packed(plan)})
	m.results = map[string]any{"look": contract.RestoreResult{Name: "look", Backup: "nightly", Phase: "Completed", DryRun: true, Hooks: contract.HookCounts{Attempted: 1200}}}
	got := lifeboat(t, m, "", "restore", "create", "look", "--from-backup", "nightly", "--dry-run")
	got.want(t, console.CodeDone, `Dry run "look" of backup "nightly" Completed in under 1s; 0 warnings, 0 errors.`, "It would run 1,200 hooks in restored pods.", "+ configmaps shop/a\n", "~ secrets shop/b\n    data.password: \"(masked 2)\" becomes \"(masked 1)\"\n",
		"3 objects: 1 to create, 1 to update, 0 to skip, 1 already as in the backup, 0 would fail.", "Nothing was written.", "--plan look")
	m.failures["look"] = &temporal.RunError{Run: temporal.Run{Kind: temporal.KindRestore, Name: "look"}, Phase: "Failed", Message: "x"}
	lifeboat(t, m, "", "restore", "create", "look", "--from-backup", "nightly", "--dry-run").want(t, console.CodeFailed)
}
