package jsonlist

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// page builds a list of 500 objects of about size bytes, shaped like the
// ConfigMaps and Secrets of a real cluster.
func page(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"12345","continue":"abc","remainingItemCount":9500},"items":[`)
	for i := range 500 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"metadata":{"name":"secret-%05d","namespace":"ns-%d","uid":"0e5a7f1c-9f6e-4d70-a1c5-%012d","resourceVersion":"%d","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"shop","tier":"db"},"managedFields":[{"manager":"kubectl","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:password":{}},"f:metadata":{"f:labels":{".":{},"f:app":{},"f:tier":{}}},"f:type":{}}}]},"data":{"password":"%s"},"type":"Opaque"}`,
			i, i%10, i, i, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{byte(i)}, max(0, size-600)*3/4)))
	}
	b.WriteString("]}\n")
	return []byte(b.String())
}

func BenchmarkSplit(b *testing.B) {
	for _, size := range []int{600, 1500, 20000} {
		doc := page(size)
		b.Run(fmt.Sprintf("object=%dB", size), func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			var p Splitter
			for b.Loop() {
				n := 0
				if _, err := p.Split(bytes.NewReader(doc), func(Item) error { n++; return nil }); err != nil || n != 500 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkDecode is what a dynamic client does with the same page at least.
func BenchmarkDecode(b *testing.B) {
	doc := page(1500)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var v map[string]any
		if err := json.Unmarshal(doc, &v); err != nil {
			b.Fatal(err)
		}
	}
}
