package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/contrib/envconfig"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/deploy/helm"
)

// container is the part of a Deployment's container that says how Temporal is reached.
type container struct {
	Env []struct {
		Name, Value string
		ValueFrom   struct{ SecretKeyRef struct{ Name, Key string } }
	}
	VolumeMounts []struct{ Name, MountPath string }
}

// variables are a pod's environment as Temporal's own library reads it.
type variables map[string]string

func (v variables) Environ() (all []string) {
	for name, value := range v {
		all = append(all, name+"="+value)
	}
	return all
}

func (v variables) LookupEnv(name string) (string, bool) {
	value, found := v[name]
	return value, found
}

// worker renders a case of the chart's tests and reads the worker's container. What is taken from
// a Secret has the Secret's name and key as its value.
func worker(t *testing.T, values string) (container, variables) {
	t.Helper()
	return workerOf(t, caseOf(values))
}

// caseOf is the file of a case of the chart's tests.
func caseOf(name string) string {
	return filepath.Join("..", "..", "..", "deploy", "helm", "testdata", name)
}

func workerOf(t *testing.T, file string) (container, variables) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := render(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Spec struct {
			Template struct {
				Spec struct{ Containers []container }
			}
		}
	}
	for doc := range strings.SplitSeq(out, "\n---\n") {
		if !strings.Contains(doc, "\nkind: Deployment\n") {
			continue
		}
		if err := yaml.Unmarshal([]byte(doc), &d); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("no worker in %s", out)
	}
	c := d.Spec.Template.Spec.Containers[0]
	env := variables{"TEMPORAL_CONFIG_FILE": filepath.Join(t.TempDir(), "none")}
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if ref := e.ValueFrom.SecretKeyRef; ref.Name != "" {
			env[e.Name] = ref.Name + "/" + ref.Key
		}
	}
	return c, env
}

// notesOf renders what Helm says after an install.
func notesOf(t *testing.T, file string) string {
	t.Helper()
	chart, err := helm.Chart()
	if err != nil {
		t.Fatal(err)
	}
	given, err := ReadValues([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := readMap(chart, "values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := parse(chart)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = all.ExecuteTemplate(&out, "templates/NOTES.txt", map[string]any{
		"Values": mergeValues(defaults, given), "Chart": map[string]any{"Name": "lifeboat", "AppVersion": "1"},
		"Release": map[string]any{"Name": "lifeboat", "Namespace": "lifeboat"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What the values say of the connection is what Temporal's library makes of the worker's
// environment: a key of a Secret, certificates of another, and neither in the configuration.
func TestTemporalConnection(t *testing.T) {
	const mount = "/run/secrets/temporal/"
	for values, want := range map[string]struct {
		address, namespace, key string
		tls                     *envconfig.ClientConfigTLS
	}{
		"plain.yaml": {"temporal-frontend.temporal:7233", "default", "", nil},
		"cloud.yaml": {"production.a1b2c.tmprl.cloud:7233", "production.a1b2c", "temporal/api-key", &envconfig.ClientConfigTLS{}},
		"narrow.yaml": {"temporal.example.com:443", "backups", "", &envconfig.ClientConfigTLS{
			ClientCertPath: mount + "tls.crt", ClientKeyPath: mount + "tls.key", ServerCACertPath: mount + "ca.crt", ServerName: "frontend",
		}},
	} {
		c, env := worker(t, values)
		got, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: env})
		if err != nil {
			t.Fatalf("%s: %v", values, err)
		}
		if got.Address != want.address || got.Namespace != want.namespace || got.APIKey != want.key {
			t.Errorf("%s: %+v", values, got)
		}
		if (got.TLS == nil) != (want.tls == nil) || got.TLS != nil && !sameTLS(*got.TLS, *want.tls) {
			t.Errorf("%s: TLS %+v, want %+v", values, got.TLS, want.tls)
		}
		notes := notesOf(t, caseOf(values))
		for name := range env {
			if strings.HasPrefix(name, "TEMPORAL_") && name != "TEMPORAL_CONFIG_FILE" && !strings.Contains(notes, name+"=") {
				t.Errorf("%s: the notes for the CLI lack %s:\n%s", values, name, notes)
			}
		}
		if want.key != "" && !strings.Contains(notes, `get secret temporal --output go-template='{{index .data "api-key" | base64decode}}'`) {
			t.Errorf("%s: where the key is:\n%s", values, notes)
		}
		mounted := false
		for _, m := range c.VolumeMounts {
			mounted = mounted || m.MountPath+"/" == mount
		}
		if needs := want.tls != nil && want.tls.ClientCertPath != ""; mounted != needs {
			t.Errorf("%s: certificates are mounted: %v", values, mounted)
		}
	}
}

func sameTLS(a, b envconfig.ClientConfigTLS) bool {
	return a.Disabled == b.Disabled && a.ClientCertPath == b.ClientCertPath && a.ClientKeyPath == b.ClientKeyPath &&
		a.ServerCACertPath == b.ServerCACertPath && a.ServerName == b.ServerName && a.DisableHostVerification == b.DisableHostVerification
}

// TestTLSOfTemporal: each way to speak TLS, of a private authority with certificates or without, beside a
// key or not, and what is half of one is refused and not left out.
func TestTLSOfTemporal(t *testing.T) {
	const mount, cert, ca = "/run/secrets/temporal/", "CLIENT_CERT_PATH CLIENT_KEY_PATH", " SERVER_CA_CERT_PATH"
	const key = "apiKey: {secretName: key}, "
	for given, want := range map[string]string{
		"tls: {enabled: true}":                                                "",
		"tls: {enabled: true, secretName: tls}":                               cert,
		"tls: {enabled: true, secretName: tls, ca: true}":                     cert + ca,
		"tls: {enabled: true, secretName: tls, ca: true, certificate: false}": ca,
		key + "tls: {enabled: true}":                                          "",
		key + "tls: {enabled: true, secretName: tls, ca: true}":               ca,
		key + "tls: {enabled: true, secretName: tls, certificate: true}":      cert,
		key + "tls: {enabled: true, secretName: tls}":                         "values: temporal.tls.secretName: nothing of the Secret is used",
		"tls: {enabled: true, secretName: tls, certificate: false}":           "values: temporal.tls.secretName: nothing of the Secret is used",
		"tls: {enabled: true, ca: true}":                                      "values: temporal.tls.ca and temporal.tls.certificate need temporal.tls.secretName",
		"tls: {enabled: true, certificate: true}":                             "values: temporal.tls.ca and temporal.tls.certificate need temporal.tls.secretName",
		"tls: {ca: true}":             "values: temporal.tls.ca and temporal.tls.serverName need temporal.tls.enabled",
		"tls: {serverName: frontend}": "values: temporal.tls.ca and temporal.tls.serverName need temporal.tls.enabled",
	} {
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(plainValues, "temporal: {", "temporal: {"+given+", ", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(want, "values: ") {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := render(t, string(text)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", given, err, want)
			}
			continue
		}
		_, env := workerOf(t, file)
		notes := notesOf(t, file)
		for _, name := range strings.Fields(cert + ca) {
			path, asked := env["TEMPORAL_TLS_"+name], strings.Contains(want, name)
			if (path != "") != asked || asked != strings.HasPrefix(path, mount) || asked != strings.Contains(notes, name+"=") {
				t.Errorf("%s: TEMPORAL_TLS_%s=%s, notes %s", given, name, path, notes)
			}
		}
	}
}
