package archive

import (
	"fmt"
	"regexp"
)

// MaxNameLength is what a Kubernetes label value can hold; objects restored are
// labelled with the names of backup and restore.
const MaxNameLength = 63

// maxBackupName is what Kubernetes allows of a name. Velero makes backups of such names, by
// schedules mostly; labels hold them shortened.
const maxBackupName = 253

// ValidateName checks the name of a backup or restore that is to be made: a DNS-1123 subdomain
// of at most 63 characters, safe as a directory in the bucket and as a label.
func ValidateName(name string) error { return validateName(name, MaxNameLength) }

// ValidateBackupName checks the name of a backup that is there already, which may be Velero's.
func ValidateBackupName(name string) error { return validateName(name, maxBackupName) }

// ValidateScheduleName checks the name of a schedule of backups, behind which each gets its time.
func ValidateScheduleName(name string) error {
	const longest = MaxNameLength - len("-20060102150405")
	if err := ValidateName(name); err != nil {
		return err
	}
	if len(name) > longest {
		return fmt.Errorf("%q has %d characters: use at most %d, for backups are called NAME-YYYYMMDDhhmmss and names of backups have at most %d", name, len(name), longest, MaxNameLength)
	}
	return nil
}

func validateName(name string, longest int) error {
	const rule = "use lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
	if name == "" {
		return fmt.Errorf("name is empty: %s", rule)
	}
	if len(name) > longest {
		return fmt.Errorf("name %.20q... has %d characters: use at most %d", name, len(name), longest)
	}
	// Compiled per call: names are checked once a run, and a package variable
	// would outlive its use.
	subdomain := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	if !subdomain.MatchString(name) {
		return fmt.Errorf("name %q is not a DNS-1123 subdomain: %s", name, rule)
	}
	return nil
}
