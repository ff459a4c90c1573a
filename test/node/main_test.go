//go:build stack

package node

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// shared is the stack of the package, and id tells this run's names from those of an
// earlier one on the same stack. TestMain sets both before any test.
var (
	shared *stack.Stack
	id     = fmt.Sprintf("%05x", rand.IntN(1<<20))
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(starterVariable); dir != "" {
		os.Exit(starter(dir))
	}
	os.Exit(testMain(m))
}

// atOnce is how many tests run at a time: they wait far more than they work. A text
// that a test looks for among the machine's processes is that test's alone.
const atOnce = "6"

func testMain(m *testing.M) int {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { os.RemoveAll(built.dir) }()
	o := stack.Options{Node: true, NodePolicies: os.Getenv(walledVariable) != "", EBS: true, EBSFast: true, TemporalOnDisk: true}
	return stack.Main(m, o, func(s *stack.Stack) { shared = s })
}

// built holds the programs, built when the first test asks for them.
var built struct {
	once sync.Once
	dir  string
	bin  harness.Binaries
	err  error
}

func binaries(t *testing.T) harness.Binaries {
	t.Helper()
	if dir := os.Getenv(walledVariable); dir != "" {
		return harness.Binaries{CLI: filepath.Join(dir, "lifeboat"), Worker: filepath.Join(dir, "lifeboat-worker")}
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "lifeboat-node-"); built.err == nil {
			built.bin, built.err = harness.Build(t.Context(), built.dir)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.bin
}
