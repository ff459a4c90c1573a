package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// goPackage is what the rules ask of one package of the product. Paths are relative to the
// module; tests are left out except where they are named.
type goPackage struct {
	Path      string
	Lines     int
	Imports   []string // of the product, sorted
	Functions []string // unexported functions and methods but main
	Files     []string // with tests
	Citations []citation
	Mentions  []mention
}

// mention is a string, or a name of another package ("volume.Method"), in the source.
type mention struct{ Position, Text string }

// citation is the mention of a section of a document in a source file or a test.
type citation struct{ Position, Document, Section string }

// roots are the directories that the product is made of.
func roots() []string {
	return []string{"./activities/...", "./internal/...", "./starter/...", "./worker/...", "./workflows/..."}
}

// listed is what `go list -json` says of a package.
type listed struct {
	Dir, ImportPath string
	Module          struct{ Path string }
	GoFiles         []string
	IgnoredGoFiles  []string // of other systems and tags
	TestGoFiles     []string
	XTestGoFiles    []string
	Imports         []string
}

func readPackages(root string) ([]goPackage, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=Dir,ImportPath,Module,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports"}, roots()...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	var out []goPackage
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var l listed
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		p, err := l.read()
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
}

func (l *listed) read() (goPackage, error) {
	p := goPackage{Path: l.relative(l.ImportPath)}
	for _, path := range l.Imports {
		if relative := l.relative(path); relative != path {
			p.Imports = append(p.Imports, relative)
		}
	}
	source := slices.DeleteFunc(slices.Concat(l.GoFiles, l.IgnoredGoFiles), isTest)
	p.Files = slices.Concat(l.GoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles)
	for _, file := range p.Files {
		text, err := os.ReadFile(filepath.Join(l.Dir, file))
		if err != nil {
			return p, err
		}
		p.Citations = append(p.Citations, citations(p.Path+"/"+file, text)...)
		if !slices.Contains(source, file) {
			continue
		}
		p.Lines += bytes.Count(text, []byte("\n"))
		files := token.NewFileSet()
		tree, err := parser.ParseFile(files, p.Path+"/"+file, text, parser.SkipObjectResolution)
		if err != nil {
			return p, err
		}
		p.Functions = append(p.Functions, functions(tree)...)
		p.Mentions = append(p.Mentions, mentions(files, tree)...)
	}
	return p, nil
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

// relative is a path below the module; one that is not stays as it is.
func (l *listed) relative(path string) string {
	return strings.TrimPrefix(path, l.Module.Path+"/")
}

// functions are the names of a file's unexported functions and methods. The name main is
// not anybody's choice.
func functions(tree *ast.File) []string {
	var out []string
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && !f.Name.IsExported() && f.Name.Name != "main" {
			out = append(out, f.Name.Name)
		}
	}
	return out
}

func mentions(files *token.FileSet, tree *ast.File) []mention {
	var out []mention
	ast.Inspect(tree, func(n ast.Node) bool {
		text := ""
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				text = n.Value
			}
		case *ast.SelectorExpr:
			if of, ok := n.X.(*ast.Ident); ok {
				text = of.Name + "." + n.Sel.Name
			}
		}
		if text != "" {
			at := files.Position(n.Pos())
			out = append(out, mention{fmt.Sprintf("%s:%d", at.Filename, at.Line), text})
		}
		return true
	})
	return out
}

// citations are the documents that a file mentions with the number of a section.
func citations(file string, text []byte) []citation {
	pattern := regexp.MustCompile(`\b(docs/[A-Z]+\.md) (\d+(?:\.\d+)?)`)
	var out []citation
	for n, line := range strings.Split(string(text), "\n") {
		for _, m := range pattern.FindAllStringSubmatch(line, -1) {
			out = append(out, citation{fmt.Sprintf("%s:%d", file, n+1), m[1], m[2]})
		}
	}
	return out
}

// readSections reads the numbers of the headings of all documents that are cited.
func readSections(root string, packages []goPackage) (map[string]map[string]bool, error) {
	out := map[string]map[string]bool{}
	for _, p := range packages {
		for _, c := range p.Citations {
			if out[c.Document] != nil {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, c.Document)) //nolint:gosec // a file that the checkout's own comments name
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			out[c.Document] = headings(text)
		}
	}
	return out, nil
}

func headings(text []byte) map[string]bool {
	pattern := regexp.MustCompile(`(?m)^#+ (\d+(?:\.\d+)?)\.? `)
	out := map[string]bool{}
	for _, m := range pattern.FindAllSubmatch(text, -1) {
		out[string(m[1])] = true
	}
	return out
}
