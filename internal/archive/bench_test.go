package archive_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// benchObjects are ConfigMaps of about 1.5 KB as an API server returns them:
// metadata with managedFields, and data that compresses like configuration.
func benchObjects(n int) []object {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"host", "port", "timeout", "retries", "database", "enabled", "true", "false", "cache", "url"}
	out := make([]object, n)
	for i := range out {
		name := fmt.Sprintf("settings-%06d", i)
		var data []byte
		for len(data) < 700 {
			data = append(append(append(data, words[r.IntN(10)]...), '.'), words[r.IntN(10)]...)
			data = append(strconv.AppendUint(append(data, '='), uint64(r.Uint32()), 16), '\\', 'n')
		}
		body := fmt.Sprintf(`{"apiVersion":"v1","data":{"application.properties":"%s"},"kind":"ConfigMap","metadata":{"creationTimestamp":"2026-03-01T12:%02d:%02dZ","labels":{"app.kubernetes.io/instance":"shop-%d","app.kubernetes.io/managed-by":"Helm"},"managedFields":[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:application.properties":{}},"f:metadata":{"f:labels":{".":{},"f:app.kubernetes.io/instance":{},"f:app.kubernetes.io/managed-by":{}}}},"manager":"helm","operation":"Update","time":"2026-03-01T12:00:00Z"}],"name":"%s","namespace":"shop-%02d","resourceVersion":"%d","uid":"%08x-%04x-4%03x-8%03x-%012x"}}`,
			data, i%60, i%59, i%40, name, i*40/n, 100000+i, r.Uint32(), r.Uint32N(65536), r.Uint32N(4096), r.Uint32N(4096), r.Uint64N(1<<48))
		out[i] = object{archive.Key{Resource: "configmaps", Version: "v1", Namespace: fmt.Sprintf("shop-%02d", i*40/n), Name: name}, []byte(body)}
	}
	return out
}

// cpu reports processor time, which other load on the machine disturbs less than
// wall time.
func cpu(b *testing.B, objects int) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N*objects), "cpu-ns/object") }
}

func BenchmarkWriter(b *testing.B) {
	objects := benchObjects(10000)
	var in, out int64
	w := archive.NewWriter(archive.DefaultLimits(), when, func(c archive.Chunk) error {
		out += int64(len(c.Staged))
		return nil
	})
	b.ReportAllocs()
	done := cpu(b, 1)
	for i := 0; b.Loop(); i++ {
		o := objects[i%len(objects)]
		in += int64(len(o.body))
		if err := w.Add(o.key, o.body); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	done()
	b.SetBytes(in / int64(b.N))
	b.ReportMetric(float64(in)/float64(out), "ratio")
}

func BenchmarkWalk(b *testing.B) {
	objects := benchObjects(20000)
	src, l := newArchive(b, archive.DefaultLimits(), objects)
	a, err := archive.Open(b.Context(), src, l)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	done := cpu(b, len(objects))
	for b.Loop() {
		n := 0
		if err := a.Walk(b.Context(), 0, len(a.Members()), func(int, archive.Entry, []byte) error { n++; return nil }); err != nil || n != len(objects) {
			b.Fatal(n, err)
		}
	}
	done()
}

func BenchmarkVerify(b *testing.B) {
	src, l := newArchive(b, archive.DefaultLimits(), benchObjects(20000))
	a, err := archive.Open(b.Context(), src, l)
	if err != nil {
		b.Fatal(err)
	}
	done := cpu(b, 20000)
	for b.Loop() {
		if err := a.Verify(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
	done()
}

func BenchmarkOpenAndReadOne(b *testing.B) {
	objects := benchObjects(20000)
	src, l := newArchive(b, archive.DefaultLimits(), objects)
	src.bytes = 0
	for i := 0; b.Loop(); i++ {
		a, err := archive.Open(b.Context(), src, l)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := a.Read(b.Context(), objects[i*997%len(objects)].key); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(src.bytes)/float64(b.N), "bytes-read/op")
	b.ReportMetric(100*float64(src.bytes)/float64(b.N)/float64(len(src.files[l.Tarball()])), "%-of-tarball")
}
