//go:build stack

package evidence

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

const secondVerifier = "../../../tools/evidence/verify.py"

// secondReport is what tools/evidence/verify.py prints.
type secondReport struct {
	Files []struct {
		File   string
		Valid  bool
		SHA256 Digest
		Error  string
	}
	Gaps []Gap
}

// runSecond runs the verifier in Python. It needs python3 and openssl: without them the test
// fails, for nobody looks at tests that were left out.
func runSecond(t *testing.T, files ...string) (secondReport, int) {
	t.Helper()
	for _, program := range []string{"python3", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the second verifier needs %s: %v", program, err)
		}
	}
	args := []string{secondVerifier, "--now", chainNow().Format(time.RFC3339), "--key", filepath.Join(corpusDir, "signer.pub"), "--key", filepath.Join(corpusDir, "rotated.pub")}
	out, err := exec.Command("python3", append(args, files...)...).Output()
	code := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		code = failed.ExitCode()
		if len(failed.Stderr) > 0 {
			t.Fatalf("%s", failed.Stderr)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	var report secondReport
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return report, code
}

// TestSecondVerifierAgrees: a program that shares no line with this package takes and refuses
// the same files, and finds the same gaps.
func TestSecondVerifierAgrees(t *testing.T) {
	var names []string
	files := corpus(t)
	for _, f := range files {
		names = append(names, filepath.Join(corpusDir, "files", f.name+".json"))
	}
	report, code := runSecond(t, names...)
	if len(report.Files) != len(files) || code != 2 {
		t.Fatalf("%d of %d files, code %d", len(report.Files), len(files), code)
	}
	for i, f := range files {
		got := report.Files[i]
		if want := f.want == ""; got.Valid != want || got.SHA256 != DigestOf(f.content) {
			t.Errorf("%s: valid %t, want %t: %s", f.name, got.Valid, want, got.Error)
		}
	}
}

func TestSecondVerifierFindsGaps(t *testing.T) {
	for name, c := range chainCases(t) {
		t.Run(name, func(t *testing.T) {
			names, err := filepath.Glob(filepath.Join(corpusDir, "chains", name, "*.json"))
			if err != nil || len(names) != len(c.files) {
				t.Fatalf("%d files, %v", len(names), err)
			}
			var files []Evidence
			for _, f := range c.files {
				e, err := Verify(f, testKeys())
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, e)
			}
			var want []Gap
			for _, gap := range CheckChain(files, chainNow()) {
				gap.Detail = ""
				want = append(want, gap)
			}
			report, code := runSecond(t, names...)
			if got := report.Gaps; len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if wantCode := 3 * min(1, len(want)); code != wantCode {
				t.Errorf("code %d, want %d", code, wantCode)
			}
		})
	}
}
