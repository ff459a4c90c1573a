package csi

import (
	"flag"
	"os"
	"testing"
)

// TestMain has more tests run at a time than there are processors: they wait for retries and
// deadlines far more than they work.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
