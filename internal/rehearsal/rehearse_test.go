package rehearsal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// planes gives an API server in memory for each control plane that is asked for.
type planes struct {
	tb      testing.TB
	started int
	running int
	specs   []controlplane.Spec
	prepare func(*kubetest.Server)
	upgrade func(*kubetest.Server) // what the version that is asked for has differently
	err     error
}

func (p *planes) Versions() []string { return nil }

func (p *planes) Start(_ context.Context, s controlplane.Spec) (*controlplane.Plane, error) {
	if p.err != nil {
		return nil, p.err
	}
	server := kubetest.Start(p.tb, kubetest.WithIdentity("u"))
	server.PutJSON(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"},"status":{"phase":"Active"}}`)
	if p.prepare != nil {
		p.prepare(server)
	}
	version := "v1.37.0"
	if s.Version != "" {
		version = "v" + s.Version + ".0"
		p.upgrade(server)
	}
	p.started, p.specs = p.started+1, append(p.specs, s)
	p.running++
	return &controlplane.Plane{
		Config: &kube.RESTConfig{Host: server.URL()}, Version: version,
		Stop: func() (controlplane.Usage, error) {
			p.running--
			return controlplane.Usage{CPUSeconds: 2, MemoryBytes: 3 << 20}, nil
		},
	}, nil
}

func namespace(name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name)
}

func configMap(name string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"n"},"data":{"a":"b"}}`, name)
}

func put(t *testing.T, st *memstore.Store, name string, bodies ...string) layout.Backup {
	t.Helper()
	var all []rehearsaltest.Object
	for _, b := range bodies {
		all = append(all, rehearsaltest.Parse(t, b))
	}
	return rehearsaltest.Put(t, st, name, all...)
}

func rehearse(t *testing.T, st *memstore.Store, p *planes, edit func(*config.Config)) contract.RehearsalResult {
	t.Helper()
	return rehearseOn(t, st, p, "", edit)
}

// rehearseOn is rehearse on a version of Kubernetes, "" for that of the configuration.
func rehearseOn(t *testing.T, st *memstore.Store, p *planes, version string, edit func(*config.Config)) contract.RehearsalResult {
	t.Helper()
	res, err := rehearsaltest.Service(st, p, edit).Rehearse(t.Context(), &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b", KubernetesVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	if res.Counts.Sum() != res.Counts.Objects {
		t.Errorf("counts do not add up: %+v", res.Counts)
	}
	if p.running > 0 {
		t.Errorf("%d control planes still run", p.running)
	}
	return res
}

// A sound backup reaches level 2; each of its objects is accounted for, and the result lies
// beside the backup.
func TestSoundBackup(t *testing.T) {
	st, p := memstore.New(), &planes{tb: t}
	put(t, st, "b", namespace("n"), configMap("a"),
		`{"apiVersion":"v1","kind":"Event","metadata":{"name":"e","namespace":"n"},"involvedObject":{}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"n"},"spec":{"nodeName":"node-1","containers":[{"name":"c","image":"i"}]}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kube-root-ca.crt","namespace":"n"},"data":{}}`)
	res := rehearse(t, st, p, nil)
	if res.Level != contract.LevelEqual || len(res.Problems) > 0 || !res.Stored || res.Kubernetes != "v1.37.0" || res.Usage.MemoryMiB != 3 {
		t.Errorf("%+v", res)
	}
	if want := (contract.RehearsalCounts{Objects: 5, Equal: 2, Changed: 1, Left: 2}); res.Counts != want {
		t.Errorf("counts %+v, want %+v", res.Counts, want)
	}
	if !slices.Contains(res.Changed, contract.RehearsalChange{Resource: "pods", Field: "spec.nodeName", By: "rule", Objects: 1}) {
		t.Errorf("changed: %+v", res.Changed)
	}
	stored, err := beside.ReadRehearsals(t.Context(), st, "b", "uid-b")
	if err != nil || len(stored) != 1 || stored[0].Level != res.Level || stored[0].Counts != res.Counts {
		t.Errorf("stored: %+v, %v", stored, err)
	}
}

