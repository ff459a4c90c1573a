package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/deploy/helm"
)

type options struct {
	release Release
	files   []string
	sets    []string
	dryRun  bool
	format  string
	velero  veleroFlags
}

// Command is `lifeboat install`. Manifests go to out.
func Command(out io.Writer) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "install --dry-run -o yaml",
		Short: "Print the manifests of the workers, without Helm",
		Long: `Print what 'helm template' makes of the chart (deploy/helm/lifeboat), for clusters where Helm
is not used. Values are the chart's: a file, and single fields; of Velero's flags those that
say a value are taken too. Nothing is sent to the cluster: this program talks to Temporal
only, so kubectl applies what it prints.

The chart's probe, which Helm runs after an upgrade, is left out: take a backup instead.`,
		Example: `  lifeboat install --dry-run -o yaml --values values.yaml --namespace lifeboat | kubectl apply -f -
  lifeboat install --dry-run -o yaml --cluster production --bucket example-backups \
    --backup-location-config region=eu-central-1 --set temporal.address=temporal:7233`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVarP(&o.release.Namespace, "namespace", "n", "lifeboat", "namespace of the workers; it has to exist")
	f.StringVar(&o.release.Name, "name", "lifeboat", "name of the installation")
	f.StringArrayVarP(&o.files, "values", "f", nil, "`file` with values of the chart; may be repeated")
	f.StringArrayVar(&o.sets, "set", nil, "values by their paths, as Helm's --set takes plain fields: temporal.address=temporal:7233; may be repeated")
	f.BoolVar(&o.dryRun, "dry-run", false, "print, and install nothing: the only way there is")
	f.StringVarP(&o.format, "output", "o", "yaml", "output format: yaml, json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"yaml", "json"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	o.velero.bind(f)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cluster, err := c.Flags().GetString("cluster")
		if err != nil {
			return err
		}
		return o.print(out, cluster)
	}
	return c
}

func (o *options) print(out io.Writer, cluster string) error {
	if !o.dryRun {
		return errors.New("this program talks to Temporal only and installs nothing itself: lifeboat install --dry-run -o yaml ... | kubectl apply -f -, or helm install")
	}
	if o.format != "yaml" && o.format != "json" {
		return fmt.Errorf("--output %q: want yaml or json", o.format)
	}
	if err := o.release.check(); err != nil {
		return err
	}
	fromFlags, err := o.velero.values(cluster)
	if err != nil {
		return err
	}
	fromFiles, err := ReadValues(o.files)
	if err != nil {
		return err
	}
	o.release.Values = mergeValues(fromFlags, fromFiles)
	for _, s := range o.sets {
		if err := SetValue(o.release.Values, s); err != nil {
			return err
		}
	}
	chart, err := helm.Chart()
	if err != nil {
		return err
	}
	return printManifests(out, chart, o.release, o.format)
}

func printManifests(out io.Writer, chart fs.FS, r Release, format string) error {
	text, err := Render(chart, r)
	if err != nil {
		return err
	}
	if format == "json" {
		if text, err = asList(text); err != nil {
			return err
		}
	}
	_, err = out.Write(text)
	return err
}

// asList makes one JSON document of manifests, a List as kubectl takes it.
func asList(manifests []byte) ([]byte, error) {
	items := []json.RawMessage{}
	for doc := range strings.SplitSeq(strings.TrimPrefix(string(manifests), "---\n"), "\n---\n") {
		one, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			return nil, err
		}
		items = append(items, one)
	}
	list, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": items}, "", "  ")
	return append(list, '\n'), err
}
