package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// copyFiles takes files out of a pinned module. They are copied, so that a cleaned
// module cache does not take them away.
func (c component) copyFiles(ctx context.Context, out string) error {
	if _, err := c.goTool(ctx, "mod", "download", c.pkg); err != nil {
		return err
	}
	dir, err := c.goTool(ctx, "list", "-m", "-f", "{{.Dir}}", c.pkg)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, pattern := range c.files {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("copy %s of %s: %d files: %w", pattern, c.pkg, len(files), errors.Join(err, fs.ErrNotExist))
		}
		if err := copyInto(out, files); err != nil {
			return err
		}
	}
	return nil
}

func copyInto(dir string, files []string) error {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) installSnapshotCRDs(ctx context.Context) error {
	dir, err := Binary("snapshot-crds")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	var names []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := crdName(string(data))
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(file), err)
		}
		if err := s.kube().apply(ctx, crdPath+name, data); err != nil {
			return fmt.Errorf("install CRD %s: %w", name, err)
		}
		names = append(names, name)
	}
	return s.waitEstablished(ctx, names)
}

const crdPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"

func (s *Stack) waitEstablished(ctx context.Context, names []string) error {
	for _, name := range names {
		err := poll(ctx, "wait for CRD "+name, func() (bool, error) {
			body, err := s.kube().get(ctx, crdPath+name)
			return err == nil && hasCondition(body, "Established"), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// crdName reads metadata.name without a YAML parser: in a CRD file it is the
// first name at two spaces, plural.group.
func crdName(yaml string) (string, error) {
	m := regexp.MustCompile(`(?m)^  name: "?([a-z0-9.-]+)"?\s*$`).FindStringSubmatch(yaml)
	if m == nil {
		return "", fmt.Errorf("no metadata.name")
	}
	return m[1], nil
}
