//go:build stack

package rehearsal

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// cluster is a control plane that stands for the one that is backed up.
type cluster struct {
	*testing.T
	client *kube.Client
}

func newCluster(t *testing.T, p controlplane.Provider) *cluster {
	t.Helper()
	plane, err := p.Start(t.Context(), controlplane.Spec{ServiceRange: "172.20.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(plane.Config, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		plane.Stop()
	})
	return &cluster{t, client}
}

// apply creates the objects of a file, definitions first.
func (c *cluster) apply(file string) {
	c.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		c.Fatal(err)
	}
	for _, doc := range strings.Split(string(text), "\n---\n") {
		body, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			c.Fatal(err)
		}
		c.create(string(body))
	}
}

func (c *cluster) create(body string) {
	c.Helper()
	o := rehearsaltest.Parse(c, body)
	cat, err := c.client.Discover(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	res, ok := cat.InVersion(o.Key.Resource, o.Key.Version)
	if !ok {
		c.Fatalf("%s is not served", o.Key)
	}
	if _, err := c.client.Create(c.Context(), res, o.Key.Namespace, o.Body, kube.CreateOptions{}); err != nil {
		c.Fatalf("create %s: %v", o.Key, err)
	}
	if o.Key.Resource == "customresourcedefinitions.apiextensions.k8s.io" {
		if err := c.client.WaitEstablished(c.Context(), []string{o.Key.Name}); err != nil {
			c.Fatal(err)
		}
	}
}

// objects are all objects of the cluster, as a backup has them.
func (c *cluster) objects() (out []rehearsaltest.Object) {
	c.Helper()
	cat, err := c.client.Discover(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	for _, r := range cat.Resources {
		if !r.Can("list", "create", "get", "delete") {
			continue
		}
		_, err := c.client.ListAll(c.Context(), kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r}}, func(it kube.Item) error {
			key := archive.Key{Resource: r.GroupResource(), Version: r.Version, Namespace: it.Namespace, Name: it.Name}
			out = append(out, rehearsaltest.Object{Key: key, Body: bytes.Clone(it.Raw)})
			return nil
		})
		if err != nil {
			c.Fatal(err)
		}
	}
	return out
}

// rehearse puts objects into a backup and rehearses it.
func rehearse(t *testing.T, p controlplane.Provider, objects ...rehearsaltest.Object) contract.RehearsalResult {
	t.Helper()
	st := memstore.New()
	rehearsaltest.Put(t, st, "b", objects...)
	began := time.Now()
	res, err := rehearsaltest.Service(st, p, nil).Rehearse(t.Context(), &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s in %.1fs: %+v, %+v", res.Level, time.Since(began).Seconds(), res.Counts, res.Usage)
	if res.Counts.Objects != int64(len(objects)) || res.Counts.Sum() != res.Counts.Objects {
		t.Errorf("%d objects are in the backup, accounted for are %+v", len(objects), res.Counts)
	}
	if !res.Stored {
		t.Error("the result is not beside the backup")
	}
	return res
}

func logResult(t *testing.T, res contract.RehearsalResult) {
	t.Helper()
	for _, c := range res.Changed {
		t.Logf("changed: %+v", c)
	}
	for _, l := range res.Left {
		t.Logf("left: %+v", l)
	}
	for _, p := range res.Problems {
		t.Logf("problem: %s", lineOf(p))
	}
}

func lineOf(p contract.RehearsalProblem) string {
	return fmt.Sprintf("%s %s %s/%s: %s", p.Code, p.Resource, p.Namespace, p.Name, p.Message)
}

// TestWholeCluster: a backup of a cluster is proven at level 2, every object of it is
// accounted for, and nothing stays.
func TestWholeCluster(t *testing.T) {
	root := memoryDirectory(t)
	p := processes(t, root)
	c := newCluster(t, p)
	c.apply("testdata/shop.yaml")
	objects := c.objects()
	res := rehearse(t, p, objects...)
	logResult(t, res)
	if res.Level != contract.LevelEqual || res.Errors > 0 {
		t.Errorf("level %q with %d errors", res.Level, res.Errors)
	}
	if len(res.Problems) > 0 {
		t.Errorf("a sound backup has %d problems", len(res.Problems))
	}
	if i := slices.IndexFunc(res.Left, func(l contract.RehearsalLeft) bool { return l.Code == "VOLUME_DYNAMIC" }); i < 0 {
		t.Error("the volume is not accounted for")
	}
	if left, _ := os.ReadDir(root); len(left) != 1 { // the cluster's own
		t.Errorf("left over: %v", left)
	}
}
