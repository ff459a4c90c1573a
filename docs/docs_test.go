// Package docs_test holds the documents against the code and against each other.
package docs_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const root = ".."

// TestEveryCodeIsExplained: what a user may be shown as a code has a row in TROUBLESHOOTING.md,
// and no row is about a code that is not there any more.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	codes := codesOfSource(t)
	rows := rowsOf(t, "TROUBLESHOOTING.md")
	if len(codes) < 100 {
		t.Fatalf("only %d codes were found in the source", len(codes))
	}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		if _, ok := rows[code]; !ok {
			t.Errorf("%s (%s) has no row", code, codes[code])
		}
	}
	for _, code := range slices.Sorted(maps.Keys(rows)) {
		if codes[code] == "" {
			t.Errorf("no code is %s", code)
		}
	}
}

// TestWeightsOfReasons: the documented weight of a reason is the one it has.
func TestWeightsOfReasons(t *testing.T) {
	t.Parallel()
	seen := 0
	for code, cells := range rowsOf(t, "TROUBLESHOOTING.md") {
		reason := report.New(report.Code(code), "")
		if weight := cells[0]; reason.Next != "" && (weight == "error" || weight == "warning") {
			seen++
			if weight != strings.ToLower(string(reason.Severity)) {
				t.Errorf("%s is documented as %s, and is %s", code, weight, reason.Severity)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d weights were compared", seen)
	}
}

// codesOfSource gives for each code the file that declares it.
func codesOfSource(t *testing.T) map[string]string {
	t.Helper()
	codes := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && slices.Contains([]string{"tools", "test", "testdata", ".git"}, entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			for _, code := range codesOfDeclaration(decl) {
				codes[code] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

// codesOfDeclaration are the codes that constants of a declaration are: those of a type that is
// called so, the types of errors, and why a location cannot be used.
func codesOfDeclaration(decl ast.Decl) []string {
	group, ok := decl.(*ast.GenDecl)
	if !ok || group.Tok != token.CONST {
		return nil
	}
	var codes []string
	for _, spec := range group.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || len(value.Values) != 1 || !isCode(value) {
			continue
		}
		if literal, ok := value.Values[0].(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(literal.Value); err == nil {
				codes = append(codes, text)
			}
		}
	}
	return codes
}

func isCode(value *ast.ValueSpec) bool {
	name := value.Names[0].Name
	if strings.HasPrefix(name, "ErrType") || strings.HasPrefix(name, "Reason") && value.Type == nil {
		return true
	}
	switch of := value.Type.(type) {
	case *ast.Ident:
		return strings.HasSuffix(of.Name, "Code")
	case *ast.SelectorExpr:
		return of.Sel.Name == "Code"
	}
	return false
}

// rowsOf are the rows of a document's tables whose first cell has codes, and the other cells, by
// code. A code is the only word of its quotes, and begins with a capital.
func rowsOf(t *testing.T, name string) map[string][]string {
	t.Helper()
	code := regexp.MustCompile("`([A-Z][A-Za-z_]+)`")
	rows := map[string][]string{}
	for line := range strings.Lines(read(t, name)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) < 2 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		for _, found := range code.FindAllStringSubmatch(cells[0], -1) {
			rows[found[1]] = cells[1:]
		}
	}
	return rows
}

// TestLinks: what documents link to inside the project is there, heading included.
func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, path := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(withoutCode(read(t, path)), -1) {
			target, heading, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			checked++
			file := filepath.Join(filepath.Dir(path), target)
			if target == "" {
				file = path
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s: %v", path, found[1], err)
			} else if heading != "" && !slices.Contains(headings(read(t, file)), heading) {
				t.Errorf("%s links to %s: no such heading", path, found[1])
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were checked", checked)
	}
}

// TestRepositoryLinks: what the project's files link to by its address on its host is in it, heading
// included.
func TestRepositoryLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`https://github\.com/lifeboat-backup/lifeboat/(?:blob|tree|raw)/([\w.-]+)/([\w./-]*[\w/])(?:#([\w-]+))?`)
	checked := 0
	for _, path := range trackedFiles(t, ".") {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata/") {
			continue
		}
		for _, found := range link.FindAllStringSubmatch(read(t, filepath.Join(root, path)), -1) {
			checked++
			file := filepath.Join(root, found[2])
			if _, err := os.Stat(file); err != nil || found[1] != "main" {
				t.Errorf("%s links to %s: %v", path, found[0], err)
			} else if found[3] != "" && !slices.Contains(headings(read(t, file)), found[3]) {
				t.Errorf("%s links to %s: no such heading", path, found[0])
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d links were checked", checked)
	}
}

// trackedFiles are the paths of what the repository has that fits a pattern of git.
func trackedFiles(t *testing.T, pattern string) []string {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--", pattern)
	git.Dir = root
	out, err := git.Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	if len(names) < 3 {
		t.Fatalf("only %q are tracked", names)
	}
	return names
}

// documents are the project's pages in Markdown.
func documents(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "dist" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// headings are the anchors that hosts of repositories make of a page's headings.
func headings(text string) []string {
	drop := regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	var out []string
	for line := range strings.Lines(withoutCode(text)) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		anchor := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		out = append(out, strings.ReplaceAll(anchor, " ", "-"))
	}
	return out
}

// withoutCode leaves out blocks of code, in which nothing is a link or a heading.
func withoutCode(text string) string {
	return regexp.MustCompile("(?ms)^ *```.*?^ *```").ReplaceAllString(text, "")
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTopLevelIsText: what is tracked at the top level is for people to read. A package that a
// download has left there is not.
func TestTopLevelIsText(t *testing.T) {
	t.Parallel()
	for _, name := range trackedFiles(t, ":(glob)*") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			t.Errorf("%s is no text", name)
		}
	}
}
