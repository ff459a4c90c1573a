package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestCommandsInDocuments: what the documents tell people to type is a command, with flags that it
// has, and with as many arguments as it takes. A command that stands alone in a sentence is only named.
func TestCommandsInDocuments(t *testing.T) {
	lines := documentedCommands(t)
	if len(lines) < 150 {
		t.Fatalf("only %d commands were found", len(lines))
	}
	for line, file := range lines {
		root := testApp(&memory{}, "", &bytes.Buffer{}, &bytes.Buffer{}).root()
		root.InitDefaultCompletionCmd()
		words := shellWords(line)
		c, rest, err := root.Find(words)
		if err != nil || c == root {
			t.Errorf("%s: %s: no such command (%v)", file, line, err)
			continue
		}
		for _, word := range rest {
			if name := flagName(word); name != "" && findFlag(c, name) == nil {
				t.Errorf("%s: %s: no flag %s", file, line, word)
			}
		}
		if err := refusal(c, rest); err != nil && len(rest) > 0 {
			t.Errorf("%s: %s: %v", file, line, err)
		}
	}
}

// refusal is what a command says of its words before it connects to anything. NAME stands for a name.
func refusal(c *cobra.Command, words []string) error {
	if err := c.ParseFlags(words); err != nil {
		return err
	}
	return c.ValidateArgs(strings.Fields(strings.ToLower(strings.Join(c.Flags().Args(), " "))))
}

// documentedCommands are what follows "lifeboat" in blocks of code and within sentences, by the file
// that has it.
func documentedCommands(t *testing.T) map[string]string {
	t.Helper()
	block := regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```")
	inSentence := regexp.MustCompile("`lifeboat ([a-z][^`|]*)`")
	lines := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			joined := strings.ReplaceAll(found[2], "\\\n", " ")
			for line := range strings.Lines(joined) {
				if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "lifeboat "); ok && !strings.HasPrefix(rest, "(") { // a diagram
					lines[rest] = path
				}
			}
		}
		for _, found := range inSentence.FindAllStringSubmatch(block.ReplaceAllString(string(text), ""), -1) {
			lines[strings.Join(strings.Fields(found[1]), " ")] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// shellWords are the words of a line up to a comment, a pipe or a redirection. What is quoted is
// one word.
func shellWords(line string) []string {
	var words []string
	for _, word := range regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`).FindAllString(line, -1) {
		if strings.HasPrefix(word, "#") || word == "|" || strings.HasPrefix(word, ">") || word == "&&" {
			break
		}
		words = append(words, word)
	}
	return words
}

// flagName is the name of a flag, "" of what is none.
func flagName(word string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if !strings.HasPrefix(word, "-") || name == "" {
		return ""
	}
	return name
}

func findFlag(c *cobra.Command, name string) *pflag.Flag {
	for _, set := range []*pflag.FlagSet{c.Flags(), c.InheritedFlags()} {
		if f := set.Lookup(name); f != nil {
			return f
		}
		if len(name) == 1 {
			if f := set.ShorthandLookup(name); f != nil {
				return f
			}
		}
	}
	return nil
}
