package install

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/deploy/helm"
	"github.com/lifeboat-backup/lifeboat/internal/config"
)

const plainValues = `
configuration:
  cluster: production
  backupStorageLocations:
    - metadata: {name: default}
      spec: {provider: aws, objectStorage: {bucket: example-backups}}
temporal: {address: "temporal:7233"}
`

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	out, err := parseValues("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func render(t *testing.T, text string) (string, error) {
	t.Helper()
	chart, err := helm.Chart()
	if err != nil {
		t.Fatal(err)
	}
	out, err := Render(chart, Release{Name: "lifeboat", Namespace: "backup", Values: values(t, text)})
	return string(out), err
}

// What is printed can be read by kubectl, holds no hook of Helm's and a configuration that the
// worker takes.
func TestRender(t *testing.T) {
	out, err := render(t, plainValues)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for doc := range strings.SplitSeq(strings.TrimPrefix(out, "---\n"), "\n---\n") {
		var o struct {
			Kind string
			Data map[string]string
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v:\n%s", err, doc)
		}
		kinds[o.Kind]++
		if o.Kind != "ConfigMap" {
			continue
		}
		c, err := config.Parse([]byte(o.Data["lifeboat.yaml"]))
		if err != nil || c.Cluster != "production" || c.Namespace != "backup" {
			t.Errorf("configuration: %v %+v", err, c)
		}
	}
	want := map[string]int{"ServiceAccount": 1, "ConfigMap": 1, "ClusterRole": 1, "ClusterRoleBinding": 1, "Deployment": 1, "PodDisruptionBudget": 1, "NetworkPolicy": 1}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %v", kinds)
	}
	if _, err := asList([]byte(out)); err != nil {
		t.Error(err)
	}
}

