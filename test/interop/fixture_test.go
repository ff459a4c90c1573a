//go:build stack

package interop

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"strings"
	"testing"
	"text/template"

	"github.com/lifeboat-backup/lifeboat/test/compare"
)

// fixture is a small application over two namespaces with what belongs to it in
// the cluster. Every name holds the prefix.
type fixture struct {
	p        *peers
	Prefix   string
	NodePort int
}

//go:embed testdata/app.yaml
var appYAML string

// related are the cluster-scoped types of the application that a backup of its
// namespaces pulls in; others are what only a whole backup holds. Custom types are
// among the latter: where one vanishes, every backup that Velero takes of anything
// fails partially until it looks for types again.
const (
	related = "clusterrole,clusterrolebinding,priorityclass,pv"
	others  = "crd,ingressclass,validatingwebhookconfiguration,storageclass"
)

func (p *peers) app(t *testing.T, ctx context.Context, name string, nodePort int) *fixture {
	t.Helper()
	f := &fixture{p: p, Prefix: p.name(name), NodePort: nodePort}
	f.apply(t, ctx, appYAML)
	f.settle(t, ctx)
	return f
}

// define makes the custom types of applications.
func (p *peers) define(ctx context.Context, names ...string) error {
	for _, name := range names {
		text, err := (&fixture{p: p, Prefix: p.name(name)}).render(appYAML)
		if err != nil {
			return err
		}
		if err := p.defineFirst(ctx, text, "widgets."+p.name(name)+".example.com"); err != nil {
			return err
		}
	}
	return nil
}

// defineFirst makes the custom type that is the first document of a manifest.
func (p *peers) defineFirst(ctx context.Context, manifest, name string) error {
	definition, _, _ := strings.Cut(manifest, "\n---\n")
	if _, err := p.Kubectl(ctx, definition, "apply", "-f", "-"); err != nil {
		return err
	}
	_, err := p.Kubectl(ctx, "", "wait", "--timeout=60s", "--for=condition=Established", "crd/"+name)
	return err
}

func (f *fixture) render(text string) (string, error) {
	var out bytes.Buffer
	err := template.Must(template.New("app").Parse(text)).Execute(&out, f)
	return out.String(), err
}

func (f *fixture) apply(t *testing.T, ctx context.Context, text string) {
	t.Helper()
	out, err := f.render(text)
	if err != nil {
		t.Fatal(err)
	}
	// The custom resources come a moment before their API is served.
	await(t, ctx, "objects of "+f.Prefix, func() (bool, string) {
		_, err := f.p.Kubectl(ctx, out, "apply", "-f", "-")
		return err == nil, fmt.Sprint(err)
	})
}

// settle waits until every controller has done its work.
func (f *fixture) settle(t *testing.T, ctx context.Context) {
	t.Helper()
	app, data := f.Namespaces()[0], f.Namespaces()[1]
	f.p.kubectl(t, ctx, "", "-n", app, "wait", "--timeout=120s", "--for=condition=Available", "deployment/web")
	f.p.kubectl(t, ctx, "", "-n", app, "wait", "--timeout=120s", "--for=condition=complete", "job/migrate")
	f.p.kubectl(t, ctx, "", "-n", data, "rollout", "status", "--timeout=120s", "statefulset/db")
	f.p.kubectl(t, ctx, "", "-n", data, "wait", "--timeout=120s", "--for=jsonpath={.status.phase}=Bound", "pvc", "--all")
}

func (f *fixture) Namespaces() []string { return []string{f.Prefix + "-app", f.Prefix + "-data"} }

func (f *fixture) List() string { return strings.Join(f.Namespaces(), ",") }

func (f *fixture) keep(_, namespace, name string) bool {
	if namespace != "" {
		return strings.HasPrefix(namespace, f.Prefix+"-")
	}
	return strings.Contains(name, f.Prefix)
}

func (f *fixture) state(t *testing.T, ctx context.Context) compare.State {
	t.Helper()
	s, err := compare.Take(ctx, f.p.Kube, f.keep)
	if err != nil {
		t.Fatal(err)
	}
	if len(s) < 30 {
		t.Fatalf("only %d objects of %s", len(s), f.Prefix)
	}
	return s
}

// destroy deletes the namespaces and the cluster-scoped objects of these types.
func (f *fixture) destroy(t *testing.T, ctx context.Context, types string) {
	t.Helper()
	f.p.kubectl(t, ctx, "", append([]string{"delete", "namespace", "--timeout=150s"}, f.Namespaces()...)...)
	f.p.kubectl(t, ctx, "", "delete", types, "-l", "fixture="+f.Prefix, "--timeout=60s")
}

// identical waits until the cluster is as it was: controllers take their time to
// adopt what was restored.
func (f *fixture) identical(t *testing.T, ctx context.Context, before compare.State) {
	t.Helper()
	same(t, ctx, before, func() (compare.State, error) { return compare.Take(ctx, f.p.Kube, f.keep) })
}

func same(t *testing.T, ctx context.Context, before compare.State, take func() (compare.State, error)) {
	t.Helper()
	await(t, ctx, "the state before", func() (bool, string) {
		after, err := take()
		if err != nil {
			return false, err.Error()
		}
		diff := compare.Diff(before, after)
		return len(diff) == 0, strings.Join(diff[:min(len(diff), 20)], "\n")
	})
}

// nodePort is the port that a Service has now.
func (f *fixture) nodePort(t *testing.T, ctx context.Context) string {
	t.Helper()
	return f.p.kubectl(t, ctx, "", "-n", f.Namespaces()[0], "get", "service", "web-outside", "-o", "jsonpath={.spec.ports[0].nodePort}")
}
