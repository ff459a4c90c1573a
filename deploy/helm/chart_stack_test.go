//go:build stack

package helm

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// Names that the cases are rendered for.
const (
	release   = "lifeboat"
	namespace = "backup"
)

// run runs a program of the stack and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	if err := stack.Build(t.Context(), os.Stderr, name); err != nil {
		t.Fatal(err)
	}
	program, err := stack.Binary(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// cases are files of values: those of the tests, and the one for people who come from Velero.
func cases(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(all) < 3 {
		t.Fatalf("cases: %v %v", all, err)
	}
	return append(all, "lifeboat/values-velero.yaml")
}

func template(t *testing.T, version, values string) string {
	t.Helper()
	return run(t, "helm", "template", release, "lifeboat", "--namespace", namespace, "--kube-version", version, "--values", values)
}

// Helm itself has nothing to say against the chart.
func TestLint(t *testing.T) {
	for _, values := range cases(t) {
		run(t, "helm", "lint", "--strict", "lifeboat", "--values", values)
	}
}

// What is rendered changes on purpose only, and is the same for every version of Kubernetes, with
// the suffixes of vendors too.
func TestGolden(t *testing.T) {
	for _, values := range cases(t) {
		got := template(t, "1.37.2", values)
		golden.Compare(t, filepath.Join("testdata", "golden", filepath.Base(values)), "the manifests of "+values, got)
		for _, version := range []string{"1.30.0", "v1.33.1-eks-1234"} {
			if template(t, version, values) != got {
				t.Errorf("%s: other manifests for Kubernetes %s", values, version)
			}
		}
	}
}

// TestOneImage: what is rendered pulls one image, ours, whatever the hook or the version of Kubernetes,
// and defines no custom resources.
func TestOneImage(t *testing.T) {
	for _, values := range cases(t) {
		manifests := template(t, "1.37.2", values)
		images := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^ +image: +"?([^"\n]+)"?$`).FindAllStringSubmatch(manifests, -1) {
			images[m[1]] = true
		}
		delete(images, "ghcr.io/lifeboat-backup/lifeboat:v0.1.0")
		if values == "testdata/cloud.yaml" { // by digest
			delete(images, "ghcr.io/lifeboat-backup/lifeboat@sha256:"+strings.Repeat("0123456789abcdef", 4))
		}
		if len(images) > 0 || !strings.Contains(manifests, "image: ") {
			t.Errorf("%s pulls %v", values, images)
		}
		if strings.Contains(manifests, "kind: CustomResourceDefinition") {
			t.Errorf("%s defines custom resources", values)
		}
	}
	if _, err := os.Stat("lifeboat/crds"); err == nil {
		t.Error("the chart has a folder of custom resource definitions")
	}
}

// TestSchema holds the manifests against what an API server of the version takes: no unknown
// field, no wrong type, no API that is gone. `make release-check` does it for all versions.
func TestSchema(t *testing.T) {
	checkSchema(t, moduleDir(t, "k8s.io/kubernetes"), "1.37.2")
}

// checkSchema holds all cases against the schemas of a version, whose source is in a folder.
func checkSchema(t *testing.T, source, version string) {
	t.Helper()
	schemas := t.TempDir()
	if err := writeSchemas(filepath.Join(source, "api", "openapi-spec", "swagger.json"), schemas); err != nil {
		t.Fatal(err)
	}
	for _, values := range cases(t) {
		file := filepath.Join(t.TempDir(), "manifests.yaml")
		if err := os.WriteFile(file, []byte(template(t, version, values)), 0o600); err != nil {
			t.Fatal(err)
		}
		out := run(t, "kubeconform", "-strict", "-summary", "-skip", "ServiceMonitor,PrometheusRule", "-kubernetes-version", version,
			"-schema-location", schemas+"/{{.ResourceKind}}{{.KindSuffix}}.json", file)
		if !strings.Contains(out, "Invalid: 0, Errors: 0") || strings.Contains(out, "Valid: 0,") {
			t.Errorf("%s, Kubernetes %s: %s", values, version, out)
		}
	}
}

// moduleDir is where a module of the stack lies.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module)
	cmd.Dir = filepath.Join("..", "..", "test", "stack", "tools")
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) < 2 {
		t.Fatalf("find %s: %v %s", module, err, out)
	}
	return strings.TrimSpace(string(out))
}

// refused runs a program that has to fail.
func refused(t *testing.T, name string, args ...string) string {
	t.Helper()
	program, err := stack.Binary(name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err == nil {
		t.Errorf("%s %s: taken: %s", name, strings.Join(args, " "), out)
	}
	return string(out)
}

// TestPackage: the chart of a release has workers, probe and drills run the image of one digest. What is no
// digest, or no release, is refused.
func TestPackage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	root := filepath.Join(t.TempDir(), "checkout")
	for _, file := range []string{"Makefile", "deploy/helm/lifeboat"} {
		from := filepath.Join("..", "..", file)
		to := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "cp", "-rL", from, to).CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
	}
	run(t, "helm", "version")
	helm, err := stack.Binary("helm")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(helm, filepath.Join(bin, "helm")); err != nil {
		t.Fatal(err)
	}
	pack := func(version, digest string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", "-C", root, "chart", "VERSION="+version, "DIGEST="+digest)
		cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, wrong := range [][2]string{{"v1.2.3", ""}, {"v1.2.3", "sha256:0a"}, {"dev", digest}} {
		if out, err := pack(wrong[0], wrong[1]); err == nil || !strings.Contains(out, " is no ") {
			t.Errorf("%q: %v %s", wrong, err, out)
		}
	}
	if out, err := pack("v1.2.3", digest); err != nil {
		t.Fatal(err, out)
	}
	rendered := run(t, "helm", "template", release, filepath.Join(root, "dist", "lifeboat-1.2.3.tgz"), "--namespace", namespace, "--values", "testdata/plain.yaml")
	images := regexp.MustCompile(`(?m)image: "?([^"\s]+)"?$`).FindAllStringSubmatch(rendered, -1)
	for _, image := range images {
		if !strings.HasSuffix(image[1], "/lifeboat@"+digest) {
			t.Errorf("runs %s", image[1])
		}
	}
	if len(images) < 2 || !strings.Contains(rendered, "helm.sh/chart: lifeboat-1.2.3") {
		t.Errorf("%d images in\n%s", len(images), rendered)
	}
}
