// Package show renders what the CLI prints: tables with Velero's columns, YAML
// and JSON documents, descriptions, the progress line and the diff of a dry run.
//
// It writes to the writers it is given and reads no clock of its own: callers
// pass the time, so that output can be compared in tests.
package show
