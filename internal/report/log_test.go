package report

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"
)

func text(t *testing.T, l *Log) string {
	t.Helper()
	var b strings.Builder
	if _, err := l.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var pair = regexp.MustCompile(`([^ =]+)=("(?:[^"\\]|\\.)*"|[^ ]*)`)

// parse reads a line back; dotted keys become nested maps.
func parse(t *testing.T, line string) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, m := range pair.FindAllStringSubmatch(line, -1) {
		value := m[2]
		if strings.HasPrefix(value, `"`) {
			var err error
			if value, err = strconv.Unquote(value); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		at := out
		path := strings.Split(m[1], ".")
		for _, p := range path[:len(path)-1] {
			if at[p] == nil {
				at[p] = map[string]any{}
			}
			at = at[p].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	return out
}

func TestLogIsASlogHandler(t *testing.T) {
	var l *Log
	slogtest.Run(t, func(*testing.T) slog.Handler {
		l = NewLog(0, slog.LevelDebug)
		return l
	}, func(t *testing.T) map[string]any {
		return parse(t, strings.TrimSuffix(text(t, l), "\n"))
	})
}

func TestLogReadsLikeVelero(t *testing.T) {
	l := NewLog(0, slog.LevelInfo)
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("", 7200))
	rec := slog.NewRecord(at, slog.LevelInfo, "Backing up item", 0)
	rec.AddAttrs(slog.String("name", "web-1"), slog.String("why", `a "b"`), slog.String("bad key=", "x"), slog.Int("n", 3))
	h := l.WithAttrs([]slog.Attr{slog.String("backup", "velero/nightly")})
	if err := h.Handle(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	want := `time="2026-05-01T10:00:00Z" level=info msg="Backing up item" backup=velero/nightly name=web-1 why="a \"b\"" bad_key_=x n=3` + "\n"
	if got := text(t, l); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestLogLevels(t *testing.T) {
	l := NewLog(0, slog.LevelInfo)
	log := slog.New(l)
	log.Debug("no")
	log.Info("i")
	log.Warn("w")
	log.Error("e")
	got := text(t, l)
	for _, want := range []string{"level=info msg=i", "level=warning msg=w", "level=error msg=e"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %s", got, want)
		}
	}
	if strings.Contains(got, "msg=no") {
		t.Error("a debug line was kept")
	}
}

func TestLogInjectionStaysOnOneLine(t *testing.T) {
	l := NewLog(0, slog.LevelInfo)
	slog.New(l).Info("a\nlevel=error msg=forged", "k\nx", "v\nw")
	if got := text(t, l); strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}

func TestLogIsBoundedAndKeepsErrors(t *testing.T) {
	const limit = 10_000
	l := NewLog(limit, slog.LevelInfo)
	log := slog.New(l)
	for range 1000 {
		log.Info(strings.Repeat("x", 50))
	}
	log.Error("the cause")
	for range 1000 {
		log.Error(strings.Repeat("y", 50))
	}
	got := text(t, l)
	if len(got) > limit+200 {
		t.Errorf("%d bytes", len(got))
	}
	if !strings.Contains(got, "the cause") {
		t.Error("information crowded out an error")
	}
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	kept := len(lines) - 1
	if want := strconv.Itoa(2001-kept) + " log lines left out"; !strings.Contains(lines[kept], want) {
		t.Errorf("last line %q, want %q", lines[kept], want)
	}
}

func TestLogConcurrentAndGzip(t *testing.T) {
	l := NewLog(0, slog.LevelInfo)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				slog.New(l).With("a", "b").Info("m")
			}
		})
	}
	wg.Wait()
	l.Reasons(time.Unix(0, 0), []Reason{New(Forbidden, "no").At("pods", "a", "b"), New(GlobEmpty, "none")})
	var b bytes.Buffer
	if err := l.Gzip(&b); err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil || string(plain) != text(t, l) {
		t.Fatalf("gzip differs: %v", err)
	}
	if n := strings.Count(string(plain), "msg=m a=b\n"); n != 800 {
		t.Errorf("%d whole lines", n)
	}
	if !strings.Contains(string(plain), `level=error msg=no code=FORBIDDEN object="pods a/b"`) {
		t.Errorf("reasons missing in %s", plain[len(plain)-300:])
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestLogReportsWriteErrors(t *testing.T) {
	l := NewLog(0, slog.LevelInfo)
	slog.New(l).Info("x")
	if err := l.Gzip(broken{}); err == nil || !strings.Contains(err.Error(), "log: full") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkLog(b *testing.B) {
	log := slog.New(NewLog(64<<20, slog.LevelInfo)).With("backup", "velero/nightly")
	b.ReportAllocs()
	for b.Loop() {
		log.Info("Backing up item", "resource", "pods", "namespace", "shop", "name", "web-1")
	}
}
