package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/docs/schemas"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/drill"
)

const evidenceDir = "../internal/drill/evidence/testdata"

func evidenceFiles(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(evidenceDir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(names), err)
	}
	return names
}

// drillArgs is a command line with the key of the corpus.
func drillArgs(verb string, more ...string) []string {
	return append([]string{"drill", verb, "--key", filepath.Join(evidenceDir, "signer.pub")}, more...)
}

func TestDrillVerify(t *testing.T) {
	whole := evidenceFiles(t, "chains/whole/*.json")
	got := lifeboat(t, &memory{}, "", drillArgs("verify", whole...)...)
	got.want(t, console.CodeDone, "FILE", "genuine", "prod", "Every file is genuine, and the chain has no gap.")
	hidden := evidenceFiles(t, "chains/failure-hidden/*.json")
	lifeboat(t, &memory{}, "", drillArgs("verify", hidden...)...).want(t, console.CodePartiallyFailed, "gap: chain prod: the evidence of drill 2 is not among the files", "ask for what is missing")
	lifeboat(t, &memory{}, "", drillArgs("verify", append(whole, evidenceFiles(t, "files/envelope-payload-altered.json")...)...)...).
		want(t, console.CodeFailed, "REFUSED", "the file was altered after it was signed", "Not every file is genuine")
	lifeboat(t, &memory{}, "", drillArgs("verify", whole[2])...).want(t, console.CodeDone, "chain prod begins here with drill 3: the evidence of 2 before it was not given")
	lifeboat(t, &memory{}, "", drillArgs("verify", evidenceFiles(t, "files/valid-rotated-key.json")...)...).want(t, console.CodeFailed, "none of those given")
	lifeboat(t, &memory{}, "", "drill", "verify", whole[0]).want(t, console.CodeError, "--key: give the public key")
	lifeboat(t, &memory{}, "", drillArgs("verify")...).want(t, console.CodeError)
	lifeboat(t, &memory{}, "", drillArgs("verify", "no-such-file")...).want(t, console.CodeError, "no-such-file")
	lifeboat(t, &memory{}, "", drillArgs("verify", "-o", "xml", whole[0])...).want(t, console.CodeError, `"xml" is not one of table, json, yaml`)
}

// The answer for programs has the verdicts, and needs no worker and no Temporal.
func TestDrillVerifyDocument(t *testing.T) {
	t.Setenv(drill.KeyVariable, filepath.Join(evidenceDir, "signer.pub"))
	start := time.Now()
	got := lifeboat(t, nil, "", append([]string{"drill", "verify", "-o", "json"}, evidenceFiles(t, "chains/slot-told/*.json")...)...)
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
	got.want(t, console.CodePartiallyFailed)
	var report struct {
		Files []struct {
			Valid bool
			Level string
		}
		Gaps []struct{ Kind, Slot string }
	}
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Files) != 3 || !report.Files[2].Valid || report.Files[0].Level != "L2" || len(report.Gaps) != 1 || report.Gaps[0].Kind != "missed" {
		t.Errorf("%+v", report)
	}
	lifeboat(t, nil, "", "drill", "verify", "-o", "yaml", evidenceFiles(t, "files/valid-full.json")[0]).want(t, console.CodeDone, "valid: true", "rtoMs: 690000")
}

func TestDrillReport(t *testing.T) {
	full := evidenceFiles(t, "files/valid-full.json")[0]
	lifeboat(t, &memory{}, "", drillArgs("report", full)...).want(t, console.CodeDone, "passed: L5 is proven, L5 is wanted", "11:30, objective 30:00", `orders: held, recorded "48211", found "48211"`)
	failed := evidenceFiles(t, "files/valid-failed.json")[0]
	lifeboat(t, &memory{}, "", "drill", "report", failed).want(t, console.CodeDone, "warning: the signature is not checked", "[RTO_EXCEEDED]", "finalizer example.com/wait")
	lifeboat(t, &memory{}, "", drillArgs("report", full, "-o", "yaml")...).want(t, console.CodeDone, "_type: https://in-toto.io/Statement/v1")
	lifeboat(t, &memory{}, "", drillArgs("report", evidenceFiles(t, "files/envelope-other-key.json")...)...).want(t, console.CodeError, "none of those given")

	page := filepath.Join(t.TempDir(), "page.html")
	lifeboat(t, &memory{}, "", drillArgs("report", full, "--html", page)...).want(t, console.CodeDone, "Page written to "+page)
	text, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(text), "bookstore-quarterly") || strings.Contains(string(text), "not checked when") {
		t.Errorf("%v", err)
	}
	lifeboat(t, &memory{}, "", drillArgs("report", full, "--html", filepath.Join(t.TempDir(), "no", "page"))...).want(t, console.CodeError, "--html: ")
}

func TestDrillKeygen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "drills.key")
	lifeboat(t, &memory{}, "", "drill", "keygen", name).want(t, console.CodeDone, "Key id:", "lifeboat drill verify --key "+name+".pub FILE...")
	private, err := os.Stat(name)
	if err != nil || private.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", private, err)
	}
	before, _ := os.ReadFile(name)
	lifeboat(t, &memory{}, "", "drill", "keygen", name).want(t, console.CodeError, "choose another name")
	if after, _ := os.ReadFile(name); string(after) != string(before) {
		t.Error("a key was overwritten")
	}
	lifeboat(t, &memory{}, "", "drill", "verify", "--key", name, evidenceFiles(t, "files/valid-small.json")[0]).want(t, console.CodeError, "this is a private key: give the public one")
	lifeboat(t, &memory{}, "", "drill", "verify", "--key", name+".pub", evidenceFiles(t, "files/valid-small.json")[0]).want(t, console.CodeFailed, "none of those given")
}

func TestDrillSchema(t *testing.T) {
	if got := lifeboat(t, &memory{}, "", "drill", "schema"); got.code != console.CodeDone || got.out != string(schemas.RestoreDrill) {
		t.Errorf("%+v", got)
	}
}
