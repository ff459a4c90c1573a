// Package page renders the evidence of a drill as one HTML page, out of the bytes of its file
// and nothing else. The page loads nothing, runs no script, says so in its own
// Content-Security-Policy, and carries the file, so that a reader can check it.
package page
