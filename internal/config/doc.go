// Package config is the worker's configuration: one YAML file, one struct,
// checked whole before anything starts.
//
// Unknown and repeated fields are refused. Every problem is reported at once
// and begins with the path of its field, so a file is put right in one go.
// Storage locations stand in the file as the Velero documents they are.
//
// The file holds no secrets: credentials come from files it names, from
// Secrets in the cluster, or from the worker's role. The connection to
// Temporal takes what the file leaves open from the environment variables all
// Temporal programs share (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
// TEMPORAL_API_KEY, TEMPORAL_TLS_*).
package config
