package repository

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
)

// FuzzCatalogEntry reads keys that anybody may have written: what is taken for an entry is
// small, can be sent on as JSON, and is read again from the key it is written to.
func FuzzCatalogEntry(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"u":"u","p":"Completed","s":1767323045,"x":1769915045,"l":{"a":"b"},"q":"a=b"}`, `{"s":-1}`, `{"s":253402300800}`,
		`{"e":1e99}`, `null`, `[]`, `{"l":{"a":null}}`, `{"u":"\ud800"}`, "{\"u\":\"\xff\"}",
	} {
		packed, err := compressEntry([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(layout.CatalogDir("b") + packed)
	}
	bomb, err := compressEntry([]byte(`{"q":"` + strings.Repeat("q", 1<<16) + `"}`))
	if err != nil || len(bomb) > longestEntry {
		f.Fatalf("%d bytes: %v", len(bomb), err)
	}
	f.Add(layout.CatalogDir("b") + bomb)
	f.Add(layout.CatalogDir("b") + strings.Repeat("e", longestEntry+9))
	f.Add(layout.CatalogRoot + "b")
	f.Add(layout.CatalogRoot + "//e/30/")
	f.Fuzz(func(t *testing.T, key string) {
		e, ok := parseCatalogEntry(key)
		if !ok {
			return
		}
		data, err := json.Marshal(e)
		if err != nil || len(data) > 8*1024 {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		again, err := catalogEntryKey(e)
		if err != nil {
			t.Fatal(err)
		}
		if again == "" {
			return // written without what JSON escapes, it was shorter
		}
		if back, ok := parseCatalogEntry(again); !ok || !reflect.DeepEqual(normalised(back), normalised(e)) {
			t.Errorf("read  %+v\nagain %+v", e, back)
		}
	})
}

// normalised has no empty map in place of none: a key tells no difference.
func normalised(e BackupEntry) BackupEntry {
	if len(e.Labels) == 0 {
		e.Labels = nil
	}
	return e
}

// A time that JSON cannot carry would make the answer to everybody's list an error.
func TestCatalogEntryTimes(t *testing.T) {
	for seconds, want := range map[int64]bool{0: true, 1: true, latestSecond: true, latestSecond + 1: false, -1: false} {
		e := BackupEntry{Name: "b", Completed: fromSeconds(seconds)}
		key, err := catalogEntryKey(e)
		if err != nil || (key != "") != want {
			t.Errorf("%d: %q, %v", seconds, key, err)
		}
	}
	if e := fromSeconds(latestSecond); e.Year() != 9999 || e.Add(time.Second).Year() != 10000 {
		t.Error(e)
	}
}

// The entry of a backup as a schedule makes it fits into one segment of a key.
func TestCatalogEntryIsShort(t *testing.T) {
	made := fromSeconds(1796000000)
	e := BackupEntry{
		Name: "nightly-20261129020000", UID: "5f0e7b52-3f6c-4c3e-9d4e-0f5f6f2f9a11", Phase: "PartiallyFailed", Ours: true, FormatVersion: "1.1.0",
		Started: made, Completed: made.Add(1234 * time.Second), Expires: made.Add(720 * time.Hour), Errors: 12, Warnings: 345, Objects: 123456, Snapshots: 321, Bytes: 12345678901,
		Labels: map[string]string{"velero.io/storage-location": "secondary-frankfurt", "velero.io/schedule-name": "nightly", "app.kubernetes.io/instance": "platform-backup", "argocd.argoproj.io/instance": "platform"},
	}
	key, err := catalogEntryKey(e)
	if err != nil || strings.Contains(strings.TrimPrefix(key, layout.CatalogDir(e.Name)), "/") {
		t.Fatalf("%d bytes: %v", len(key), err)
	}
	if back, ok := parseCatalogEntry(key); !ok || !reflect.DeepEqual(back, e) {
		t.Errorf("%+v", back)
	}
}

// BenchmarkCatalogEntryKey is what a commit does once, and a list for each backup that has no
// entry, beside a write to the bucket.
func BenchmarkCatalogEntryKey(b *testing.B) {
	at := time.Unix(1_767_323_045, 0)
	e := BackupEntry{
		Name: "nightly-20260102030405", UID: "0a8e9b1c-7d0f-4a55-9a3e-2f1d7b6c5a40", Phase: "Completed", Ours: true,
		Started: at, Completed: at.Add(time.Minute), Expires: at.AddDate(0, 1, 0),
		Objects: 50_000, Snapshots: 60, Bytes: 1 << 30, Cluster: "prod", Labels: map[string]string{"velero.io/schedule-name": "nightly"},
	}
	b.ReportAllocs()
	for b.Loop() {
		if key, err := catalogEntryKey(e); err != nil || key == "" {
			b.Fatal(key, err)
		}
	}
}
