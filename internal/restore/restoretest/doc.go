// Package restoretest makes restores in progress of archives in memory, for tests.
package restoretest
