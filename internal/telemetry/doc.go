// Package telemetry is what the other packages say of their work by: requests to the outside
// as metrics and spans (calls.go), and log lines that name the run they belong to (log.go).
//
// What receives it travels in the context, as spans do by OpenTelemetry's own convention: a
// package below needs no field for it, and where nobody listens nothing is done. Where
// metrics and traces go is package export's business.
package telemetry
