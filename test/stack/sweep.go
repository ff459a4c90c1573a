package stack

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// sweepStale removes stack directories that killed tests left in the cache: their
// processes died with them, their data did not. Logs kept after a failure go too,
// a day later.
func sweepStale(ctx context.Context, stacks string) {
	dirs, _ := filepath.Glob(filepath.Join(stacks, "stack-*"))
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || !staleDir(dir, time.Since(info.ModTime())) {
			continue
		}
		s := &Stack{Dir: dir}
		if s.removeNode(ctx) == nil && s.removeEngine(ctx) == nil { // else its directory still tells what is left
			os.RemoveAll(dir)
		}
	}
}

func staleDir(dir string, age time.Duration) bool {
	st, err := readState(dir)
	if err != nil {
		return age > 24*time.Hour
	}
	for _, svc := range st.Services {
		if svc.ours() {
			return false
		}
	}
	return age > time.Hour && len(members(dir)) == 0
}
