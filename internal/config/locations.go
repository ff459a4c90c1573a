package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"sigs.k8s.io/yaml"
)

// ErrUnknownLocation: no location of that name is configured.
var ErrUnknownLocation = errors.New("unknown storage location")

// Location finds a backup storage location by name; "" is the default one.
// The error matches ErrUnknownLocation and names the locations there are.
func (c *Config) Location(name string) (*velerov1.BackupStorageLocation, error) {
	all := c.BackupStorageLocations
	if name == "" && len(all) == 1 {
		return &all[0], nil
	}
	names := make([]string, len(all))
	for i := range all {
		if all[i].Name == name && name != "" || name == "" && all[i].Spec.Default {
			return &all[i], nil
		}
		names[i] = all[i].Name
	}
	if name == "" {
		return nil, fmt.Errorf("%w: none is the default; known: %s", ErrUnknownLocation, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%w: %q; known: %s", ErrUnknownLocation, name, strings.Join(names, ", "))
}

// DefaultLocation is the name of the default location; "" when there is none.
func (c *Config) DefaultLocation() string {
	l, err := c.Location("")
	if err != nil {
		return ""
	}
	return l.Name
}

// Redacted is the configuration as YAML for a log, without certificates and
// without user information in URLs.
func (c *Config) Redacted() string {
	out := *c
	out.BackupStorageLocations = make([]velerov1.BackupStorageLocation, len(c.BackupStorageLocations))
	for i := range c.BackupStorageLocations {
		l := c.BackupStorageLocations[i].DeepCopy()
		if o := l.Spec.ObjectStorage; o != nil && o.CACert != nil {
			o.CACert = []byte("(certificate)")
		}
		redactURLs(l.Spec.Config)
		out.BackupStorageLocations[i] = *l
	}
	text, err := yaml.Marshal(out)
	if err != nil {
		return fmt.Sprintf("configuration that cannot be shown: %v", err)
	}
	return string(text)
}

func redactURLs(config map[string]string) {
	for key, value := range config {
		if u, err := url.Parse(value); err == nil && u.User != nil {
			config[key] = u.Redacted()
		}
	}
}
