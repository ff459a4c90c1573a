package reference

import "github.com/lifeboat-backup/lifeboat/internal/report"

// What is found in a backup.
const (
	// Missing: an object names another one that the backup does not hold.
	Missing report.Code = "REFERENCE_MISSING"
	// DefinitionMissing: the backup holds a custom resource and not its definition.
	DefinitionMissing report.Code = "DEFINITION_MISSING"
	// VersionNotServed: the definition in the backup does not serve the version of an object.
	VersionNotServed report.Code = "VERSION_NOT_SERVED"
	// NamespaceMissing: the backup holds an object and not its namespace.
	NamespaceMissing report.Code = "NAMESPACE_NOT_IN_BACKUP"
	// OwnerMissing: the backup holds an object and not its owner.
	OwnerMissing report.Code = "OWNER_NOT_IN_BACKUP"
	// Duplicate: the backup holds two objects of one name.
	Duplicate report.Code = "DUPLICATE_NAME"
	// TooLarge: no API server takes an object of that size.
	TooLarge report.Code = "OBJECT_TOO_LARGE"
	// NotTheObject: what is stored under a name is not the object of that name.
	NotTheObject report.Code = "NOT_THE_OBJECT"
	// NoBackend: nothing in the backup would answer what an API server calls.
	NoBackend report.Code = "NO_BACKEND"
	// QuotaTooSmall: a quota is smaller than what was used of it.
	QuotaTooSmall report.Code = "QUOTA_TOO_SMALL"
)

// New is a finding of a code, with what it weighs and the next step.
func New(code report.Code, message string) report.Reason {
	r := report.New(code, message)
	r.Severity, r.Next = report.Warning, nextStep(code)
	switch code {
	case DefinitionMissing, VersionNotServed, Duplicate, TooLarge, NotTheObject:
		r.Severity = report.Error
	}
	return r
}

func nextStep(code report.Code) string {
	switch code {
	case Missing:
		return "add the object to what is backed up, or see to it that the cluster that is restored into has it"
	case DefinitionMissing, VersionNotServed:
		return "install the definition with that version before a restore, or back it up with its objects"
	case NamespaceMissing:
		return "a restore makes the namespace without its labels; include it in the backup where these matter"
	case OwnerMissing:
		return "nothing if the object may live without its owner; else back up the owner too"
	case Duplicate, NotTheObject:
		return "take the backup again; the files of this one were not written by a backup"
	case TooLarge:
		return "make the object smaller, or leave it out and restore it by other means"
	case NoBackend:
		return "back up the Service with its workload, or expect what is called to be refused after a restore"
	case QuotaTooSmall:
		return "raise the quota: a restore brings quotas after workloads, but nothing more can start"
	}
	return ""
}
