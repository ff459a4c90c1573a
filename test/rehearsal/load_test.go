//go:build stack

package rehearsal

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
)

// load is n objects in namespaces of 500, of the kinds and sizes of a cluster of services.
func load(t *testing.T, n int) []rehearsaltest.Object {
	var out []rehearsaltest.Object
	add := func(format string, args ...any) {
		out = append(out, rehearsaltest.Parse(t, fmt.Sprintf(format, args...)))
	}
	text := strings.Repeat("a line of a configuration file\\n", 30)
	for i := 0; len(out) < n; i++ {
		ns := fmt.Sprintf("ns-%02d", i/250)
		if i%250 == 0 {
			add(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, ns)
		}
		add(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%d","namespace":%q},"data":{"a":"%s"}}`, i, ns, text)
		switch i % 5 {
		case 0:
			add(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s-%d","namespace":%q},"type":"Opaque","data":{"a":"c2VjcmV0"}}`, i, ns)
		case 1:
			add(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d-%d","namespace":%q},"spec":{"selector":{"matchLabels":{"app":"d"}},"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`, i, ns)
		case 2:
			add(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"v-%d","namespace":%q},"spec":{"clusterIP":"None","selector":{"app":"d"},"ports":[{"port":80}]}}`, i, ns)
		default:
			add(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p-%d","namespace":%q,"labels":{"app":"d"}},"spec":{"nodeName":"node-1","containers":[{"name":"c","image":"i","env":[{"name":"E","value":"v"}]}]}}`, i, ns)
		}
	}
	return out[:n]
}

// TestLoad: 10,000 objects in 45 s, 60 CPU seconds and 400 MB beside the worker. It is run by
// hand on a quiet machine: LIFEBOAT_LOAD=10000.
func TestLoad(t *testing.T) {
	n := 0
	if _, err := fmt.Sscan(os.Getenv("LIFEBOAT_LOAD"), &n); err != nil {
		t.Skip("set LIFEBOAT_LOAD to a number of objects")
	}
	objects := load(t, n)
	began, before := time.Now(), ownCPU()
	res := rehearse(t, processes(t, ""), objects...)
	t.Logf("%d objects: %.1f s, %.1f CPU s beside the worker and %.1f in it, %d MiB beside it", n, time.Since(began).Seconds(), res.Usage.CPUSeconds, ownCPU()-before, res.Usage.MemoryMiB)
	if res.Level != contract.LevelEqual {
		logResult(t, res)
		t.Errorf("level %q", res.Level)
	}
}

// ownCPU are the CPU seconds of this process.
func ownCPU() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return (time.Duration(r.Utime.Nano()) + time.Duration(r.Stime.Nano())).Seconds()
}
