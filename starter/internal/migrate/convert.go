package migrate

import (
	"errors"
	"fmt"
	"strings"
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
	server server
	// leftStorage and leftSnapshots are the names of locations that are left out; marked is one of
	// the former that was the default.
	leftStorage, leftSnapshots map[string]bool
	marked                     string
}

func (c *conversion) note(format string, a ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, a...))
}

// convert makes the chart's values of Velero's objects. What does not carry over is a note. A
// schedule that the worker would refuse is an error; settings within a location are judged by the
// worker alone (lifeboat-worker --check-config).
func convert(clusterName, temporal string, all []object) (Values, []string, error) {
	c := &conversion{
		values:      Values{Configuration: Configuration{Cluster: clusterName}},
		leftStorage: map[string]bool{}, leftSnapshots: map[string]bool{},
	}
	if temporal != "" {
		c.values.Temporal = &Temporal{Address: temporal}
	}
	seen := map[string]bool{}
	for _, o := range all {
		err := c.add(o)
		if key := o.Kind + " " + o.Metadata.Name; err == nil && isVelero(o) && seen[key] {
			err = errors.New("there are two of that name: read one namespace of Velero at a time")
		} else {
			seen[key] = true
		}
		if err != nil {
			return Values{}, nil, fmt.Errorf("%s %s: %w", o.Kind, o.Metadata.Name, err)
		}
	}
	if len(c.values.Configuration.BackupStorageLocations) == 0 {
		return Values{}, nil, fmt.Errorf("no BackupStorageLocation of provider aws found among %d objects: is this Velero's namespace?", len(all))
	}
	if err := c.complete(); err != nil {
		return Values{}, nil, err
	}
	if temporal == "" {
		c.note("temporal.address is required and not in Velero's objects: add it, or use --temporal-address")
	}
	return c.values, c.notes, nil
}

// complete does what needs all objects.
func (c *conversion) complete() error {
	c.addRole()
	c.addCredentials()
	if err := c.checkDefault(); err != nil {
		return err
	}
	if err := c.checkReferences(); err != nil {
		return err
	}
	c.checkPolicies()
	return nil
}

func (c *conversion) add(o object) error {
	switch {
	case isVelero(o) && o.Kind == "BackupStorageLocation":
		c.addStorage(o)
	case isVelero(o) && o.Kind == "VolumeSnapshotLocation":
		c.addSnapshots(o)
	case isVelero(o) && o.Kind == "Schedule":
		return c.addSchedule(o)
	case o.Kind == "Deployment":
		return c.addServer(o)
	case o.Kind == "ServiceAccount":
		c.server.accounts = append(c.server.accounts, o)
	case o.Kind == "ConfigMap":
		c.unused = append(c.unused, o)
	}
	return nil
}

func isVelero(o object) bool { return strings.HasPrefix(o.APIVersion, "velero.io/") }

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
		c.leftStorage[o.Metadata.Name] = true
		if o.Spec["default"] == true {
			c.marked = o.Metadata.Name
		}
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
		c.leftSnapshots[o.Metadata.Name] = true
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

// field follows maps down a path; nil where it ends.
func field(m map[string]any, path ...string) map[string]any {
	for _, p := range path {
		m, _ = m[p].(map[string]any)
	}
	return m
}