// TestUpgrade: what the next minor version does not take and the present one does is named, each object with its
// cause: its type is gone, the version that it is stored in is gone, or validation has become stricter.
func TestUpgrade(t *testing.T) {
	widget := func(version string) kubetest.Type {
		return kubetest.Type{Resource: kube.Resource{Group: "policy", Version: version, Name: "widgets", Singular: "widget", Kind: "Widget", Namespaced: true}}
	}
	gadget := kubetest.Type{Resource: kube.Resource{Group: "apps", Version: "v1beta1", Name: "gadgets", Singular: "gadget", Kind: "Gadget", Namespaced: true}}
	st, p := memstore.New(), &planes{tb: t}
	p.prepare = func(s *kubetest.Server) { s.Serve(widget("v1beta1"), gadget) }
	p.upgrade = func(s *kubetest.Server) {
		s.Withdraw("gadgets.apps")
		s.Withdraw("widgets.policy")
		s.Serve(widget("v1"))
		s.Refuse(kubetest.On("create", kube.ConfigMaps()).Named("strict"), http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `ConfigMap "strict" is invalid: data[a]: Invalid value: "b": is too short`)
	}
	put(t, st, "b", namespace("n"), configMap("a"), configMap("strict"),
		`{"apiVersion":"apps/v1beta1","kind":"Gadget","metadata":{"name":"removed","namespace":"n"}}`,
		`{"apiVersion":"policy/v1beta1","kind":"Widget","metadata":{"name":"stored","namespace":"n"}}`)
	if res := rehearseOn(t, st, p, "", nil); res.Level != contract.LevelEqual || res.Errors > 0 {
		t.Fatalf("the present version: %+v", res)
	}
	res := rehearseOn(t, st, p, "1.38", nil)
	if res.Asked != "1.38" || res.Kubernetes != "v1.38.0" || res.Level != contract.LevelBytes || res.Errors != 3 {
		t.Errorf("%+v", res)
	}
	for name, want := range map[string][2]string{
		"removed": {"API_REMOVED", "v1.38.0"}, "stored": {"STORED_VERSION_GONE", "v1.38.0"}, "strict": {"OBJECT_REJECTED", `data[a]: Invalid value: "b": is too short`},
	} {
		if !slices.ContainsFunc(res.Problems, func(p contract.RehearsalProblem) bool {
			return p.Name == name && p.Code == want[0] && strings.Contains(p.Message, want[1])
		}) {
			t.Errorf("%s is not told with %q: %+v", name, want, res.Problems)
		}
	}
}

// What the server refuses, changes or loses lowers the level, and is named.
func TestFaultsOfObjects(t *testing.T) {
	for name, tc := range map[string]struct {
		object string
		after  func(*kubetest.Server)
		level  string
		code   string
	}{
		"refused": {`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"n"},"unknown":1}`, nil, contract.LevelBytes, "OBJECT_REJECTED"},
		"no type": {`{"apiVersion":"apps/v1beta1","kind":"Deployment","metadata":{"name":"x","namespace":"n"}}`, nil, contract.LevelBytes, "STORED_VERSION_GONE"},
		"removed": {`{"apiVersion":"policy/v1beta1","kind":"PodSecurityPolicy","metadata":{"name":"x"}}`, nil, contract.LevelBytes, "API_REMOVED"},
		"changed": {configMap("x"), func(s *kubetest.Server) {
			s.After(kubetest.On("create", kube.ConfigMaps()).In("n"), func(kubetest.Request, map[string]any) {
				kubetest.Modify(s, kube.ConfigMaps(), "n", "x", func(m *corev1.ConfigMap) { m.Data["a"] = "other" })
			})
		}, contract.LevelAccepted, "OBJECT_DIFFERS"},
		"lost": {configMap("x"), func(s *kubetest.Server) {
			s.After(kubetest.On("create", kube.ConfigMaps()).In("n"), func(kubetest.Request, map[string]any) {
				s.Remove(kube.ConfigMaps(), "n", "x")
			})
		}, contract.LevelAccepted, "OBJECT_LOST"},
		"unknown": {`{"apiVersion":"a.example.com/v1","kind":"Thing","metadata":{"name":"x"}}`, nil, contract.LevelBytes, "DEFINITION_MISSING"},
	} {
		st, p := memstore.New(), &planes{tb: t, prepare: tc.after}
		put(t, st, "b", namespace("n"), configMap("a"), tc.object)
		res := rehearse(t, st, p, nil)
		if res.Level != tc.level || res.Errors == 0 {
			t.Errorf("%s: level %q, %d errors", name, res.Level, res.Errors)
		}
		if !slices.ContainsFunc(res.Problems, func(p contract.RehearsalProblem) bool { return p.Code == tc.code && p.Name == "x" && p.Next != "" }) {
			t.Errorf("%s: problems %+v", name, res.Problems)
		}
	}
}