// What is wrong is told with the field, before anything is printed.
func TestRefusedValues(t *testing.T) {
	for name, tc := range map[string]struct{ values, want string }{
		"nothing given":      {"{}", "values: configuration.cluster: "},
		"mistyped field":     {plainValues + "replica: 2", "additional properties 'replica' not allowed"},
		"in configuration":   {strings.Replace(plainValues, "cluster:", "clustr: x\n  cluster:", 1), "values: configuration: additional properties 'clustr' not allowed"},
		"no bucket":          {strings.Replace(plainValues, "{bucket: example-backups}", "{prefix: b}", 1), "objectStorage: missing property 'bucket'"},
		"no replicas":        {plainValues + "replicas: 0", "values: replicas: minimum"},
		"digest":             {plainValues + "image: {digest: latest}", "values: image.digest: "},
		"role":               {plainValues + "serviceAccount: {roleArn: backup}", "values: serviceAccount.roleArn: "},
		"key in the clear":   {strings.Replace(plainValues, `7233"`, `7233", apiKey: {secretName: s}`, 1), "values: temporal.tls.secretName and temporal.apiKey.secretName need temporal.tls.enabled"},
		"no account":         {plainValues + "serviceAccount: {create: false, name: null}", "values: serviceAccount.name is required"},
		"monitor of nothing": {strings.Replace(plainValues, "cluster:", "metrics: {listen: 'off'}\n  cluster:", 1) + "metrics: {serviceMonitor: {enabled: true}}", "values: metrics.serviceMonitor.enabled needs"},
	} {
		if _, err := render(t, tc.values); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// A probe is made where a backup can be made, and where it is wanted; the notes say which of both.
func TestProbe(t *testing.T) {
	const readOnly = `accessMode: ReadOnly, `
	location := func(name, spec string) string {
		return "    - {metadata: {name: " + name + "}, spec: {" + spec + "provider: aws, objectStorage: {bucket: example}}}\n"
	}
	for name, tc := range map[string]struct {
		locations, values string
		made, said        bool
	}{
		"one":                  {location("a", ""), "", true, false},
		"one, ReadWrite":       {location("a", "accessMode: ReadWrite, "), "", true, false},
		"one, ReadOnly":        {location("a", readOnly), "", false, true},
		"default ReadOnly":     {location("a", "default: true, "+readOnly) + location("b", ""), "", false, true},
		"other ReadOnly":       {location("a", readOnly) + location("b", "default: true, "), "", true, false},
		"not wanted":           {location("a", ""), "probe: {enabled: false}\n", false, false},
		"not wanted, ReadOnly": {location("a", readOnly), "probe: {enabled: false}\n", false, false},
	} {
		text := "configuration:\n  cluster: c\n  backupStorageLocations:\n" + tc.locations + "temporal: {address: \"t:7233\"}\n" + tc.values
		if got := strings.Contains(renderTemplate(t, "templates/probe.yaml", text), "kind: Job"); got != tc.made {
			t.Errorf("%s: a probe is made: %v", name, got)
		}
		if got := strings.Contains(renderTemplate(t, "templates/NOTES.txt", text), "No backup was tried"); got != tc.said {
			t.Errorf("%s: the notes say that there is none: %v", name, got)
		}
	}
}

// renderTemplate gives one template of the chart as Helm would render it, hooks and notes too.
func renderTemplate(t *testing.T, name, text string) string {
	t.Helper()
	chart, err := helm.Chart()
	if err != nil {
		t.Fatal(err)
	}
	data, err := chartData(chart, Release{Name: "lifeboat", Namespace: "backup", Values: values(t, text)})
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := parse(chart)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := all.ExecuteTemplate(&out, name, data); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSetValue(t *testing.T) {
	got := values(t, "temporal: {namespace: default}")
	for _, s := range []string{
		"temporal.address=temporal:7233", "replicas=3", "rbac.restore=false", "serviceAccount.roleArn=",
		"podAnnotations.x=yes,podAnnotations.example\\.org/on=on", `podLabels.a=b\,c=d`, "podLabels.zip=0123", "podLabels.hex=0x10", "podLabels.float=1.50", "podLabels.big=1e3",
		"configuration.metrics.listen=off", "rbac.hooks=True", "networkPolicy.metricsFrom=null", "limits.zero=0", "limits.less=-4",
	} {
		if err := SetValue(got, s); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]any{
		"temporal": map[string]any{"namespace": "default", "address": "temporal:7233"},
		"replicas": json.Number("3"), "rbac": map[string]any{"restore": false, "hooks": true}, "serviceAccount": map[string]any{"roleArn": ""},
		"podAnnotations": map[string]any{"x": "yes", "example.org/on": "on"},
		"podLabels":      map[string]any{"a": "b,c=d", "zip": "0123", "hex": "0x10", "float": "1.50", "big": "1e3"},
		"configuration":  map[string]any{"metrics": map[string]any{"listen": "off"}},
		"networkPolicy":  map[string]any{"metricsFrom": nil},
		"limits":         map[string]any{"zero": json.Number("0"), "less": json.Number("-4")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
	for _, bad := range []string{"temporal", "=x", "a[0]=x", "list={a,b}", "a..b=x", "a=b,", "a=b,c"} {
		if err := SetValue(got, bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

// The schema knows every field of the worker's configuration, and no other: what it does not know
// nobody can install.
func TestSchemaHasConfiguration(t *testing.T) {
	chart, err := helm.Chart()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := readMap(chart, "values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	at := func(v any, path ...string) map[string]any {
		for _, p := range path {
			v = v.(map[string]any)[p]
		}
		return v.(map[string]any)
	}
	compareFields(t, "configuration", reflect.TypeFor[config.Config](), at(schema, "properties", "configuration"))
}

// compareFields compares what our own types have with what a schema has below it.
func compareFields(t *testing.T, path string, typ reflect.Type, schema map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	known := map[string]bool{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = true
		below, found := properties[name].(map[string]any)
		if !found {
			t.Errorf("values.schema.json lacks %s.%s", path, name)
			continue
		}
		if f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == typ.PkgPath() {
			compareFields(t, path+"."+name, f.Type, below)
		}
	}
	for name := range properties {
		if !known[name] {
			t.Errorf("values.schema.json has %s.%s, which the worker does not", path, name)
		}
	}
	if schema["additionalProperties"] != false {
		t.Errorf("values.schema.json lets anything through at %s", path)
	}
}

// Values that are not for this program are not lost on the way: a later file wins field by field.
func TestMergeValues(t *testing.T) {
	got := mergeValues(values(t, "a: {b: 1, c: [1, 2]}\nd: x"), values(t, "a: {c: [3]}\nd: null\ne: {}"))
	if want := values(t, "a: {b: 1, c: [3]}\ne: {}"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if !slices.Equal([]int{toInt(json.Number("2")), toInt(2.0), toInt(2), toInt("2")}, []int{2, 2, 2, 0}) {
		t.Error("toInt")
	}
}

// TestNames: a name that the cluster would refuse is told with its flag, before anything is printed.
func TestNames(t *testing.T) {
	for name, tc := range map[string]struct{ args, want string }{
		"name":           {"--name=Foo_", `--name "Foo_": use lower-case letters`},
		"namespace":      {"--namespace=Bad Ns", `--namespace "Bad Ns": use lower-case letters`},
		"dots":           {"--namespace=a.b", `--namespace "a.b": `},
		"none":           {"--name=", `--name "": `},
		"long":           {"--name=" + strings.Repeat("a", 54), "has 54 characters: use at most 53"},
		"good":           {"--name=my-release", ""},
		"text, not a no": {"--set=podAnnotations.x=yes,configuration.metrics.listen=off", ""},
	} {
		var out bytes.Buffer
		c := Command(&out)
		c.Flags().String("cluster", "production", "")
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs([]string{"--dry-run", "--bucket=example-backups", "--backup-location-config=region=eu-central-1", "--set=temporal.address=temporal:7233", tc.args})
		err := c.Execute()
		if tc.want == "" && (err != nil || !strings.Contains(out.String(), "kind: Deployment")) {
			t.Errorf("%s: %v", name, err)
		}
		if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || out.Len() > 0) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestExpectedRole: however the values name the role of the ServiceAccount, the worker refuses to be
// somebody else. EKS's webhook, which would tell it, may have been away.
func TestExpectedRole(t *testing.T) {
	const role = "arn:aws:iam::111122223333:role/lifeboat"
	const annotation = "annotations: {eks.amazonaws.com/role-arn: '" + role + "'}"
	for account, want := range map[string]string{
		"{roleArn: '" + role + "'}": role, "{" + annotation + "}": role, "{annotations: {a: b}}": "", "{annotations: null}": "",
	} {
		out, err := render(t, plainValues+"serviceAccount: "+account)
		if err != nil {
			t.Fatal(err)
		}
		if c := configurationOf(t, out); c.AWS.ExpectedRoleARN != want {
			t.Errorf("%s: expected is %q", account, c.AWS.ExpectedRoleARN)
		}
		if strings.Count(out, "    eks.amazonaws.com/role-arn: ") != len(want)/max(len(want), 1) {
			t.Errorf("%s: the account's annotation: %s", account, out)
		}
	}
	if _, err := render(t, plainValues+"serviceAccount: {roleArn: '"+role+"', "+annotation+"}"); err == nil || !strings.Contains(err.Error(), "values: serviceAccount.roleArn and the annotation") {
		t.Errorf("both: %v", err)
	}
}
