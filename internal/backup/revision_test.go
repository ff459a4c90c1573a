package backup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/filter"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/plan"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestPlanRevision finds the types whose revisions are not of the cluster's sequence.
func TestPlanRevision(t *testing.T) {
	count := func(gr string) plan.TypeCount {
		return plan.TypeCount{Type: filter.Type{GroupResource: gr, Namespaced: true}}
	}
	counts := []plan.TypeCount{count("pods"), count("secrets"), count("queues.agg.example.com"), count("events"), count("jobs.batch"), count("leases.coordination.k8s.io")}
	counted := []string{"100", "105", "99", "7000", "", "110"}
	p := Plan{Conditional: true}
	p.planRevision("100", "110", counts, counted)
	if p.Revision != "100" || !slices.Equal(p.Plain, []string{"events", "jobs.batch", "queues.agg.example.com"}) {
		t.Errorf("%s, %q", p.Revision, p.Plain)
	}
	if len(p.Reasons) != 1 || !strings.HasSuffix(p.Reasons[0].Message, ": queues.agg.example.com") {
		t.Errorf("reasons %v", p.Reasons)
	}
	for name, p := range map[string]*Plan{"no number": {Conditional: true}, "a store without conditional writes": {}} {
		before := map[string]string{"no number": "x"}[name]
		if p.planRevision(before+"100", "110", counts, counted); p.Revision != "" || len(p.Plain)+len(p.Reasons) > 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	all := Plan{Conditional: true}
	if all.planRevision("100", "110", counts[:2], counted[:2]); len(all.Plain)+len(all.Reasons) > 0 {
		t.Errorf("%+v", all)
	}
}

// TestOneRevisionForAllActivities: behind snapshots of volumes the first activity of the
// export chooses, and all others, and the seal, take what it chose.
func TestOneRevisionForAllActivities(t *testing.T) {
	s := kubetest.Start(t)
	s.PutNamespaces("shop")
	st := memstore.New()
	open := func(units int) *Run {
		return &Run{Store: st, Staging: repository.NewStaging(st, "uid"), Layout: layout.Backup{Name: "b"}, Plan: Plan{
			Conditional: true, Revision: "1", Volumes: VolumePlan{Units: make([]Unit, units)},
		}}
	}
	if got, _, err := open(1).Revision(t.Context()); got != "" || err != nil {
		t.Errorf("before any was chosen: %q, %v", got, err)
	}
	s.PutNamespaces("later")
	first, err := open(1).ChooseRevision(t.Context(), s.Client())
	if err != nil || first == "" || first == "1" {
		t.Errorf("chosen %q, %v", first, err)
	}
	s.PutNamespaces("much-later")
	for _, read := range []func() (string, error){
		func() (string, error) { return open(1).ChooseRevision(t.Context(), s.Client()) },
		func() (string, error) {
			got, at, err := open(1).Revision(t.Context())
			if age := time.Since(at); age < 0 || age > time.Minute {
				t.Errorf("chosen at %s", at)
			}
			return got, err
		},
	} {
		if got, err := read(); got != first || err != nil {
			t.Errorf("%q, %v, want %q", got, err, first)
		}
	}
	if got, err := open(0).ChooseRevision(t.Context(), s.Client()); got != "1" || err != nil {
		t.Errorf("without volumes: %q, %v", got, err)
	}
}

// TestTypesOfAnotherEtcd are found when objects are counted.
func TestTypesOfAnotherEtcd(t *testing.T) {
	s := kubetest.Start(t, kubetest.WithTypesApart(100, "secrets"))
	s.PutNamespaces("shop")
	client := s.Client()
	cat, err := client.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := filter.NewBackup(&velerov1.BackupSpec{}, kube.FilterResolver(cat), []filter.Namespace{{Name: "shop", Active: true}})
	if err != nil {
		t.Fatal(err)
	}
	p := &Plan{Conditional: true, Filter: f, Resources: listableTypes(cat.Resources)}
	if _, err := (&Service{Kube: client, Config: &config.Config{}}).planShards(t.Context(), p); err != nil || p.Revision == "" || !slices.Equal(p.Plain, []string{"secrets"}) {
		t.Errorf("%q, %q, %v", p.Revision, p.Plain, err)
	}
}

// TestFullBackupIsNotPartial: the snapshots of volumes, which no backup lists, leave nothing to be looked up
// by name: only a selection of namespaces, types or labels does.
func TestFullBackupIsNotPartial(t *testing.T) {
	for name, tc := range map[string]struct {
		spec    velerov1.BackupSpec
		related bool
	}{
		"of everything":    {velerov1.BackupSpec{}, false},
		"of one type":      {velerov1.BackupSpec{IncludedResources: []string{"configmaps"}}, true},
		"of one label":     {velerov1.BackupSpec{LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}}, true},
		"of one namespace": {velerov1.BackupSpec{IncludedNamespaces: []string{"shop"}}, true},
	} {
		s := kubetest.Start(t)
		s.PutNamespaces("shop", "bank")
		types, err := s.Client().Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f, _, err := filter.NewBackup(&tc.spec, kube.FilterResolver(types), []filter.Namespace{{Name: "shop", Active: true}, {Name: "bank", Active: true}})
		if err != nil {
			t.Fatal(err)
		}
		doc := &Plan{Filter: f, Resources: listableTypes(types.Resources)}
		service := &Service{Kube: s.Client(), Config: &config.Config{}}
		if _, err := service.planShards(t.Context(), doc); err != nil || doc.Related != tc.related {
			t.Errorf("%s: partial %t, %v", name, doc.Related, err)
		}
	}
}
