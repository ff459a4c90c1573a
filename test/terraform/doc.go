// Package terraform runs OpenTofu over deploy/terraform: its format, the documents of the roles
// that come out of it, and the whole example, made on an emulator of AWS.
package terraform
