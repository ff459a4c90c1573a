// Package ebssim simulates Amazon EBS: the part of EC2 and STS that works with
// volumes and snapshots, for the unmodified AWS SDK, with data in directories.
//
// New gives a Sim, which is an http.Handler: point AWS_ENDPOINT_URL_EC2 and
// AWS_ENDPOINT_URL_STS at a server of it. README.md says what is simulated, how
// faults and limits are set, and what is not simulated.
package ebssim
