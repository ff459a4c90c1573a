package evidence

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutations is how many altered files TestEveryAlteredByte tries: each flip of a bit, each cut,
// and of the others 5,000, or 100,000 by make soak.
func mutations(file []byte) int {
	if os.Getenv("LIFEBOAT_SOAK") != "" {
		return 9*len(file) + 100_000
	}
	return 9*len(file) + 5_000
}

// TestEveryAlteredByte: whatever is altered in a file, it is refused. Every bit of it is
// flipped, every length is cut, and the rest are bytes changed, put in, left out and moved.
func TestEveryAlteredByte(t *testing.T) {
	file, keys := signed(t, small(), testKey(1)), testKeys()
	all := mutations(file)
	if _, err := Verify(file, keys); err != nil {
		t.Fatal(err)
	}
	var next sync.Mutex
	tried := 0
	take := func() int {
		next.Lock()
		defer next.Unlock()
		tried++
		return tried - 1
	}
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := take(); i < all; i = take() {
				altered, how := mutate(file, i)
				if _, err := Verify(altered, keys); err == nil {
					t.Errorf("mutation %d is taken: %s", i, how)
				}
			}
		})
	}
	group.Wait()
}

// mutate is the i-th altered file; it differs from the file.
func mutate(file []byte, i int) (altered []byte, how string) {
	if bits := 8 * len(file); i < bits {
		altered = bytes.Clone(file)
		altered[i/8] ^= 1 << (i % 8)
		return altered, "a bit flipped"
	} else if i < bits+len(file) {
		return file[:i-bits], "cut off"
	}
	random := rand.New(rand.NewPCG(1, uint64(i)))
	for {
		altered, how = mutateRandomly(file, random)
		if !bytes.Equal(altered, file) {
			return altered, how
		}
	}
}

func mutateRandomly(file []byte, random *rand.Rand) (altered []byte, how string) {
	at, to := random.IntN(len(file)), random.IntN(len(file))
	switch altered = bytes.Clone(file); random.IntN(5) {
	case 0:
		altered[at] = byte(random.Uint32())
		return altered, "a byte changed"
	case 1:
		return append(append(altered[:at:at], byte(random.Uint32())), file[at:]...), "a byte put in"
	case 2:
		return append(altered[:at:at], file[at+1:]...), "a byte left out"
	case 3:
		altered[at], altered[to] = altered[to], altered[at]
		return altered, "two bytes swapped"
	default:
		return append(altered, file[to:]...), "a piece repeated"
	}
}

// TestSignRefuses: what would be refused by a reader is not written.
func TestSignRefuses(t *testing.T) {
	s := small()
	s.Predicate.Objects.Total = 2
	if _, err := Sign(s, testKey(1)); err == nil || !strings.Contains(err.Error(), "sign evidence: predicate.objects") {
		t.Errorf("%v", err)
	}
	s = small()
	s.Predicate.NotShown[0].Text = "\xff"
	if _, err := Sign(s, testKey(1)); err == nil || !strings.Contains(err.Error(), "see Text") {
		t.Errorf("%v", err)
	}
	s.Predicate.NotShown[0].Text = Text("\xff" + strings.Repeat("é", 5000))
	if _, err := Verify(signed(t, s, testKey(1)), testKeys()); err != nil {
		t.Error(err)
	}
	s.Predicate.NotShown[0].Text = strings.Repeat("x", maxFileBytes)
	if _, err := Sign(s, testKey(1)); err == nil {
		t.Error("a file was made that no reader takes")
	}
}

// TestLargeFileIsFast: 10,000 types of objects are verified well within a second.
func TestLargeFileIsFast(t *testing.T) {
	s := small()
	o := &s.Predicate.Objects
	o.Kinds = nil
	for i := range 10_000 {
		o.Kinds = append(o.Kinds, KindCount{Resource: "kind" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)), Total: 1, Equal: 1})
	}
	sortKinds(o.Kinds)
	o.Total, o.Equal, s.Predicate.Source.Backup.Objects = 10_000, 10_000, 10_000
	file := signed(t, s, testKey(1))
	start := time.Now()
	if _, err := Verify(file, testKeys()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func TestKeys(t *testing.T) {
	private, public, id, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ParsePublicKey(public)
	if err != nil || !pub.Equal(publicOf(key)) {
		t.Fatalf("%v", err)
	}
	if again, _ := KeyID(pub); again != id {
		t.Errorf("%s, %s", again, id)
	}
	for name, refuse := range map[string]func() error{
		"give the public one":    func() error { _, err := ParsePublicKey(private); return err },
		`instead of "PRIVATE`:    func() error { _, err := ParsePrivateKey(public); return err },
		"more than one":          func() error { _, err := ParsePublicKey(append(public, public...)); return err },
		"no PEM block":           func() error { _, err := ParsePrivateKey([]byte("secret words")); return err },
		"not in PKCS #8":         func() error { _, err := ParsePrivateKey([]byte(pemOf("PRIVATE KEY", "AAAA"))); return err },
		"read public key: asn1:": func() error { _, err := ParsePublicKey([]byte(pemOf("PUBLIC KEY", "AAAA"))); return err },
	} {
		if err := refuse(); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret words") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func pemOf(kind, body string) string {
	return "-----BEGIN " + kind + "-----\n" + body + "\n-----END " + kind + "-----\n"
}

// FuzzRead: whatever a file holds, reading it ends without a panic; what it takes is in the
// one form, so that the same bytes come out again.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(corpusDir, "files", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal("no corpus", err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := Read(file)
		if err != nil {
			return
		}
		payload, err := encode(e.Statement)
		if err != nil {
			t.Fatal(err)
		}
		again, err := encodeFile(payload, testKey(1))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Verify(again, testKeys()); err != nil || got.Digest == "" {
			t.Fatalf("what was read is not taken when it is signed: %v", err)
		}
	})
}

func sortKinds(kinds []KindCount) {
	slices.SortFunc(kinds, func(a, b KindCount) int { return strings.Compare(a.Resource, b.Resource) })
}
