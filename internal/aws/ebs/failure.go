package ebs

import "fmt"

// FailureOf says why a snapshot that EBS has given up failed.
func FailureOf(s Snapshot) string {
	return fmt.Sprintf("EBS gave snapshot %s up: %s", s.ID, s.StateMessage)
}
