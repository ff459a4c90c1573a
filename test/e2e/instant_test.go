//go:build stack

package e2e

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	// soakVariable, set to anything, asks for instantSoak backups (make soak).
	soakVariable   = "LIFEBOAT_SOAK"
	instantSample  = 100
	instantSoak    = 2000
	instantAtOnce  = 5 // backups
	veleroSample   = 5
	veleroSoak     = 150
	instantTypes   = 10
	instantObjects = 5
	// writeInterval makes 200 writes a second, where the API server is fast enough.
	writeInterval = 5 * time.Millisecond
)

var definitions = kube.Resource{Group: "apiextensions.k8s.io", Version: "v1", Name: "customresourcedefinitions", Kind: "CustomResourceDefinition"}

// TestOneInstant: a writer changes a definition and objects of ten custom types one after the other, so
// that at any moment each is as far as the one before it or one step behind. No backup of a running
// cluster shows anything else.
func TestOneInstant(t *testing.T) {
	t.Parallel()
	l, ns := beside(t, "instant"), "instant-"+shared.ID
	types := l.invariantTypes(t, ns)
	for _, r := range types {
		for i := range instantObjects {
			if _, err := l.Kube.Create(t.Context(), r, ns, part(r, i, 0), kube.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.labelDefinition(t.Context(), t, types[0], 0)
	writing, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() { l.write(writing, t, types, ns) })
	defer writer.Wait()
	defer stop()
	backups, began, torn := instantSample, time.Now(), 0
	if os.Getenv(soakVariable) != "" {
		backups = instantSoak
	}
	for first := 0; first < backups; first += instantAtOnce {
		for _, name := range l.backupsAtOnce(t, ns, first) {
			if steps := l.stepsIn(t, name); len(steps) != 1+instantTypes*instantObjects || !isOneInstant(steps) {
				torn++
				t.Errorf("%s is torn: %v", name, steps)
			}
		}
	}
	t.Logf("%d of %d backups are torn; %s for all", torn, backups, time.Since(began).Round(time.Second))
	l.veleroTears(t, types, ns)
}

// backupsAtOnce makes some backups at the same time, numbered from first, and gives their names.
func (l *lab) backupsAtOnce(t *testing.T, ns string, first int) (names []string) {
	t.Helper()
	var runs []client.WorkflowRun
	for n := range instantAtOnce {
		names = append(names, fmt.Sprintf("b-%04d", first+n))
		runs = append(runs, startBackup(t, l.Harness, contract.BackupInput{Name: names[n], Spec: velerov1.BackupSpec{IncludedNamespaces: []string{ns}}}))
	}
	for _, run := range runs {
		var res contract.BackupResult
		if err := run.Get(t.Context(), &res); err != nil {
			t.Fatal(err)
		}
		completed(t, res)
	}
	return names
}

// veleroTears says how many of Velero's backups are torn, beside the same writer. They are of the writer's
// types only: Velero fails where a type goes that another test has removed.
func (l *lab) veleroTears(t *testing.T, types []kube.Resource, ns string) {
	t.Helper()
	v, err := l.Stack.StartVelero(t.Context(), stack.VeleroOptions{QPS: 5000, Prefix: l.Cluster, Namespace: "velero-" + ns})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	backups, torn := veleroSample, 0
	var resources []string
	for _, r := range types {
		resources = append(resources, r.Name+"."+r.Group)
	}
	if os.Getenv(soakVariable) != "" {
		backups = veleroSoak
	}
	for n := range backups {
		name := fmt.Sprintf("v-%04d", n)
		if err := v.Backup(t.Context(), name, "--include-namespaces="+ns, "--include-resources="+strings.Join(resources, ","), "--snapshot-volumes=false"); err != nil {
			t.Fatal(err)
		}
		steps := l.stepsInVeleros(t, name)
		if len(steps) != instantTypes*instantObjects {
			t.Errorf("Velero's %s has %d objects", name, len(steps))
		}
		if !isOneInstant(steps) {
			torn++
		}
	}
	t.Logf("%d of %d of Velero's backups are torn", torn, backups)
}

// stepsInVeleros are the steps of the objects in a backup of Velero's.
func (l *lab) stepsInVeleros(t *testing.T, name string) []int {
	t.Helper()
	body, _, err := l.Store.Get(t.Context(), layout.Backup{Name: name}.Tarball())
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	zr, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(h.Name, "/") // resources/<type>.<group>/namespaces/<namespace>/<name>.json
		if len(parts) != 5 || !strings.HasPrefix(parts[1], "parts") {
			continue
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		found[parts[1][:len("parts0")]+" "+strings.TrimSuffix(parts[4], ".json")] = stepOf(t, data)
	}
	return inOrder(found)
}

// write takes a definition and all objects a step further, type by type, until its context ends, and
// says how fast it was.
func (l *lab) write(ctx context.Context, t *testing.T, types []kube.Resource, ns string) {
	began, writes, tick := time.Now(), 0, time.NewTicker(writeInterval)
	defer func() { t.Logf("%.0f writes a second", float64(writes)/time.Since(began).Seconds()) }()
	defer tick.Stop()
	for step := 1; ctx.Err() == nil; step++ {
		l.labelDefinition(ctx, t, types[0], step)
		for _, r := range types {
			for i := range instantObjects {
				<-tick.C
				if _, err := l.Kube.Patch(ctx, r, ns, fmt.Sprint("part-", i), kube.PatchMerge, part(r, i, step), kube.PatchOptions{}); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				writes++
			}
		}
	}
}

// labelDefinition takes the definition of a type a step further.
func (l *lab) labelDefinition(ctx context.Context, t *testing.T, r kube.Resource, step int) {
	label := fmt.Appendf(nil, `{"metadata":{"labels":{"step":"s%d"}}}`, step)
	if _, err := l.Kube.Patch(ctx, definitions, "", r.Name+"."+r.Group, kube.PatchMerge, label, kube.PatchOptions{}); err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func part(r kube.Resource, i, step int) []byte {
	return fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"metadata":{"name":"part-%d","labels":{"step":"s%d"}}}`, r.APIVersion(), r.Kind, i, step)
}

// invariantTypes defines the types and makes the namespace.
func (l *lab) invariantTypes(t *testing.T, ns string) (types []kube.Resource) {
	t.Helper()
	group := ns + ".example.com"
	l.kubectlLater(t, "delete", "namespace", ns, "--ignore-not-found", "--wait=false")
	l.kubectl(t, "create", "namespace", ns)
	var manifest strings.Builder
	for i := range instantTypes {
		fmt.Fprintf(&manifest, `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: parts%[1]d.%[2]s}
spec:
  group: %[2]s
  scope: Namespaced
  names: {plural: parts%[1]d, singular: part%[1]d, kind: Part%[1]d}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, i, group)
		types = append(types, kube.Resource{Group: group, Version: "v1", Name: fmt.Sprint("parts", i), Kind: fmt.Sprint("Part", i), Namespaced: true})
	}
	l.applyClusterScoped(t, manifest.String())
	for _, r := range types {
		eventually(t, r.Name+" is served", func() error {
			_, err := l.Kube.RevisionOf(t.Context(), r)
			return err
		})
	}
	return types
}

