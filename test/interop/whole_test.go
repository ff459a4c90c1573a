//go:build stack

package interop

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/test/compare"
)

// everything is the state of the whole cluster, except for what belongs to Velero
// itself and volumes of claims, which are made anew under new names.
func (p *peers) everything(t *testing.T, ctx context.Context) compare.State {
	t.Helper()
	s, err := p.taking(ctx)()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *peers) taking(ctx context.Context) func() (compare.State, error) {
	return func() (compare.State, error) {
		return compare.Take(ctx, p.Kube, func(resource, namespace, name string) bool {
			return !p.ownNamespace(namespace) && !(resource == "namespaces" && p.ownNamespace(name)) &&
				!(resource == "persistentvolumes" && strings.HasPrefix(name, "pvc-"))
		})
	}
}

// ownNamespace: Velero's own changes while it works.
func (p *peers) ownNamespace(ns string) bool { return strings.HasPrefix(ns, "velero") }

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
