// Package hook decides which commands run in which containers around a backup
// and after a restore. It reads Velero's hooks: annotations of a pod and the
// hooks of a spec. Specs are expected to have passed filter.ValidateBackup or
// filter.ValidateRestore, which own the rules for them; annotations are written
// by anybody, so what is wrong with one becomes a reason and never an error.
//
// Where it differs from Velero, on purpose:
//
//   - onError of a backup hook that does not say is Fail, as Velero documents;
//     its code takes it for Continue.
//   - An onError or a timeout that cannot be read is reported, and so is a command
//     that looks like JSON and is none. Velero is silent about the first and the
//     last.
//   - Pods and containers that do not run are left out with a reason.
//   - The timeout of an init hook is reported: neither Velero nor Kubernetes enforces it.
//   - An init hook without a command keeps the entrypoint of its image.
//
// The package is pure.
package hook
