//go:build stack

package interop

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

const (
	bulkNamespaces = 6
	bulkEach       = 1100 // objects a namespace: 6,600 in all, more than one shard takes
	bulkBytes      = 6000 // of noise an object, so that chunks reach the size that the store copies
)

// A backup of many members and several chunks, composed by the store on its side, is
// one tarball to any program, Velero among them. Velero unpacks all of it, makes the
// objects that are lost, compares the others with the live ones and warns of any that
// differs. It is told to restore two of the namespaces only, for it takes its time.
func TestVeleroRestoresManyMembers(t *testing.T) {
	t.Parallel()
	p, ctx := start(t)
	namespaces := p.bulk(t, ctx)
	copies, proxied := p.counting(t, ctx)
	backup := p.name("ours-many")
	if _, err := proxied.Run(ctx, "backup", "create", backup, "--include-namespaces", strings.Join(namespaces, ","), "--wait"); err != nil {
		t.Fatal(err)
	}
	if copies.Load() == 0 {
		t.Error("nothing was copied on the store's side: the backup is too small to prove anything")
	}
	m := p.manifestOf(t, ctx, backup)
	if m.Totals.Members < 40 || m.Totals.Objects < bulkNamespaces*bulkEach {
		t.Errorf("%d members, %d objects", m.Totals.Members, m.Totals.Objects)
	}
	p.intact(t, ctx, backup, namespaces)
	lost := namespaces[2]
	before, err := compare.Take(ctx, p.Kube, inside(lost))
	if err != nil {
		t.Fatal(err)
	}
	p.kubectl(t, ctx, "", "delete", "namespace", lost, "--timeout=150s")
	p.known(t, ctx, backup)
	restore := p.name("many")
	if err := p.velero.Restore(ctx, restore, "--from-backup="+backup, "--include-namespaces="+lost+","+namespaces[5]); err != nil {
		t.Fatal(err)
	}
	same(t, ctx, before, func() (compare.State, error) { return compare.Take(ctx, p.Kube, inside(lost)) })
	p.noWarnings(t, ctx, restore, 2*bulkEach)
}

// intact: every object stands in the tarball, in both places, with its content.
func (p *peers) intact(t *testing.T, ctx context.Context, backup string, namespaces []string) {
	t.Helper()
	found := 0
	for _, e := range p.tarball(t, ctx, backup) {
		var obj struct {
			Metadata struct{ Namespace, Name string }
			Data     struct{ Noise string }
		}
		if !strings.HasSuffix(e.path, ".json") || json.Unmarshal(e.body, &obj) != nil || obj.Data.Noise == "" {
			continue
		}
		found++
		if obj.Data.Noise != noise(obj.Metadata.Namespace, obj.Metadata.Name) {
			t.Errorf("%s is not what was made", e.path)
		}
	}
	if want := 2 * len(namespaces) * bulkEach; found != want {
		t.Errorf("%d of %d copies in the tarball", found, want)
	}
}

// bulk makes namespaces full of Secrets and ConfigMaps of noise.
func (p *peers) bulk(t *testing.T, ctx context.Context) []string {
	t.Helper()
	var names []string
	var group errgroup.Group
	group.SetLimit(64)
	for n := range bulkNamespaces {
		ns := fmt.Sprintf("%s-%d", p.name("bulk"), n)
		names = append(names, ns)
		p.kubectl(t, ctx, "", "create", "namespace", ns)
		for i := range bulkEach {
			group.Go(func() error { return p.makeNoise(ctx, ns, fmt.Sprintf("noise-%04d", i), i%2 == 1) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return names
}

// noise is text that does not compress, the same for the same object.
func noise(ns, name string) string {
	body := make([]byte, bulkBytes)
	random := rand.NewChaCha8(sha256.Sum256([]byte(ns + "/" + name)))
	_, _ = random.Read(body) // never fails
	return base64.StdEncoding.EncodeToString(body)
}

func (p *peers) makeNoise(ctx context.Context, ns, name string, secret bool) error {
	r := kube.Resource{Version: "v1", Name: "configmaps", Kind: "ConfigMap", Namespaced: true}
	if secret {
		r.Name, r.Kind = "secrets", "Secret"
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": r.Kind, "metadata": map[string]any{"name": name, "namespace": ns},
		"data": map[string]any{"noise": noise(ns, name)},
	})
	if err != nil {
		return err
	}
	_, err = p.Kube.Create(ctx, r, ns, body, kube.CreateOptions{})
	return err
}

// counting is a second worker whose way to the store counts the copies that the
// store makes on its side. It writes below the same prefix.
func (p *peers) counting(t *testing.T, ctx context.Context) (*atomic.Int64, *harness.Harness) {
	t.Helper()
	var copies atomic.Int64
	target, err := url.Parse(shared.S3.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is part of the signature
		if r.In.Header.Get("X-Amz-Copy-Source") != "" {
			copies.Add(1)
		}
	}}
	server := httptest.NewServer(http.Handler(proxy))
	t.Cleanup(server.Close)
	h, err := harness.New(ctx, shared, p.bin, t.TempDir(), harness.Options{
		Cluster: p.name("many"), Prefix: p.Cluster, S3: strings.TrimPrefix(server.URL, "http://"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	w, err := h.StartWorker(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return &copies, h
}

func (p *peers) manifestOf(t *testing.T, ctx context.Context, backup string) archive.Manifest {
	t.Helper()
	key := layout.Backup{Name: backup}.Manifest()
	m, err := archive.DecodeManifest(key, p.get(t, ctx, key))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// noWarnings: Velero looked at every object and found none that differs, except for
// those that the cluster itself puts into a namespace.
func (p *peers) noWarnings(t *testing.T, ctx context.Context, restore string, objects int) {
	t.Helper()
	raw, err := p.velero.Get(ctx, "restores", restore)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Status struct {
			Warnings, Errors int
			Progress         struct{ ItemsRestored int }
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	out := p.veleroRun(t, ctx, "restore", "describe", restore, "--colorized=false")
	differ := strings.Count(out, "could not restore") - strings.Count(out, "ConfigMap:kube-root-ca.crt already exists")
	if differ != 0 || doc.Status.Warnings > 2 || doc.Status.Errors > 0 || doc.Status.Progress.ItemsRestored < objects {
		t.Errorf("%+v of %d objects, %d differ\n%.3000s", doc.Status, objects, differ, out)
	}
}
