package page

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/docs/schemas"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

const corpusDir = "../evidence/testdata"

func render(t *testing.T, name string, o Options) (page string, file []byte) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(corpusDir, name))
	if err != nil {
		t.Fatal(err)
	}
	e, err := evidence.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Render(&out, file, e, o); err != nil {
		t.Fatal(err)
	}
	return out.String(), file
}

// TestPageSaysAll: whatever the evidence of a good and of a failed drill says is on the page.
func TestPageSaysAll(t *testing.T) {
	for name, words := range map[string][]string{
		"files/valid-full.json": {
			"passed", "L5", "11 min 30 s", "objective 30 min", "24 h 10 min", "objective 26 h", "read through", "312", "304 equal, 5 changed on purpose, 3 not restored",
			"2 of 2", "48211", "load-balancer-internal", "LoadBalancer", "ClusterIP", "restore-test-20260102", "snap-0a1b2c3d4e5f60718",
			"one bit of a tarball member flipped", "only a real failover shows that part", "Has a second Region copies?", "SOC 2", "Art. 12",
			"schedule quarterly", "loaded at 100 MiB/s", "Bookstore &amp; &lt;friends&gt;", "on purpose", "2 changed by node-port-dropped",
		},
		"files/valid-failed.json": {
			"failed", "RTO_EXCEEDED", "LEVEL_MISSED", "though they should have been", "exceeded quota", "not checked", "finalizer example.com/wait",
			"undetected", "Removal incomplete", "Pods of the copy that tried to reach db.production:5432: 2; that got through: 1",
		},
		"files/valid-history.json": {"drill 12 of prod", "<title>drill 5: 40 min</title>", "L3 failed", "another drill ran until then"},
		"files/valid-kept.json":    {"kept until 2026-01-02 08:00 UTC"},
		"files/valid-small.json":   {"Rehearsal", "started by hand", "the first", "None were asked for", "a rehearsal plants no fault"},
		"files/valid-early.json":   {"The drill reached no phase", "not reached", "ABORTED"},
		"chains/slot-told/3.json":  {"No drill at ", "the schedule was paused", "(this one)", "drill 1:", "drill 3:"},
	} {
		page, file := render(t, name, Options{Verified: true, File: "x.json"})
		for _, word := range words {
			if !strings.Contains(page, word) {
				t.Errorf("%s: %q is not on the page", name, word)
			}
		}
		if !strings.Contains(page, string(evidence.DigestOf(file))) {
			t.Errorf("%s: the page does not name the evidence", name)
		}
	}
}

// TestPageIsSelfContained: the page loads nothing, runs nothing, and has the file in it.
func TestPageIsSelfContained(t *testing.T) {
	page, file := render(t, "files/valid-full.json", Options{Verified: true, File: "x.json"})
	if found := regexp.MustCompile(`(?i)<script|<img|<iframe|<object|<embed|@import|url\(|\son[a-z]+=|ZgotmplZ|https?://`).FindAllString(page, -1); len(found) > 0 {
		t.Errorf("the page has %q", found)
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") {
			t.Errorf("the page refers to %s", m[1])
		}
	}
	body := regexp.MustCompile(`href="data:application/json;base64,([^"]*)"`).FindStringSubmatch(page)
	if body == nil {
		t.Fatal("the page does not carry the evidence")
	}
	carried, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body[1], "&#43;", "+"))
	if err != nil || !bytes.Equal(carried, file) {
		t.Errorf("the page carries other bytes: %v", err)
	}
	if !strings.Contains(page, "default-src &#39;none&#39;") && !strings.Contains(page, "default-src 'none'") {
		t.Error("no Content-Security-Policy")
	}
}

// TestPageOfUncheckedFile: whoever reads the page sees that nobody looked at the signature.
func TestPageOfUncheckedFile(t *testing.T) {
	const banner = "The signature was not checked when this page was made"
	if page, _ := render(t, "files/valid-small.json", Options{}); !strings.Contains(page, banner) {
		t.Error("unchecked, and the page does not say so")
	}
	if page, _ := render(t, "files/valid-small.json", Options{Verified: true}); strings.Contains(page, banner) {
		t.Error("checked, and the page says it was not")
	}
	_, file := render(t, "files/valid-small.json", Options{})
	if err := Render(&bytes.Buffer{}, file, evidence.Evidence{}, Options{}); err == nil {
		t.Error("a page of other bytes was made")
	}
}

// TestControlsNameFields: every field that the table of demands cites is in the schema, and
// docs/EVIDENCE.md has the same table.
func TestControlsNameFields(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/EVIDENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Controls() {
		for _, field := range c.Fields {
			path := field
			if field != "subject" {
				path = "predicate." + field
			}
			if !hasField(t, path) {
				t.Errorf("%s %s: the schema has no %s", c.Standard, c.Clause, field)
			}
		}
		row := "| " + c.Standard + " | " + c.Clause + " | " + c.Asks + " | `" + strings.Join(c.Fields, "`, `") + "` |"
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/EVIDENCE.md has not the row\n%s", row)
		}
	}
	if hasField(t, "predicate.claim.colour") || hasField(t, "predicate.claim.level.x") {
		t.Error("fields are found that do not exist")
	}
}

type schemaNode struct {
	Ref        string                `json:"$ref"`
	Properties map[string]schemaNode `json:"properties"`
	Items      *schemaNode           `json:"items"`
	Defs       map[string]schemaNode `json:"$defs"`
}

func hasField(t *testing.T, path string) bool {
	t.Helper()
	var root schemaNode
	if err := json.Unmarshal(schemas.RestoreDrill, &root); err != nil {
		t.Fatal(err)
	}
	node := root
	for name := range strings.SplitSeq(path, ".") {
		if node.Items != nil {
			node = *node.Items
		}
		if node.Ref != "" {
			node = root.Defs[strings.TrimPrefix(node.Ref, "#/$defs/")]
		}
		next, ok := node.Properties[name]
		if !ok {
			return false
		}
		node = next
	}
	return true
}

// FuzzRender: whatever evidence says, the page keeps it as text.
func FuzzRender(f *testing.F) {
	for _, seed := range []string{"plain", "<script>alert(1)</script>", `"><img src=x onerror=y>`, "javascript:x", "{{.}}", "\u2028'\"`</style>"} {
		f.Add(seed)
	}
	content, err := os.ReadFile(filepath.Join(corpusDir, "files", "valid-full.json"))
	if err != nil {
		f.Fatal(err)
	}
	base, err := evidence.Read(content)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := base
		p := &e.Statement.Predicate
		p.Drill.Name, p.NotShown = text, []evidence.NotShown{{Topic: text, Text: text}}
		p.Assertions = []evidence.Assertion{{Name: text, Target: text, Recorded: text, Found: text}}
		var page bytes.Buffer
		if err := Render(&page, content, e, Options{File: text}); err != nil {
			t.Fatal(err)
		}
		for _, tag := range []string{"<script", "<img", "onerror=y>"} {
			if strings.Contains(page.String(), tag) {
				t.Errorf("%s came through", tag)
			}
		}
	})
}

func TestDuration(t *testing.T) {
	for want, m := range map[string]evidence.Millis{
		"0 ms": 0, "420 ms": 420, "1 s": 1000, "11 min 30 s": 690_000, "1 h": 3_600_000, "24 h 10 min": 87_000_000, "2 d": 172_800_000, "3 d 4 h": 273_659_000,
	} {
		if got := duration(m); got != want {
			t.Errorf("%d: got %s, want %s", m, got, want)
		}
	}
}
