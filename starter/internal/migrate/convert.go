package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"

	"sigs.k8s.io/yaml"
)

// Values are the chart's, as far as Velero's objects say them.
type Values struct {
	Configuration  Configuration   `json:"configuration"`
	Temporal       *Temporal       `json:"temporal,omitempty"`
	ServiceAccount *ServiceAccount `json:"serviceAccount,omitempty"`
	NodeSelector   map[string]any  `json:"nodeSelector,omitempty"`
	Tolerations    []any           `json:"tolerations,omitempty"`
}

// Configuration is the worker's.
type Configuration struct {
	Cluster                 string     `json:"cluster"`
	Namespace               string     `json:"namespace,omitempty"`
	BackupStorageLocations  []document `json:"backupStorageLocations"`
	VolumeSnapshotLocations []document `json:"volumeSnapshotLocations,omitempty"`
	Schedules               []document `json:"schedules,omitempty"`
	DefaultBackupTTL        string     `json:"defaultBackupTTL,omitempty"`
	Log                     *Log       `json:"log,omitempty"`
}

// Log is how the worker speaks.
type Log struct {
	Level  string `json:"level,omitempty"`
	Format string `json:"format,omitempty"`
}

// Temporal is where the workers find it, which Velero's objects cannot say.
type Temporal struct {
	Address string `json:"address"`
}

// ServiceAccount carries the role over.
type ServiceAccount struct {
	RoleArn string `json:"roleArn"`
}

// document is one of Velero's objects, without what belongs to its cluster.
type document struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   named          `json:"metadata"`
	Spec       map[string]any `json:"spec"`
}

type named struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// conversion gathers values, and notes on what somebody has to look at.
type conversion struct {
	values Values
	notes  []string
	unused []object // ConfigMaps, of which schedules name some
}

func (c *conversion) note(format string, a ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, a...))
}

// convert makes the chart's values of Velero's objects. What does not carry over is a note; what
// the worker would refuse is an error.
func convert(clusterName, temporal string, all []object) (Values, []string, error) {
	c := &conversion{values: Values{Configuration: Configuration{Cluster: clusterName}}}
	if temporal != "" {
		c.values.Temporal = &Temporal{Address: temporal}
	}
	for _, o := range all {
		if err := c.add(o); err != nil {
			return Values{}, nil, fmt.Errorf("%s %s: %w", o.Kind, o.Metadata.Name, err)
		}
	}
	conf := &c.values.Configuration
	if len(conf.BackupStorageLocations) == 0 {
		return Values{}, nil, fmt.Errorf("no BackupStorageLocation of provider aws found among %d objects: is this Velero's namespace?", len(all))
	}
	c.checkDefault()
	c.checkPolicies()
	if temporal == "" {
		c.note("temporal.address is required and not in Velero's objects: add it, or use --temporal-address")
	}
	return c.values, c.notes, nil
}

func (c *conversion) add(o object) error {
	group, _, _ := strings.Cut(o.APIVersion, "/")
	switch {
	case group == "velero.io" && o.Kind == "BackupStorageLocation":
		c.addStorage(o)
	case group == "velero.io" && o.Kind == "VolumeSnapshotLocation":
		c.addSnapshots(o)
	case group == "velero.io" && o.Kind == "Schedule":
		return c.addSchedule(o)
	case o.Kind == "Deployment":
		c.addServer(o)
	case o.Kind == "ServiceAccount":
		c.addAccount(o)
	case o.Kind == "ConfigMap":
		c.unused = append(c.unused, o)
	}
	return nil
}

// strip leaves of an object what its owner wrote.
func strip(o object) document {
	d := document{APIVersion: o.APIVersion, Kind: o.Kind, Metadata: named{Name: o.Metadata.Name}, Spec: o.Spec}
	for k, v := range o.Metadata.Labels {
		if !strings.HasPrefix(k, "helm.sh/") && !strings.HasPrefix(k, "app.kubernetes.io/") && k != "component" {
			set(&d.Metadata.Labels, k, v)
		}
	}
	for k, v := range o.Metadata.Annotations {
		if !strings.HasPrefix(k, "helm.sh/") && !strings.HasPrefix(k, "meta.helm.sh/") && !strings.HasPrefix(k, "kubectl.kubernetes.io/") {
			set(&d.Metadata.Annotations, k, v)
		}
	}
	return d
}

func set(m *map[string]string, k, v string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[k] = v
}

// isAWS tells by Velero's two names of the provider.
func isAWS(o object) bool {
	provider, _ := o.Spec["provider"].(string)
	return provider == "aws" || provider == "velero.io/aws"
}

func (c *conversion) addStorage(o object) {
	if !isAWS(o) {
		c.note("BackupStorageLocation %s is left out: provider %v; Lifeboat speaks S3", o.Metadata.Name, o.Spec["provider"])
		return
	}
	c.keepNamespace(o)
	o.Spec["provider"] = "aws"
	delete(o.Spec, "backupSyncPeriod") // the bucket is read whenever somebody asks
	c.values.Configuration.BackupStorageLocations = append(c.values.Configuration.BackupStorageLocations, strip(o))
}

