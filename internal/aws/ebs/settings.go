package ebs

import (
	"errors"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// The keys of a location's spec.config, as Velero's plug-in for AWS names them.
// enableSharedConfig is accepted and changes nothing: shared files are always
// read.
const (
	keyRegion          = "region"
	keyProfile         = "profile"
	keyCredentialsFile = "credentialsFile"
	keyKMSKeyID        = "ebsKmsKeyId"
)

// settings is a location's configuration. Package config has validated the
// document; what would go wrong silently is checked again here.
type settings struct {
	name, region    string
	profile         string
	credentialsFile string
	kmsKeyID        string
}

func parseSettings(l *velerov1.VolumeSnapshotLocation) (settings, error) {
	c := l.Spec.Config
	s := settings{name: l.Name, region: c[keyRegion], profile: c[keyProfile], credentialsFile: c[keyCredentialsFile], kmsKeyID: c[keyKMSKeyID]}
	var errs []error
	if p := l.Spec.Provider; p != "aws" && p != "velero.io/aws" {
		errs = append(errs, fmt.Errorf("spec.provider: %q is not supported; use aws or velero.io/aws", p))
	}
	if s.region == "" {
		errs = append(errs, fmt.Errorf("spec.config.%s: required; the region the volumes are in", keyRegion))
	}
	if l.Spec.Credential != nil && s.credentialsFile != "" {
		errs = append(errs, fmt.Errorf("spec.credential: excludes spec.config.%s; keep one of them", keyCredentialsFile))
	}
	if err := errors.Join(errs...); err != nil {
		return settings{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return s, nil
}
