package ebs

import (
	"errors"
	"fmt"
	"strconv"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// The keys of a location's spec.config, as Velero's plug-in for AWS names them.
// enableSharedConfig is accepted and changes nothing: shared files are always
// read.
const (
	keyRegion          = "region"
	keyProfile         = "profile"
	keyCredentialsFile = "credentialsFile"
	keyKMSKeyID        = "ebsKmsKeyId"
	// keyInitializationRate is ours: Velero's plug-in has no such setting.
	keyInitializationRate = "ebsVolumeInitializationRate"
)

// settings is a location's configuration. Package config has validated the
// document; what would go wrong silently is checked again here.
type settings struct {
	name, region    string
	profile         string
	credentialsFile string
	kmsKeyID        string
	// initializationRate is at how many MiB/s EC2 fills a volume that is made of a snapshot; 0
	// leaves it to EC2, and to whoever reads a block first.
	initializationRate int32
	role               awsconf.Role
}

func parseSettings(l *velerov1.VolumeSnapshotLocation) (settings, error) {
	c := l.Spec.Config
	s := settings{name: l.Name, region: c[keyRegion], profile: c[keyProfile], credentialsFile: c[keyCredentialsFile], kmsKeyID: c[keyKMSKeyID]}
	var errs []error
	if text := c[keyInitializationRate]; text != "" {
		rate, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			errs = append(errs, fmt.Errorf("spec.config.%s: %q is not a number (MiB/s)", keyInitializationRate, text))
		}
		s.initializationRate = int32(rate)
	}
	role, problems := awsconf.ParseRole(c)
	s.role, errs = role, append(errs, problems...)
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
