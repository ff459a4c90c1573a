package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// strict decodes data into v and refuses fields that v does not have.
func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("workflow input: %w (fields are those of Velero's Backup and Restore specs)", err)
	}
	return nil
}
