package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sourceDigest is a digest over the Go files below some folders of a module, tests
// left out; empty if there are none to look at.
func sourceDigest(module string, folders []string) (string, error) {
	if len(folders) == 0 {
		return "", nil
	}
	all := sha256.New()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(module, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(module, path)
			if err != nil {
				return err
			}
			one := sha256.Sum256(data)
			all.Write(append([]byte(name), one[:]...))
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