func (c *conversion) addSnapshots(o object) {
	if !isAWS(o) {
		c.note("VolumeSnapshotLocation %s is left out: provider %v; volumes of other drivers are snapshotted through CSI", o.Metadata.Name, o.Spec["provider"])
		return
	}
	c.keepNamespace(o)
	o.Spec["provider"] = "aws"
	c.values.Configuration.VolumeSnapshotLocations = append(c.values.Configuration.VolumeSnapshotLocations, strip(o))
}

// keepNamespace has the worker read Secrets and ConfigMaps where Velero's are.
func (c *conversion) keepNamespace(o object) {
	c.values.Configuration.Namespace = o.Metadata.Namespace
	if credential, named := o.Spec["credential"].(map[string]any); named {
		c.note("%s %s reads the Secret %v in namespace %s: it has to stay there", o.Kind, o.Metadata.Name, credential["name"], o.Metadata.Namespace)
	}
}

// addSchedule checks what it keeps as `lifeboat schedule apply` does.
func (c *conversion) addSchedule(o object) error {
	d := strip(o)
	delete(d.Spec, "useOwnerReferencesInBackup") // backups are no objects of the cluster
	delete(d.Spec, "skipImmediately")            // nothing is started when a schedule is made
	text, err := yaml.Marshal(d)
	if err != nil {
		return err
	}
	if _, err := manifest.Schedules(strings.NewReader(string(text))); err != nil {
		return err
	}
	if template, _ := d.Spec["template"].(map[string]any); template["defaultVolumesToFsBackup"] == true {
		c.note("Schedule %s backs up files of volumes (defaultVolumesToFsBackup): Lifeboat snapshots volumes instead", o.Metadata.Name)
	}
	c.values.Configuration.Schedules = append(c.values.Configuration.Schedules, d)
	return nil
}

// addServer reads the arguments of Velero's server.
func (c *conversion) addServer(o object) {
	if o.Metadata.Name != "velero" {
		return
	}
	pod := field(o.Spec, "template", "spec")
	containers, _ := pod["containers"].([]any)
	for _, container := range containers {
		fields, _ := container.(map[string]any)
		args, _ := fields["args"].([]any)
		for _, a := range args {
			name, value, _ := strings.Cut(fmt.Sprint(a), "=")
			c.addArgument(name, value)
		}
	}
	c.values.NodeSelector = field(pod, "nodeSelector")
	c.values.Tolerations, _ = pod["tolerations"].([]any)
}

func (c *conversion) addArgument(name, value string) {
	conf := &c.values.Configuration
	switch name {
	case "--default-backup-ttl":
		conf.DefaultBackupTTL = value
	case "--log-level":
		conf.log().Level = strings.Replace(strings.ToLower(value), "warning", "warn", 1)
	case "--log-format":
		conf.log().Format = value
	case "--features", "--uploader-type", "server", "--plugin-dir", "--default-volumes-to-fs-backup":
	default:
		if strings.HasPrefix(name, "--") {
			c.note("the argument %s of Velero's server has no twin", name)
		}
	}
}

func (c *Configuration) log() *Log {
	if c.Log == nil {
		c.Log = &Log{}
	}
	return c.Log
}

// addAccount takes the role of Velero's server over.
func (c *conversion) addAccount(o object) {
	role := o.Metadata.Annotations["eks.amazonaws.com/role-arn"]
	if role == "" || !strings.HasPrefix(o.Metadata.Name, "velero") {
		return
	}
	c.values.ServiceAccount = &ServiceAccount{RoleArn: role}
	c.note("the role %s trusts Velero's ServiceAccount %s/%s: let its trust policy name that of Lifeboat too (lifeboat iam trust), and give it the rights of lifeboat iam policy", role, o.Metadata.Namespace, o.Metadata.Name)
}

// checkDefault marks one of several locations as the default, which the worker insists on.
func (c *conversion) checkDefault() {
	all := c.values.Configuration.BackupStorageLocations
	marked := slices.ContainsFunc(all, func(d document) bool { return d.Spec["default"] == true })
	if len(all) < 2 || marked {
		return
	}
	i := max(0, slices.IndexFunc(all, func(d document) bool { return d.Metadata.Name == "default" }))
	all[i].Spec["default"] = true
	c.note("no BackupStorageLocation was marked as the default: %s is now", all[i].Metadata.Name)
}

// checkPolicies tells which ConfigMaps the schedules go on to read.
func (c *conversion) checkPolicies() {
	for _, s := range c.values.Configuration.Schedules {
		policy := field(s.Spec, "template", "resourcePolicy")
		name, _ := policy["name"].(string)
		if name == "" {
			continue
		}
		found := slices.ContainsFunc(c.unused, func(o object) bool { return o.Metadata.Name == name })
		if found {
			c.note("Schedule %s reads its resource policy of the ConfigMap %s in namespace %s: it has to stay there", s.Metadata.Name, name, c.values.Configuration.Namespace)
			continue
		}
		c.note("Schedule %s names the resource policy %s, and there is no such ConfigMap among what was read", s.Metadata.Name, name)
	}
}

// field follows maps down a path; nil where it ends.
func field(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m, _ = m[p].(map[string]any)
	}
	return m
}
