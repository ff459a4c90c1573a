package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	sigsjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// maxSize bounds a configuration file, in bytes; real ones have a few KiB.
const maxSize = 1 << 20

// Load reads, completes and checks a configuration file.
func Load(path string) (*Config, error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return c, nil
}

// Parse decodes a configuration, fills in the defaults and checks it. The
// error joins all problems, one a line, each with the path of its field.
func Parse(raw []byte) (*Config, error) {
	c, err := decodeConfig(raw)
	if c == nil {
		return nil, err
	}
	c.setDefaults()
	if err := errors.Join(err, c.Validate()); err != nil {
		return nil, err
	}
	return c, nil
}

// decodeConfig returns a nil Config when the text is no configuration at all, and
// one together with an error when it has fields that do not belong.
func decodeConfig(raw []byte) (*Config, error) {
	if len(raw) > maxSize {
		return nil, fmt.Errorf("%d bytes; at most %d make sense", len(raw), maxSize)
	}
	if err := oneDocument(raw); err != nil {
		return nil, err
	}
	asJSON, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	var c Config
	strict, err := sigsjson.UnmarshalStrict(asJSON, &c)
	if err != nil {
		return nil, typeErrors(asJSON, err)
	}
	return &c, errors.Join(strict...)
}

// oneDocument refuses a second YAML document, which the decoder would drop in
// silence.
func oneDocument(raw []byte) error {
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(raw)))
	for found := 0; ; {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not YAML: %w", err)
		}
		content, err := yaml.YAMLToJSON(doc)
		if err != nil || string(content) != "null" {
			found++
		}
		if found > 1 {
			return errors.New("more than one YAML document; put the locations into the lists backupStorageLocations and volumeSnapshotLocations")
		}
	}
}
