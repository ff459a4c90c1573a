package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

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
