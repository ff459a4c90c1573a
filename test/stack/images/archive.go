package images

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
	"time"
)

// manifest is the one entry of manifest.json in an archive as `docker save` writes it.
type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// imageConfig is the part of the OCI image configuration that a runtime reads.
type imageConfig struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Created      time.Time `json:"created"`
	Config       Config    `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// WriteArchive writes an image of one layer in the format of `docker save`: the
// files under root, a configuration, and a manifest that names both.
func WriteArchive(w io.Writer, name, root string, config Config) error {
	layer, digest, err := layerFile(root)
	if err != nil {
		return err
	}
	defer os.Remove(layer.Name())
	defer layer.Close()
	document, err := json.Marshal(imageConfig{
		Architecture: runtime.GOARCH, OS: "linux", Created: time.Unix(0, 0).UTC(), Config: config,
		RootFS: rootFS{Type: "layers", DiffIDs: []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	configName := fmt.Sprintf("%x.json", sha256.Sum256(document))
	index, err := json.Marshal([]manifest{{Config: configName, RepoTags: []string{name}, Layers: []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	return writeParts(w, layer, map[string][]byte{configName: document, "manifest.json": index})
}

func writeParts(w io.Writer, layer *os.File, documents map[string][]byte) error {
	out := tar.NewWriter(w)
	info, err := layer.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Name: "layer.tar", Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	if _, err := io.Copy(out, layer); err != nil {
		return err
	}
	for name, data := range documents {
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		if _, err := out.Write(data); err != nil {
			return err
		}
	}
	return out.Close()
}

// layerFile writes the layer beside root, for its digest has to be known before
// the archive that holds it is written, and gives it open at its start.
func layerFile(root string) (layer *os.File, digest string, err error) {
	layer, err = os.CreateTemp(path.Dir(root), "layer-")
	if err != nil {
		return nil, "", err
	}
	sum := sha256.New()
	err = writeLayer(io.MultiWriter(layer, sum), root)
	if err == nil {
		_, err = layer.Seek(0, io.SeekStart)
	}
	if err != nil {
		layer.Close()
		os.Remove(layer.Name())
		return nil, "", err
	}
	return layer, fmt.Sprintf("%x", sum.Sum(nil)), nil
}

// tag makes a file name of an image's name: postgres-15 of lifeboat.test/postgres:15.
func tag(name string) string { return strings.ReplaceAll(path.Base(name), ":", "-") }
