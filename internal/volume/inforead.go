package volume

import (
	"bytes"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UnmarshalJSON reads the entries of Velero 1.13 to 1.18. The older ones write every
// part, empty where it does not apply: such a part reads as absent. A time that
// cannot be read is none; nothing is restored by it.
func (i *Info) UnmarshalJSON(data []byte) error {
	type plain Info
	in := struct {
		*plain
		Start json.RawMessage `json:"startTimestamp"`
		End   json.RawMessage `json:"completionTimestamp"`
	}{plain: (*plain)(i)}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read an entry of volumeinfo: %w", err)
	}
	i.StartTimestamp, i.CompletionTimestamp = readTime(in.Start), readTime(in.End)
	i.CSI, i.Moved, i.Native, i.PVB = orAbsent(i.CSI), orAbsent(i.Moved), orAbsent(i.Native), orAbsent(i.PVB)
	if i.PV != nil && i.PV.ReclaimPolicy == "" && len(i.PV.Labels) == 0 {
		i.PV = nil
	}
	return nil
}

func readTime(data json.RawMessage) *metav1.Time {
	var t metav1.Time
	if err := json.Unmarshal(data, &t); err != nil || t.IsZero() {
		return nil
	}
	return &t
}

// orAbsent is nil for a part in which nothing is said.
func orAbsent[T comparable](part *T) *T {
	var none T
	if part == nil || *part == none {
		return nil
	}
	return part
}

// UnmarshalJSON takes the IOPS as a text, as Velero writes them, and as a number.
func (n *NativeInfo) UnmarshalJSON(data []byte) error {
	type plain NativeInfo
	in := struct {
		*plain
		IOPS json.RawMessage `json:"iops"`
	}{plain: (*plain)(n)}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read nativeSnapshotInfo: %w", err)
	}
	if text := string(bytes.Trim(in.IOPS, `"`)); text != "null" {
		n.IOPS = text
	}
	return nil
}
