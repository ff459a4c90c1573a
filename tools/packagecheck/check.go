package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// check names every broken rule about sizes and imports.
func (r rules) check(packages []goPackage) []string {
	var out []string
	known := map[string]bool{}
	for _, p := range packages {
		known[p.Path] = true
		if limit := r.limit(p.Path); p.Lines > limit {
			out = append(out, fmt.Sprintf("%s has %d lines; the limit is %d: divide it by purpose", p.Path, p.Lines, limit))
		}
		if r.layer(p.Path) < 0 {
			out = append(out, fmt.Sprintf("%s has no layer: add it to the table in tools/packagecheck/rules.go and to docs/ARCHITECTURE.md", p.Path))
		}
		for _, to := range p.Imports {
			if broken := r.checkImport(use{p.Path, to}); broken != "" {
				out = append(out, broken)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(r.Limits)) {
		if !known[path] {
			out = append(out, fmt.Sprintf("the limit of %s is of no package: remove it from tools/packagecheck/rules.go", path))
		}
	}
	return out
}

func (r rules) limit(path string) int {
	if limit, ok := r.Limits[path]; ok {
		return limit
	}
	return r.MaxLines
}

// checkImport says what is wrong with an import, or "". Packages without a layer are
// reported once, not at every import.
func (r rules) checkImport(u use) string {
	from, to := r.layer(u.From), r.layer(u.To)
	switch {
	case from < 0 || to < 0 || from < to || r.listedBeside(u):
		return ""
	case from == to:
		return fmt.Sprintf("%s imports %s beside it, in layer %q: move what both need down, or list the pair in tools/packagecheck/rules.go", u.From, u.To, r.Layers[to].Name)
	}
	return fmt.Sprintf("%s (layer %q) imports %s (%q), against the layers", u.From, r.Layers[from].Name, u.To, r.Layers[to].Name)
}

func (r rules) listedBeside(u use) bool {
	return r.layer(u.From) == r.layer(u.To) && slices.ContainsFunc(r.Beside, func(b use) bool {
		return fits(b.From, u.From) && fits(b.To, u.To)
	})
}

// layer is the number of a package's layer, -1 if it has none.
func (r rules) layer(path string) int {
	found, length := -1, -1
	for n, l := range r.Layers {
		for _, pattern := range l.Packages {
			if fits(pattern, path) && len(pattern) > length {
				found, length = n, len(pattern)
			}
		}
	}
	return found
}

// fits says whether a path is the pattern, or below it where that ends in "/...".
func fits(pattern, path string) bool {
	if below, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(path, below)
	}
	return pattern == path
}

// countImports are the product's imports of itself, and how many of them do not point down.
func (r rules) countImports(packages []goPackage) (all, back int) {
	for _, p := range packages {
		for _, to := range p.Imports {
			all++
			if r.checkImport(use{p.Path, to}) != "" {
				back++
			}
		}
	}
	return all, back
}

// checkCitations names the sections of documents that comments cite and that are not there.
func checkCitations(packages []goPackage, sections map[string]map[string]bool) []string {
	var out []string
	for _, p := range packages {
		for _, c := range p.Citations {
			if !sections[c.Document][c.Section] {
				out = append(out, fmt.Sprintf("%s cites %s %s, which has no such section", c.Position, c.Document, c.Section))
			}
		}
	}
	return out
}

// checkReserved names what a package mentions and is reserved to others.
func (r rules) checkReserved(packages []goPackage) []string {
	var out []string
	for _, words := range r.Reserved {
		pattern := regexp.MustCompile(words.Pattern)
		for _, p := range packages {
			if slices.ContainsFunc(words.To, func(to string) bool { return fits(to, p.Path) }) {
				continue
			}
			for _, m := range p.Mentions {
				if pattern.MatchString(m.Text) {
					out = append(out, fmt.Sprintf("%s: %s: %s", m.Position, m.Text, words.Why))
				}
			}
		}
	}
	return out
}

// familySize is how many files with one prefix look like a folder.
const familySize = 4

// family is a prefix that the names of several files of a package share.
type family struct {
	Prefix string
	Files  int
}

// families finds the prefixes, up to an underscore, that at least familySize files share. A
// file and its tests count once.
func families(files []string) []family {
	members := map[string]map[string]bool{}
	for _, file := range files {
		stem := stemOf(file)
		for i, char := range stem {
			if char != '_' {
				continue
			}
			prefix := stem[:i+1]
			if members[prefix] == nil {
				members[prefix] = map[string]bool{}
			}
			members[prefix][stem] = true
		}
	}
	var out []family
	for prefix, stems := range members {
		if len(stems) >= familySize {
			out = append(out, family{prefix, len(stems)})
		}
	}
	slices.SortFunc(out, func(a, b family) int { return cmp.Compare(a.Prefix, b.Prefix) })
	return out
}

// stemOf is a file's name without its extension and what has a meaning to the go command.
func stemOf(file string) string {
	stem := strings.TrimSuffix(strings.TrimSuffix(file, ".go"), "_test")
	for _, suffix := range []string{"_amd64", "_arm64", "_unix", "_linux", "_darwin", "_windows"} {
		stem = strings.TrimSuffix(stem, suffix)
	}
	return stem
}

// oneWord says whether a name has no inner capital, digit or underscore.
func oneWord(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == ""
}
