// Package comparison holds what a restore has brought into a cluster against the backup: what
// the restore says of each object, the object as it is there, and the fields in which it differs,
// by whom. A rehearsal and a drill account for every object with it. It changes nothing.
package comparison
