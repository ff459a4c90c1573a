package migrate

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
)

type options struct {
	files             []string
	cluster           cluster
	temporal, printed string
}

// What is printed: the chart's values, the worker's configuration alone, or schedules alone.
const (
	printValues        = "values"
	printConfiguration = "configuration"
	printSchedules     = "schedules"
)

// Command is `lifeboat migrate`. Values go to out, notes on them to notes.
func Command(in io.Reader, out, notes io.Writer) *cobra.Command {
	return command.Group("migrate", "Take over what another tool has in a cluster", nil, fromVelero(in, out, notes))
}

func fromVelero(in io.Reader, out, notes io.Writer) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "from-velero",
		Short: "Print the configuration that does what a cluster's Velero does",
		Long: `Read Velero's storage locations, snapshot locations and schedules, the arguments of its server
and the role of its ServiceAccount, and print values of the chart that say the same. They are
read by kubectl, with your own credentials, or of files. Nothing is changed: Velero runs on,
and both work on one bucket. What needs a look is said on stderr.`,
		Example: `  lifeboat migrate from-velero --cluster production > values.yaml
  helm upgrade --install lifeboat deploy/helm/lifeboat -n lifeboat --create-namespace --wait -f values.yaml
  kubectl get bsl,vsl,schedules -n velero -o yaml | lifeboat migrate from-velero --cluster production -f -
  lifeboat migrate from-velero --cluster production --print schedules | lifeboat schedule apply -f -`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringArrayVarP(&o.files, "file", "f", nil, "`file` with Velero's objects in place of a cluster, - is stdin; may be repeated")
	f.StringVar(&o.cluster.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (default: kubectl's)")
	f.StringVar(&o.cluster.context, "kubecontext", "", "context of the kubeconfig (default: its current one)")
	f.StringVarP(&o.cluster.namespace, "namespace", "n", "velero", "Velero's namespace")
	f.StringVar(&o.cluster.kubectl, "kubectl", "kubectl", "kubectl to run")
	f.StringVar(&o.temporal, "temporal-address", "", "host:port of Temporal as the workers reach it")
	f.StringVar(&o.printed, "print", printValues, "what to print: values of the chart, the worker's configuration, or its schedules alone")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, err := c.Flags().GetString("cluster")
		if err != nil {
			return err
		}
		return o.run(c.Context(), name, in, out, notes)
	}
	return c
}

func (o *options) run(ctx context.Context, clusterName string, in io.Reader, out, notes io.Writer) error {
	if clusterName == "" {
		return fmt.Errorf("--cluster: required: the name that the cluster gets, a DNS label that stays the same for its life")
	}
	if len(validation.IsDNS1123Label(clusterName)) > 0 {
		return fmt.Errorf("--cluster %q: use lower-case letters, digits and '-', beginning and ending with a letter or digit, at most %d", clusterName, validation.DNS1123LabelMaxLength)
	}
	all, err := o.read(ctx, in)
	if err != nil {
		return err
	}
	values, said, err := convert(clusterName, o.temporal, all)
	if err != nil {
		return err
	}
	for _, n := range said {
		if _, err := fmt.Fprintln(notes, "note:", n); err != nil {
			return err
		}
	}
	return o.print(out, values)
}

func (o *options) read(ctx context.Context, in io.Reader) ([]object, error) {
	if len(o.files) > 0 {
		return readFiles(in, o.files)
	}
	return o.cluster.read(ctx)
}

func (o *options) print(out io.Writer, v Values) error {
	var what any
	switch o.printed {
	case printValues:
		what = v
	case printConfiguration:
		what = v.Configuration
	case printSchedules:
		what = map[string]any{"apiVersion": "v1", "kind": "List", "items": v.Configuration.Schedules}
	default:
		return fmt.Errorf("--print %q: want %s, %s or %s", o.printed, printValues, printConfiguration, printSchedules)
	}
	text, err := yaml.Marshal(what)
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}