// Damage of any file is level none, and no control plane is started for it.
func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(st *memstore.Store, l layout.Backup){
		"truncated": func(st *memstore.Store, l layout.Backup) {
			b, _ := st.Object(l.Tarball())
			st.Set(l.Tarball(), b[:len(b)-20])
		},
		"flipped bit": func(st *memstore.Store, l layout.Backup) {
			b, _ := st.Object(l.Tarball())
			b[len(b)/2] ^= 1
			st.Set(l.Tarball(), b)
		},
		"swapped members": func(st *memstore.Store, l layout.Backup) {
			b, _ := st.Object(l.Tarball())
			st.Set(l.Tarball(), slices.Concat(b[len(b)/2:], b[:len(b)/2]))
		},
		"more bytes": func(st *memstore.Store, l layout.Backup) {
			b, _ := st.Object(l.Tarball())
			st.Set(l.Tarball(), append(b, 0))
		},
		"no tarball":     func(st *memstore.Store, l layout.Backup) { st.Remove(l.Tarball()) },
		"no index":       func(st *memstore.Store, l layout.Backup) { st.Remove(l.Index()) },
		"other manifest": func(st *memstore.Store, l layout.Backup) { st.Set(l.Manifest(), []byte(`{"manifest":{}}`)) },
		"volume list":    func(st *memstore.Store, l layout.Backup) { st.Set(l.VolumeInfo(), []byte("x")) },
	} {
		st, p := memstore.New(), &planes{tb: t}
		damage(st, put(t, st, "b", namespace("n"), configMap("a")))
		res := rehearse(t, st, p, nil)
		if res.Level != "" || p.started > 0 || len(res.Problems) != 1 || res.Problems[0].Code != "BACKUP_DAMAGED" || !res.Stored {
			t.Errorf("%s: level %q, problems %+v", name, res.Level, res.Problems)
		}
	}
}

// Nothing is written into a ReadOnly location: the result is in the workflow's alone.
func TestReadOnlyLocation(t *testing.T) {
	st := memstore.New()
	put(t, st, "b", namespace("n"), configMap("a"))
	files := map[string][]byte{}
	for _, key := range st.Keys() {
		files[key], _ = st.Object(key)
	}
	locked := memstore.New(memstore.WithObjects(files), memstore.WithReadOnly())
	res := rehearse(t, locked, &planes{tb: t}, func(c *config.Config) {
		c.BackupStorageLocations[0].Spec.AccessMode = velerov1.BackupStorageLocationAccessModeReadOnly
	})
	if res.Stored || res.Level != contract.LevelEqual || len(locked.Keys()) != len(files) {
		t.Errorf("stored %v, level %q, %d keys", res.Stored, res.Level, len(locked.Keys()))
	}
}

