package plan

import (
	"fmt"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

func typ(gr string, namespaced bool) filter.Type {
	t := filter.Type{GroupResource: gr, Version: "v1", Namespaced: namespaced}
	for i := range gr {
		if gr[i] == '.' {
			t.Group = gr[i+1:]
			break
		}
	}
	return t
}

func of(gr string, count int64) TypeCount { return TypeCount{Type: typ(gr, true), Count: count} }

func cluster(gr string, count int64) TypeCount { return TypeCount{Type: typ(gr, false), Count: count} }

func names(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("ns-%03d", i))
	}
	return out
}

func bind(t testing.TB, spec velerov1.BackupSpec, namespaces []string) *filter.Backup {
	t.Helper()
	var all []filter.Namespace
	for _, n := range namespaces {
		all = append(all, filter.Namespace{Name: n, Active: true})
	}
	b, _, err := filter.NewBackup(&spec, func(name string) (filter.Type, bool) { return typ(name, true), true }, all)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
