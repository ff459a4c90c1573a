package hook

import (
	"maps"
	"strings"
	"testing"
	"time"
)

func TestRecorded(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	v, err := NewRecorded([]byte("1000\r\n"), at)
	if err != nil || v.Value != "1000" {
		t.Fatal(v, err)
	}
	for _, printed := range []string{strings.Repeat("x", MaxRecordedBytes+1), "\xff"} {
		if _, err := NewRecorded([]byte(printed), at); err == nil {
			t.Errorf("%q is recorded", printed)
		}
	}
	values := map[string]Recorded{"shop/orders": v}
	read, err := ReadRecorded(map[string]string{AnnotationRecorded: EncodeRecorded(values)})
	if err != nil || !maps.Equal(read, values) {
		t.Errorf("written and read: %v, %v", read, err)
	}
	for _, text := range []string{"{", `{"a":{"value":"` + strings.Repeat("x", MaxRecordedBytes+1) + `"}}`} {
		if _, err := ReadRecorded(map[string]string{AnnotationRecorded: text}); err == nil {
			t.Errorf("%.20s is taken", text)
		}
	}
	if read, err := ReadRecorded(nil); read != nil || err != nil {
		t.Errorf("a backup without values: %v, %v", read, err)
	}
	for name, good := range map[string]bool{"orders": true, "": true, "Orders!": false} {
		if _, err := RecordedName(map[string]string{AnnotationRecord: name}); (err == nil) != good {
			t.Errorf("name %q: %v", name, err)
		}
	}
}
