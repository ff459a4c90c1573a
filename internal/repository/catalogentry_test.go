package repository

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// FuzzCatalogEntry reads keys that anybody may have written: what is taken for an entry is
// small, can be sent on as JSON, and is read again from the key it is written to.
func FuzzCatalogEntry(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"u":"u","p":"Completed","s":1767323045,"x":1769915045,"l":{"a":"b"},"q":"a=b"}`, `{"s":-1}`, `{"s":253402300800}`,
		`{"e":1e99}`, `null`, `[]`, `{"l":{"a":null}}`, `{"u":"\ud800"}`, "{\"u\":\"\xff\"}",
	} {
		f.Add(archive.CatalogDir("b") + base64.RawURLEncoding.EncodeToString([]byte(text)))
	}
	f.Add(archive.CatalogDir("b") + strings.Repeat("e", longestEntry+9))
	f.Add(archive.CatalogRoot + "b")
	f.Add(archive.CatalogRoot + "//e/30/")
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
