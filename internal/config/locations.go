package config

import (
	"errors"
	"fmt"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
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
