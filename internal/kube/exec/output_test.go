package exec

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzOutput: however the outputs arrive cut up, what is kept is the end of what
// the command printed, and the marker's line is taken off if and only if it is there.
func FuzzOutput(f *testing.F) {
	f.Add("m 12\nout", "err", 3, 8, true)
	f.Add("m 12", "", 1, 8, true)
	f.Add("m x\r\n\n", "e\ne", 2, 1, true)
	f.Add("sh: oops\nm 12\n", "", 64, 4, true)
	f.Add("plain", "", 5, 1, false)
	f.Fuzz(func(t *testing.T, stdout, stderr string, step, keep int, shell bool) {
		if step < 1 || keep < 1 || keep > 1<<20 {
			t.Skip()
		}
		out := newOutput(keep, "m", shell)
		for rest := stdout; rest != ""; {
			n := min(step, len(rest))
			if wrote, err := out.Write([]byte(rest[:n])); wrote != n || err != nil {
				t.Fatalf("wrote %d of %d, %v", wrote, n, err)
			}
			rest = rest[n:]
		}
		if _, err := out.stderrWriter().Write([]byte(stderr)); err != nil {
			t.Fatal(err)
		}
		want, pid := stdout, ""
		if line, rest, found := strings.Cut(stdout, "\n"); shell && found && strings.HasPrefix(line, "m ") && len(line) < len("m")+32 {
			want, pid = rest, strings.TrimSuffix(line[2:], "\r")
		}
		got := out.toResult()
		if out.processID() != pid || !bytes.Equal(got.Stdout, []byte(want[max(0, len(want)-keep):])) {
			t.Fatalf("%q in steps of %d: pid %q, want %q; kept %q", stdout, step, out.processID(), pid, got.Stdout)
		}
		if cut := len(want) > keep || len(stderr) > keep; got.Cut != cut || !strings.HasSuffix(stderr, string(got.Stderr)) {
			t.Fatalf("cut %v, want %v; stderr %q", got.Cut, cut, got.Stderr)
		}
		if words := out.lastWords(); len(words) > 2*maxStderrQuote || strings.ContainsAny(words, "\r\n") {
			t.Fatalf("last words %q", words)
		}
	})
}
