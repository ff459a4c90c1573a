package stack

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/images"
)

// buildImages builds what the cache does not hold yet.
func buildImages(ctx context.Context, progress io.Writer) error {
	for _, image := range images.All() {
		if err := buildImage(ctx, progress, image); err != nil {
			return fmt.Errorf("build image: %w", err)
		}
	}
	return nil
}

func buildImage(ctx context.Context, progress io.Writer, image images.Image) error {
	path, err := imagePath(image)
	if err != nil || exists(path) {
		return err
	}
	if err := makeDirs(filepath.Dir(path)); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, path+".lock", func() {
		fmt.Fprintf(progress, "image %s: another process is at it\n", image.Name)
	})
	if err != nil {
		return err
	}
	defer unlock()
	if exists(path) { // another process built it while this one waited
		return nil
	}
	start := time.Now()
	part := path + ".part"
	defer os.Remove(part)
	if err := image.Build(ctx, progress, part); err != nil {
		return err
	}
	fmt.Fprintf(progress, "image %-32s %.0f s\n", image.Name, time.Since(start).Seconds())
	return os.Rename(part, path)
}

func imagePath(image images.Image) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "images", image.File()), nil
}

// importImages gives containerd all images; nothing can be pulled by a Pod.
func (s *Stack) importImages(ctx context.Context, snapshotter string) error {
	start := time.Now()
	for _, image := range images.All() {
		path, err := imagePath(image)
		if err != nil {
			return err
		}
		if err := s.ctr(ctx, "images", "import", "--snapshotter", snapshotter, path); err != nil {
			return fmt.Errorf("import image %s: %w", image.Name, err)
		}
	}
	s.progress("images imported              %4.1f s\n", time.Since(start).Seconds())
	return nil
}

// ImageArchives are the node's images as `docker save` writes them, for an engine to load.
func ImageArchives() ([]string, error) {
	var paths []string
	for _, image := range images.All() {
		path, err := imagePath(image)
		if err != nil {
			return nil, err
		}
		if !exists(path) {
			return nil, fmt.Errorf("find image %s: not built yet; run: make node-build", image.Name)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// ImportImage gives the node an image out of an archive as `docker save` writes it.
func (s *Stack) ImportImage(ctx context.Context, archive string) error {
	if err := s.ctr(ctx, "images", "import", "--snapshotter", s.snapshotter(), archive); err != nil {
		return fmt.Errorf("import image: %w", err)
	}
	return nil
}

// ImportImageByDigest does so and gives the image a name by its digest as well, which it returns:
// as a Pod names one that nobody can exchange.
func (s *Stack) ImportImageByDigest(ctx context.Context, archive, name string) (string, error) {
	if err := s.ImportImage(ctx, archive); err != nil {
		return "", err
	}
	listed, err := s.ctrOutput(ctx, "images", "ls", "name=="+name)
	if err != nil {
		return "", err
	}
	digest := regexp.MustCompile("sha256:[0-9a-f]{64}").FindString(listed)
	if digest == "" {
		return "", fmt.Errorf("import image %s: no digest in %q", name, listed)
	}
	repository := name[:strings.LastIndex(name, ":")]
	byDigest := repository + "@" + digest
	return byDigest, s.ctr(ctx, "images", "tag", "--force", name, byDigest)
}