// The range of Services is that of the cluster that was backed up.
func TestRangeOfServices(t *testing.T) {
	for want, object := range map[string]string{
		"172.20.0.0/16":             `{"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"kubernetes"},"spec":{"cidrs":["172.20.0.0/16"]}}`,
		"10.100.0.0/14":             `{"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default"},"spec":{"clusterIP":"10.100.0.1"}}`,
		"10.96.0.0/12":              `{"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default"},"spec":{"clusterIP":"10.96.0.1"}}`,
		"fd00:10:96::/112":          `{"apiVersion":"v1","kind":"Service","metadata":{"name":"kubernetes","namespace":"default"},"spec":{"clusterIP":"fd00:10:96::1"}}`,
		"10.0.0.0/16,fd00:10::/112": `{"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"kubernetes"},"spec":{"cidrs":["10.0.0.0/16","fd00:10::/112"]}}`,
		"":                          configMap("a"),
	} {
		st, p := memstore.New(), &planes{tb: t}
		put(t, st, "b", namespace("n"), object)
		rehearse(t, st, p, nil)
		if len(p.specs) != 1 || p.specs[0].ServiceRange != want {
			t.Errorf("%+v, want %q", p.specs, want)
		}
	}
	for _, hostile := range []string{`"0.0.0.0/0 --kubeconfig=x"`, `"a","b"`, `"10.0.0.0/8","10.0.0.0/8","10.0.0.0/8"`} {
		st, p := memstore.New(), &planes{tb: t}
		put(t, st, "b", `{"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"kubernetes"},"spec":{"cidrs":[`+hostile+`]}}`)
		rehearse(t, st, p, nil)
		if len(p.specs) != 1 || p.specs[0].ServiceRange != "" {
			t.Errorf("%s became an argument: %+v", hostile, p.specs)
		}
	}
}

// What is no fault of the backup is an error, and nothing is written of it.
func TestErrors(t *testing.T) {
	st := memstore.New()
	put(t, st, "b", namespace("n"))
	before := len(st.Keys())
	in := contract.RehearseInput{Backup: "b"}
	_, err := rehearsaltest.Service(st, nil, nil).Rehearse(t.Context(), &heartbeat.Recorder{}, in)
	if failure.TypeOf(err) != contract.ErrTypeLocation || !strings.Contains(err.Error(), "rehearsal.apiServer") {
		t.Errorf("no control plane: %v", err)
	}
	_, err = rehearsaltest.Service(st, &planes{tb: t, err: errors.New("no ports")}, nil).Rehearse(t.Context(), &heartbeat.Recorder{}, in)
	if err == nil || failure.TypeOf(err) != "" {
		t.Errorf("no ports: %v", err)
	}
	in.Backup = "gone"
	_, err = rehearsaltest.Service(st, &planes{tb: t}, nil).Rehearse(t.Context(), &heartbeat.Recorder{}, in)
	if failure.TypeOf(err) != contract.ErrTypeNotFound {
		t.Errorf("no backup: %v", err)
	}
	if len(st.Keys()) != before {
		t.Errorf("written: %q", st.Keys())
	}
}

// A backup that Velero made is rehearsed too, and nothing is written into its bucket.
func TestBackupOfVelero(t *testing.T) {
	st, p := memstore.New(), &planes{tb: t}
	l := put(t, st, "b", namespace("n"), configMap("a"))
	for _, key := range []string{l.Manifest(), l.Index()} {
		st.Remove(key)
	}
	before := st.Keys()
	res := rehearse(t, st, p, nil)
	if res.Level != contract.LevelEqual || res.Counts.Objects != 2 || res.Stored || !slices.Equal(st.Keys(), before) {
		t.Errorf("%+v, keys %q", res, st.Keys())
	}
	b, _ := st.Object(l.Tarball())
	st.Set(l.Tarball(), b[:len(b)-30])
	if res := rehearse(t, st, p, nil); res.Level != "" || len(res.Problems) != 1 || res.Problems[0].Code != "BACKUP_DAMAGED" {
		t.Errorf("truncated: %+v", res)
	}
}

// Two rehearsals of one worker take turns; one that waits for its turn can be cancelled.
func TestTurns(t *testing.T) {
	st := memstore.New()
	put(t, st, "b", namespace("n"), configMap("a"))
	entered, leave := make(chan struct{}), make(chan struct{})
	p := &planes{tb: t, prepare: func(*kubetest.Server) {
		entered <- struct{}{}
		<-leave
	}}
	s := rehearsaltest.Service(st, p, nil)
	done := make(chan error)
	go func() {
		_, err := s.Rehearse(t.Context(), &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b"})
		done <- err
	}()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Rehearse(ctx, &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second: %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
