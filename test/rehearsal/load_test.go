//go:build stack

package rehearsal

import (
	"fmt"
	"strings"
	"testing"

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
