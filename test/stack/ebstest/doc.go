// Package ebstest tests the stack's volumes: the CSI driver, the real snapshot
// controllers and the simulator together, without root. Data is looked at in the
// simulator's directories.
package ebstest