// stepsIn are the steps of the objects in a backup, in the order in which they are written.
func (l *lab) stepsIn(t *testing.T, name string) []int {
	t.Helper()
	a := open(t, l.Harness, name)
	if a.Manifest().Revision == "" {
		t.Errorf("%s is of no revision", name)
	}
	found := map[string]int{}
	err := a.Walk(t.Context(), 0, len(a.Members()), func(_ int, e archive.Entry, body []byte) error {
		switch {
		case strings.HasPrefix(e.Resource, "parts"):
			found[e.Resource[:len("parts0")]+" "+e.Name] = stepOf(t, body)
		case e.Resource == definitions.Name+"."+definitions.Group && strings.HasPrefix(e.Name, "parts0."):
			found[""] = stepOf(t, body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return inOrder(found)
}

// stepOf is the step that an object was taken to.
func stepOf(t *testing.T, object []byte) (step int) {
	t.Helper()
	var o struct {
		Metadata struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(object, &o); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(o.Metadata.Labels["step"], "s%d", &step); err != nil {
		t.Fatal(err)
	}
	return step
}

// inOrder are steps by type and name, in the order in which they are written.
func inOrder(found map[string]int) (steps []int) {
	if step, there := found[""]; there { // the definition
		steps = append(steps, step)
	}
	for typ := range instantTypes {
		for i := range instantObjects {
			if step, there := found[fmt.Sprintf("parts%d part-%d", typ, i)]; there {
				steps = append(steps, step)
			}
		}
	}
	return steps
}

// isOneInstant: nothing is ahead of what is written before it, nor more than a step behind the
// first.
func isOneInstant(steps []int) bool {
	for i := 1; i < len(steps); i++ {
		if steps[i] > steps[i-1] || steps[i] < steps[0]-1 {
			return false
		}
	}
	return true
}
